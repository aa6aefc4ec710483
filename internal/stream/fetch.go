package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
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
// made again is another record. What lies between the first and the last offset of a
// partition is read too. It waits for brokers until ctx ends, or fails after 10 s
// where they do not even tell how far their logs go. For no offsets it asks nobody.
func (f Fetcher) Fetch(ctx context.Context, offsets map[record.Partition][]int64) ([]record.Record, error) {
	if len(offsets) == 0 {
		return nil, nil
	}
	found, err := f.fetch(ctx, offsets)
	if err != nil && ctx.Err() == nil {
		f.log.Warn().Err(err).Msg("read records again that OpenSearch refuses; trying on")
	}
	return found, err
}

func (f Fetcher) fetch(ctx context.Context, offsets map[record.Partition][]int64) ([]record.Record, error) {
	r, err := f.reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.fetch(ctx, offsets)
}

// reader connects with the password as it is now: weeks may have passed since the start.
func (f Fetcher) reader() (*Reader, error) {
	f.cfg.SASLPassword, _ = f.cfg.SASLPassword.Renew()
	return NewReader(f.cfg, f.log)
}

func (r *Reader) fetch(ctx context.Context, offsets map[record.Partition][]int64) (found []record.Record, err error) {
	topics := map[string]bool{}
	for p := range offsets {
		topics[p.Topic] = true
	}
	logs, err := r.Ranges(ctx, slices.Sorted(maps.Keys(topics)))
	if err != nil {
		return nil, fmt.Errorf("look for records: %w", err)
	}
	type place struct {
		record.Partition
		offset int64
	}
	wanted := map[place]bool{}
	var ranges []Range
	for _, log := range logs {
		list := offsets[log.Partition]
		if len(list) == 0 {
			continue
		}
		log.From, log.To = max(log.From, slices.Min(list)), min(log.To, slices.Max(list)+1)
		ranges = append(ranges, log)
		for _, offset := range list {
			wanted[place{log.Partition, offset}] = true
		}
	}
	err = r.Read(ctx, ranges, func(rec record.Record) error {
		if wanted[place{rec.Partition, rec.Offset}] {
			found = append(found, rec)
		}
		return nil
	})
	return found, err
}
