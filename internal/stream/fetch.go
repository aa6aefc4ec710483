package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

const (
	// fetchPatience is how long a Fetch reads. What has not come by then, be it of a
	// partition that has lost its leader, must not hold up what has.
	fetchPatience = 30 * time.Second
	// seekGap is the number of records that are read and dropped rather than passed over
	// by a seek. That takes some 30 ms (librdkafka 2.15), as it fetches anew.
	seekGap = 10_000
)

// Fetcher reads single records again, outside the group. It holds no connection
// between two calls, which are rare. It is safe for concurrent use.
type Fetcher struct {
	cfg Config
	log zerolog.Logger
}

// NewFetcher returns a Fetcher, which connects at its first call.
func NewFetcher(cfg Config, log zerolog.Logger) Fetcher { return Fetcher{cfg: cfg, log: log} }

// Fetch returns the records at the given offsets of each partition, in no order of
// partitions. Those that the log no longer has are left out; one of a topic that was
// made again is another record. Of the partitions in unread not all could be read
// within some 40 s; it logs why. For no offsets it asks nobody.
func (f Fetcher) Fetch(ctx context.Context, offsets map[record.Partition][]int64) (found []record.Record, unread []record.Partition) {
	if len(offsets) == 0 {
		return nil, nil
	}
	found, unread, err := f.fetch(ctx, offsets)
	if err != nil && ctx.Err() == nil {
		f.log.Warn().Err(err).Stringers("partitions", stringers(unread)).Msg("read records again that OpenSearch refuses; trying on")
	}
	return found, unread
}

func (f Fetcher) fetch(ctx context.Context, offsets map[record.Partition][]int64) (found []record.Record, unread []record.Partition, err error) {
	unread = slices.SortedFunc(maps.Keys(offsets), comparePartitions)
	offsets = maps.Clone(offsets)
	for p, list := range offsets {
		offsets[p] = slices.Sorted(slices.Values(list))
	}
	r, err := f.reader()
	if err != nil {
		return nil, unread, err
	}
	defer r.Close()
	stretches, untold, err := r.stretches(ctx, offsets)
	if err != nil {
		return nil, unread, fmt.Errorf("look for records: %w", err)
	}
	if len(untold) > 0 {
		err = noLeader(untold[0])
	}
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	left, readErr := r.read(ctx, stretches, func(rec record.Record) error {
		if _, wanted := slices.BinarySearch(offsets[rec.Partition], rec.Offset); wanted {
			found = append(found, rec)
		}
		return nil
	})
	if readErr != nil {
		err = readErr
	}
	return found, append(untold, slices.Collect(maps.Keys(left))...), err
}

// reader connects with the password as it is now: weeks may have passed since the start.
func (f Fetcher) reader() (*Reader, error) {
	f.cfg.SASLPassword, _ = f.cfg.SASLPassword.Renew()
	return NewReader(f.cfg, f.log)
}

// stretches returns what is to be read of the logs for the records at the given sorted
// offsets, and the partitions of which nobody tells how far their logs go.
func (r *Reader) stretches(ctx context.Context, offsets map[record.Partition][]int64) (stretches []Range, untold []record.Partition, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	names := map[string]bool{}
	for p := range offsets {
		names[p.Topic] = true
	}
	s := scout{admin: r.admin.client}
	topics, err := s.topics(ctx, slices.Sorted(maps.Keys(names)))
	if err != nil {
		return nil, nil, r.admin.connection.explain(err)
	}
	present := slices.DeleteFunc(partitionsIn(topics), func(p record.Partition) bool { return len(offsets[p]) == 0 })
	logs, untold, err := s.logs(ctx, topics, present)
	for _, log := range logs {
		stretches = append(stretches, around(log, offsets[log.Partition])...)
	}
	return stretches, untold, r.admin.connection.explain(err)
}

// around returns the stretches of a log that hold those of the sorted offsets that it
// has, with gaps between them that are worth a seek.
func around(log Range, offsets []int64) (stretches []Range) {
	for _, offset := range offsets {
		last := len(stretches) - 1
		switch {
		case offset < log.From || offset >= log.To:
		case last >= 0 && offset < stretches[last].To+seekGap:
			stretches[last].To = offset + 1
		default:
			stretches = append(stretches, Range{Partition: log.Partition, TopicID: log.TopicID, From: offset, To: offset + 1})
		}
	}
	return stretches
}
