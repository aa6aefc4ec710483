package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// RefusedError says why a rebuild is not done, and how it can be.
type RefusedError struct{ What, WayOut string }

// Error returns both.
func (e *RefusedError) Error() string { return e.What + "; " + e.WayOut }

// Plan is what a Run would do, as far as it can be told beforehand.
type Plan struct {
	Partitions int          `json:"partitions"`
	Events     int64        `json:"events"`      // at most: logs may have holes
	EventBytes int64        `json:"event_bytes"` // on average, of a sample
	Entities   []PlanEntity `json:"entities"`
	FoldNeed   int64        `json:"fold_need_bytes"` // of disk, at most
	FoldFree   int64        `json:"fold_free_bytes"`
	FoldDir    string       `json:"fold_dir"`
	IndexNeed  int64        `json:"index_need_bytes"` // of OpenSearch's disks, replicas included
	IndexFree  int64        `json:"index_free_bytes"` // below its high watermark
	Refusals   []string     `json:"refusals"`         // why Run would not begin
	Notes      []string     `json:"notes"`
	Error      string       `json:"error,omitempty"` // why no more could be told
}

// PlanEntity is one entity of a Plan.
type PlanEntity struct {
	Entity    document.Entity `json:"entity"`
	Live      string          `json:"live"`      // index that would be replaced; empty where there is none
	Documents int64           `json:"documents"` // in it, tombstones included
	Bytes     int64           `json:"bytes"`     // of its primary shards
}

// sampled is how many records of each partition are looked at for their size.
const sampled = 50

// Plan looks at the log, the disks and the live indices. It changes nothing.
func (b *Rebuild) Plan(ctx context.Context) (Plan, error) {
	ranges, err := b.Log.Ranges(ctx, b.options.Topics)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{
		Partitions: len(ranges), Events: records(ranges), FoldDir: b.Fold.Path(),
		Entities: []PlanEntity{}, Refusals: []string{}, Notes: []string{},
	}
	if len(ranges) == 0 {
		p.refuse("none of the topics exists: "+strings.Join(b.options.Topics, ", "), "check KAFKA_TOPICS and KAFKA_TOPIC_PREFIX")
	}
	for _, name := range b.options.Topics {
		if len(ranges) > 0 && !slices.ContainsFunc(ranges, func(r stream.Range) bool { return r.Topic == name }) {
			p.Notes = append(p.Notes, fmt.Sprintf("topic %s does not exist, so a document that has events only there is not made", name))
		}
	}
	some, err := b.sample(ctx, ranges)
	if err != nil {
		return p, err
	}
	p.EventBytes = some.bytes
	if err := b.planLog(ctx, &p); err != nil {
		return p, err
	}
	if err := b.planIndices(ctx, &p); err != nil {
		return p, err
	}
	err = b.planDisks(ctx, &p, some)
	return p, err
}

// check refuses what Plan finds.
func (b *Rebuild) check(ctx context.Context) error {
	p, err := b.Plan(ctx)
	if err != nil {
		return err
	}
	b.report.Notes = append(b.report.Notes, p.Notes...)
	b.live = p.Entities
	var refusals []error
	for _, refusal := range p.Refusals {
		refusals = append(refusals, errors.New(refusal))
	}
	return errors.Join(refusals...)
}

// expected is about how many documents there are of an entity, as many as are live;
// -1 where none is.
func (b *Rebuild) expected(entity document.Entity) int64 {
	for _, e := range b.live {
		if e.Entity == entity && e.Documents > 0 {
			return e.Documents
		}
	}
	return -1
}

func (p *Plan) refuse(what, wayOut string) {
	p.Refusals = append(p.Refusals, (&RefusedError{What: what, WayOut: wayOut}).Error())
}

// planLog finds out whether the log still holds everything.
func (b *Rebuild) planLog(ctx context.Context, p *Plan) error {
	gaps, err := b.Log.Completeness(ctx, b.options.Topics)
	if err != nil {
		return err
	}
	for _, gap := range gaps {
		switch {
		case !gap.Missing:
			p.Notes = append(p.Notes, gap.String())
		case b.options.Seed || b.options.AcceptTruncated:
			p.Notes = append(p.Notes, gap.String()+" (accepted)")
		default:
			p.refuse(gap.String(), "--seed-from-current starts from what the live index holds; --accept-truncated does without what is gone")
		}
	}
	return nil
}

func (b *Rebuild) planIndices(ctx context.Context, p *Plan) error {
	for _, entity := range b.options.Entities {
		e := PlanEntity{Entity: entity}
		var err error
		if e.Live, _, err = b.Client.Live(ctx, entity); err != nil {
			return err
		}
		if e.Live != "" {
			if e.Bytes, e.Documents, err = b.Client.StoreSize(ctx, e.Live); err != nil {
				return err
			}
		}
		p.Entities = append(p.Entities, e)
	}
	return nil
}

// planDisks estimates what fold and index will need, by the live indices and, as these
// may lack most documents, by the created events of the log. The fold keeps one State
// an entity, and for a while what is being compacted beside it.
func (b *Rebuild) planDisks(ctx context.Context, p *Plan, some sample) error {
	const compaction, growth = 2, 1.2
	known, stored := int64(0), int64(0)
	for _, e := range p.Entities {
		known, stored = known+e.Documents, stored+e.Bytes
	}
	created := some.created
	if known+created == 0 {
		created = some.wanted // each may be of another document
	}
	entities := min(p.Events, int64(float64(max(created, known))*growth))
	p.FoldNeed = entities * p.EventBytes * compaction
	if b.options.Seed {
		p.FoldNeed += int64(float64(stored)*growth) * compaction
	}
	p.IndexNeed = int64(float64(max(created*p.EventBytes, stored))*growth) * int64(1+b.Client.Replicas())
	var err error
	if p.FoldFree, err = b.Fold.Free(); err != nil {
		return err
	}
	disk, err := b.Client.Disk(ctx)
	if err != nil {
		return err
	}
	p.IndexFree = disk.FreeBelowWatermark
	if p.FoldNeed > p.FoldFree {
		p.refuse(fmt.Sprintf("the fold may need %d MB of disk in %s, %d MB are free", p.FoldNeed>>20, p.FoldDir, p.FoldFree>>20), "set FOLD_DIR to a larger disk")
	}
	if p.IndexNeed > p.IndexFree {
		p.refuse(fmt.Sprintf("the new indices may need %d MB of OpenSearch's disks, %d MB are free below the watermark of %s", p.IndexNeed>>20, p.IndexFree>>20, disk.Watermark), "add disk, or remove old indices")
	}
	return nil
}

// sample is what some records of each partition tell of the whole log.
type sample struct {
	bytes   int64 // of a record, on average
	wanted  int64 // events of what is to be made anew, good and bad
	created int64 // those of them that create a document
}

// sample reads the last records of each partition.
func (b *Rebuild) sample(ctx context.Context, ranges []stream.Range) (sample, error) {
	type topic struct{ all, read, wanted, created int64 }
	topics := map[string]*topic{}
	var some []stream.Range
	for _, r := range ranges {
		if topics[r.Topic] == nil {
			topics[r.Topic] = &topic{}
		}
		topics[r.Topic].all += r.To - r.From
		r.From = max(r.From, r.To-sampled)
		some = append(some, r)
	}
	var bytes, n int64
	err := b.Log.Read(ctx, some, func(r record.Record) error {
		bytes, n = bytes+int64(len(r.Key)+len(r.Value)), n+1
		t := topics[r.Topic]
		t.read++
		if event, _, _ := b.Decoder.Decode(&r); slices.Contains(b.options.Entities, event.Entity) {
			t.wanted++
			if strings.HasSuffix(event.Type, ".created") {
				t.created++
			}
		}
		return nil
	})
	s := sample{bytes: bytes / max(n, 1)}
	for _, t := range topics {
		s.wanted += t.all * t.wanted / max(t.read, 1)
		s.created += t.all * t.created / max(t.read, 1)
	}
	return s, err
}
