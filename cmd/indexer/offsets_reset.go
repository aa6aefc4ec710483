package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func (p *program) offsetsResetCommand() *cobra.Command {
	var scope offsetScope
	var ask consent
	var to string
	command := &cobra.Command{
		Use:   "reset",
		Short: "Make the group go on at another place",
		Long: `reset moves the place where the workers go on, of all topics, of one or of one
partition: to the earliest or the latest offset, to the first record of a time,
or to an offset. It says what that means and asks before it does it.

Going back is harmless: events that were indexed already change nothing. Going
forward passes over events, which are then missing from the index until they are
read after all.

The brokers refuse it while the group has members: stop all workers first.`,
		Example: `  indexer offsets reset --to earliest --dry-run
  indexer offsets reset --to 2026-03-01T00:00:00Z --topic post.updated --yes
  indexer offsets reset --to 4711 --topic post.updated --partition 3`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			target, err := parseTarget(to, scope)
			if err != nil {
				return misused(err, `see "indexer offsets reset --help"`)
			}
			return p.withOffsets(c.Context(), scope, func(ctx context.Context, o *offsets) error {
				return p.resetOffsets(ctx, o, target, ask)
			})
		},
	}
	scope.addFlags(command)
	ask.addFlags(command)
	command.Flags().StringVar(&to, "to", "", "earliest, latest, an offset (of one partition) or a time such as 2026-03-01T00:00:00Z")
	return command
}

// target is the place that --to names.
type target struct {
	text   string
	offset int64     // -1 where it is none
	time   time.Time // zero where it is none
}

func parseTarget(text string, scope offsetScope) (target, error) {
	t := target{text: text, offset: -1}
	if text == "earliest" || text == "latest" {
		return t, nil
	}
	if offset, err := strconv.ParseInt(text, 10, 64); err == nil && offset >= 0 {
		if scope.partition < 0 {
			return t, errors.New("--to an offset needs --topic and --partition: each partition counts its own")
		}
		t.offset = offset
		return t, nil
	}
	var err error
	if t.time, err = time.Parse(time.RFC3339, text); err != nil {
		return t, fmt.Errorf("--to: %q is neither earliest, latest, an offset, nor a time with its zone such as 2026-03-01T00:00:00Z", text)
	}
	return t, nil
}

// of returns the offset that t means in each of the partitions.
func (t target) of(ctx context.Context, o *offsets) (map[record.Partition]int64, error) {
	if !t.time.IsZero() {
		return o.admin.OffsetsAt(ctx, o.partitions, t.time)
	}
	found := map[record.Partition]int64{}
	for _, s := range o.partitions {
		switch {
		case t.text == "earliest":
			found[s.Partition] = s.Low
		case t.text == "latest":
			found[s.Partition] = s.High
		case t.offset < s.Low || t.offset > s.High:
			return nil, fmt.Errorf("offset %d of %s is not in the log, which holds %d to %d", t.offset, s.Partition, s.Low, s.High)
		default:
			found[s.Partition] = t.offset
		}
	}
	return found, nil
}

func (p *program) resetOffsets(ctx context.Context, o *offsets, to target, ask consent) error {
	places, err := to.of(ctx, o)
	if err != nil {
		return err
	}
	next := make([]stream.NextOffset, len(o.partitions))
	for i, s := range o.partitions {
		next[i] = stream.NextOffset{Partition: s.Partition, TopicID: s.TopicID, Offset: places[s.Partition]}
	}
	_, _ = fmt.Fprintf(p.stdout, "consumer group %s is to go on at %s:\n\n", o.cfg.GroupID, to.text)
	again, over := o.printMoves(p.stdout, places)
	_, _ = fmt.Fprintf(p.stdout, "offsets read again: %d, which changes nothing; passed over: %d\n", again, over)
	if over > 0 {
		p.warn("the events that are passed over would be missing from the index until they are read after all")
	}
	switch err := o.idle(); {
	case ask.dryRun && err != nil:
		p.warn(strings.TrimSpace(err.Error()))
		return nil
	case ask.dryRun:
		return nil
	case err != nil:
		return err
	}
	if err := p.confirm("Move the group?", ask.yes); err != nil {
		return err
	}
	if err := o.set(ctx, next); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "done; partitions moved: %d\n", len(next))
	return err
}

// printMoves writes where each partition goes, and returns how many offsets that
// reads again and passes over.
func (o *offsets) printMoves(out io.Writer, to map[record.Partition]int64) (again, over int64) {
	for topic, partitions := range o.byTopic() {
		_, _ = fmt.Fprintln(out, topic)
		rows := newTable(0, "partition", "from", "to", "read again", "passed over")
		for _, s := range partitions {
			// What the log has lost is passed over in any case.
			from := min(max(s.Start, s.Low), s.High)
			back, ahead := max(from-to[s.Partition], 0), max(to[s.Partition]-from, 0)
			rows.AppendRow(table.Row{s.ID, s.Start, to[s.Partition], back, ahead})
			again, over = again+back, over+ahead
		}
		_, _ = fmt.Fprintf(out, "%s\n\n", rows.Render()) // the caller's last line tells
	}
	return again, over
}
