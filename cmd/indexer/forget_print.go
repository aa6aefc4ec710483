package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func sortTraces(list []recordTrace) {
	slices.SortFunc(list, func(a, b recordTrace) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
}

// print writes what is kept where, and what can be done about it.
func (t *traces) print(out io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	names := make([]string, len(t.Entities))
	for i, entity := range t.Entities {
		names[i] = string(entity)
	}
	say("%s %s", strings.Join(names, " or "), printable(t.ID))
	say("\nRecords in topics: %d; a rebuild reads them, and they can't be removed singly", len(t.Topics))
	t.printRecords(say, t.Topics)
	say("\nDead letters: %d; `indexer dlq purge` removes them from the oldest on", len(t.Letters))
	t.printRecords(say, t.Letters)
	say("\nDocuments in indices: %d", len(t.Indices))
	for _, c := range t.Indices {
		say("  %s  %s, %s", c.Index, c.Standing, c.advice())
	}
	say("\nRedis: %s", t.Redis)
	say("\nWorking files of rebuild and verify on this machine: %d", len(t.Files))
	for _, dir := range t.Files {
		say("  %s  goes when its command ends; of a killed one with the next run", dir)
	}
	say("\nWhat bounds the life of the rest: docs/operations.md, \"Privacy\"")
}

func (t *traces) printRecords(say func(string, ...any), list []recordTrace) {
	topics := map[string]bool{}
	for _, r := range list {
		topics[r.Topic] = true
		what := r.What
		if r.Entity == "" {
			what += ": mentions the id"
		}
		say("  %s/%d  offset %d  %s  %s", r.Topic, r.Partition, r.Offset, r.Time, what)
	}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		say("  %s keeps its records %s%s", topic, t.Retention[topic], lastUntil(list, topic))
	}
}

// lastUntil says when the last of the records may go.
func lastUntil(list []recordTrace, topic string) string {
	var last string
	for _, r := range list {
		if r.Topic == topic {
			last = max(last, r.Until)
		}
	}
	if last == "" {
		return ""
	}
	return "; the last of these goes after " + last
}

// advice says what a document holds and what becomes of it.
func (c copyTrace) advice() string {
	switch {
	case c.Removed:
		return "removed"
	case c.Standing == index.StandingKept:
		if c.Contents {
			return "contents: --yes removes it"
		}
		return "tombstone without contents: --yes removes it"
	case !c.Contents:
		return "tombstone without contents: nothing to remove"
	case c.Standing == index.StandingLive:
		return fmt.Sprintf("contents: publish the event %s.deleted", c.Entity)
	default:
		return "contents: of an unfinished rebuild; finish or abort that, then ask again"
	}
}

// scanLog tells every now and then how far a long reading has come.
type scanLog struct {
	log         zerolog.Logger
	total, done int64
	said        time.Time
}

func newScanLog(ranges []stream.Range, log zerolog.Logger) *scanLog {
	s := &scanLog{log: log, said: time.Now()}
	for _, r := range ranges {
		s.total += r.To - r.From
	}
	return s
}

func (s *scanLog) count() {
	const every, look = 5 * time.Second, 1024 // looking at the clock for each record would show
	s.done++
	if s.done%look == 0 && time.Since(s.said) > every {
		s.said = time.Now()
		s.log.Info().Int64("records", s.done).Int64("offsets", s.total).Msg("reading the topics")
	}
}
