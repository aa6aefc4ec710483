package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// Options say what is looked at, and what is done about it.
type Options struct {
	Entities []document.Entity
	Topics   []string // full names
	// Sample is how many documents are looked at, chosen at random; 0 is for all of
	// them. Orphans are not looked for in a sample.
	Sample      int
	Limit       int           // how many differences are listed; 0 or more
	Retention   time.Duration // a tombstone may be gone when its delete is older
	Repair      bool          // mend what differs. Nobody else may change indices as a whole meanwhile
	AcceptFewer bool          // take away what no event says from however many documents
}

// Log is the log of every topic, as [stream.Reader] reads it.
type Log interface {
	fold.Log
	Ranges(ctx context.Context, topics []string) ([]stream.Range, error)
	Completeness(ctx context.Context, topics []string) ([]stream.Gap, error)
}

// Display shows how far a phase is, as [progress.Progress] does.
type Display interface {
	Phase(name string, total int64, unit string)
	Add(n int64)
}

// Parts are what a Verify works with.
type Parts struct {
	Client    *index.Client
	Log       Log
	Decoder   fold.Decoder
	Committed func(context.Context) ([]record.Position, error) // by the live group
	Letters   *dlq.Reader
	Display   Display
	Logger    zerolog.Logger
	Fold      fold.Config
}

// Verify looks at the indices once, and once more after a repair. Use one for one
// run, from one goroutine.
type Verify struct {
	Parts
	options Options
	fold    *fold.Fold
	read    []stream.Range // that the fold holds
	letters letters
	indices map[document.Entity]string
	rule    rule
	report  Report
}

// New returns a Verify that has done nothing yet.
func New(parts Parts, options Options) *Verify { return &Verify{Parts: parts, options: options} }

// Run compares the indices with the log, and with Options.Repair mends what differs
// and compares again. The report holds what was found until an error.
func (v *Verify) Run(ctx context.Context) (Report, error) {
	began := time.Now()
	err := v.run(ctx)
	if v.fold != nil {
		err = errors.Join(err, v.fold.Close())
	}
	v.report.Seconds = time.Since(began).Seconds()
	return v.report, err
}

func (v *Verify) run(ctx context.Context) error {
	if err := v.foldLog(ctx); err != nil {
		return err
	}
	var repair *Repair
	if v.options.Repair {
		repair = &Repair{}
	}
	found, err := v.look(ctx, repair)
	v.report.Findings = found
	if repair == nil || found.Differences == 0 {
		return err
	}
	v.report.Repair = repair
	if err != nil {
		return err
	}
	v.Logger.Info().Int64("mended", repair.Mended).Msg("verify again")
	after, err := v.look(ctx, nil)
	v.report.After = &after
	return err
}

// look compares all documents with the log. Where repair is set, it mends too.
func (v *Verify) look(ctx context.Context, repair *Repair) (Findings, error) {
	p := newPass(v, repair)
	if err := p.compareAll(ctx); err != nil {
		return p.findings, err
	}
	if v.options.Sample == 0 {
		if err := p.mendDoubtful(ctx); err != nil {
			return p.findings, err
		}
	}
	tail, err := v.tail(ctx)
	p.findings.Unread = records(tail)
	if err != nil {
		return p.findings, err
	}
	return p.findings, v.unmoved(ctx)
}

// unmoved tells where an index that was looked at no longer serves.
func (v *Verify) unmoved(ctx context.Context) error {
	for _, entity := range v.options.Entities {
		live, err := index.Patiently(ctx, func() (string, error) {
			live, _, err := v.Client.Live(ctx, entity)
			return live, err
		})
		if err != nil {
			return err
		}
		if live != v.indices[entity] {
			v.report.note(fmt.Sprintf("%s was replaced by %s meanwhile: verify that one too", v.indices[entity], live))
		}
	}
	return nil
}
