package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func (p *program) offsetsSkipCommand() *cobra.Command {
	var scope offsetScope
	var ask consent
	var reach skipReach
	command := &cobra.Command{
		Use:   "skip",
		Short: "Pass over the next records of one partition",
		Long: `skip makes the group go on behind the next records of one partition: so many of
them, or all below an offset. It reads them first and prints which ones they
are, and asks before it does it. They are not indexed, and no dead letter is
written of them: what they say is missing until they are read after all (indexer
offsets reset).

The brokers refuse it while the group has members: stop all workers first.`,
		Example: `  indexer offsets skip --topic post.updated --partition 3 --count 1 --dry-run
  indexer offsets skip --topic post.updated --partition 3 --to 4711 --yes`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := reach.validate(scope); err != nil {
				return misused(err, `see "indexer offsets skip --help"`)
			}
			return p.withOffsets(c.Context(), scope, func(ctx context.Context, o *offsets) error {
				return p.skipOffsets(ctx, o, reach, ask)
			})
		},
	}
	scope.addFlags(command)
	ask.addFlags(command)
	f := command.Flags()
	f.Int64Var(&reach.count, "count", 0, "how many records to pass over")
	f.Int64Var(&reach.to, "to", -1, "the offset to go on at; all records below it are passed over")
	f.Lookup("to").DefValue = "0" // hides it: -1 says nothing
	f.BoolVar(&reach.show, "show", false, fmt.Sprintf("print the first %d bytes of each record too", shownBytes))
	command.MarkFlagsMutuallyExclusive("count", "to")
	return command
}

// shownBytes is how much of a record is shown to who asks for it.
const shownBytes = 64

// skipReach is what is to be passed over.
type skipReach struct {
	count int64 // records; 0 where to counts
	to    int64 // offset; -1 where count counts
	show  bool
}

func (r skipReach) validate(scope offsetScope) error {
	var wrong []error
	if scope.topic == "" || scope.partition < 0 {
		wrong = append(wrong, errors.New("name one partition by --topic and --partition"))
	}
	if r.count < 0 || r.count == 0 && r.to < 0 {
		wrong = append(wrong, errors.New("say how far: --count 1 or more, or --to an offset"))
	}
	return errors.Join(wrong...)
}

// stretch returns what of the log has to be looked at.
func (r skipReach) stretch(s stream.PartitionStatus) (stream.Range, error) {
	if s.Problem != nil {
		return stream.Range{}, fmt.Errorf("nothing can be passed over: %w", s.Problem)
	}
	// A worker that has never read here begins at the log's first record.
	found := stream.Range{Partition: s.Partition, From: max(s.Start, s.Low), To: s.High}
	if r.to < 0 {
		return found, nil
	}
	if r.to <= found.From || r.to > s.High {
		return found, fmt.Errorf("--to %d: the group goes on at %d and the log ends at %d, so name an offset of %d to %d (to go back: indexer offsets reset)",
			r.to, found.From, s.High, found.From+1, s.High)
	}
	found.To = r.to
	return found, nil
}

func (p *program) skipOffsets(ctx context.Context, o *offsets, reach skipReach, ask consent) error {
	s := o.partitions[0]
	stretch, err := reach.stretch(s)
	if err != nil {
		return err
	}
	if err := o.idle(); err != nil && !ask.dryRun {
		return err
	}
	reader, err := stream.NewReader(o.cfg, o.log)
	if err != nil {
		return err
	}
	defer reader.Close()
	_, _ = fmt.Fprintf(p.stdout, "consumer group %s would pass over these records of %s:\n\n", o.cfg.GroupID, s.Partition)
	passed, next, err := o.list(ctx, reader, stretch, reach, p.stdout)
	if err != nil {
		return err
	}
	if next <= stretch.From {
		return failed(fmt.Errorf("there is no record to pass over: the group goes on at %d and the log ends at %d", stretch.From, s.High), "")
	}
	_, _ = fmt.Fprintf(p.stdout, "\nrecords passed over: %d; it would go on at offset %d instead of %d\n", passed, next, stretch.From)
	if passed < reach.count {
		p.warn("there are no more than these; what is published until the move is not passed over")
	}
	if ask.dryRun {
		return nil
	}
	if err := p.confirm("Pass over these records?", ask.yes); err != nil {
		return err
	}
	if err := o.set(ctx, []stream.NextOffset{{Partition: s.Partition, TopicID: s.TopicID, Offset: next}}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "done: %s goes on at offset %d\n", s.Partition, next)
	return err
}

// list prints the records of a stretch, as far as they are to be passed over, and
// returns their number and the offset behind them.
func (o *offsets) list(ctx context.Context, reader *stream.Reader, stretch stream.Range, reach skipReach, out io.Writer) (passed, next int64, err error) {
	next = stretch.From
	if reach.to >= 0 {
		next = reach.to // be it in a hole of the log
	}
	mux := handlers.NewMux(o.cfg.TopicPrefix)
	enough := errors.New("enough")
	err = reader.Read(ctx, []stream.Range{stretch}, func(r record.Record) error {
		event, _, rejection := mux.Decode(&r)
		kind := event.Type
		if rejection != nil {
			kind = string(rejection.Reason)
		}
		passed++
		next = max(next, r.Offset+1)
		if _, err := fmt.Fprintf(out, "%12d  %-18s  %s\n", r.Offset, kind, printable(event.ID)); err != nil {
			return err
		}
		if reach.show {
			if _, err := fmt.Fprintf(out, "%12s  %s\n", "", printable(string(r.Value[:min(len(r.Value), shownBytes)]))); err != nil {
				return err
			}
		}
		if passed == reach.count {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return passed, next, fmt.Errorf("read the records of %s: %w", stretch.Partition, err)
	}
	return passed, next, nil
}
