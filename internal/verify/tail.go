package verify

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// tail is the log behind the fold, up to its present end.
func (v *Verify) tail(ctx context.Context) ([]stream.Range, error) {
	present, err := v.Log.Ranges(ctx, v.options.Topics)
	if err != nil {
		return nil, err
	}
	read := stream.Positions(v.read)
	if ended := stream.Ended(read, present); len(ended) > 0 {
		return nil, fmt.Errorf("topic %s was removed, or made again, while it was read; verify again", ended[0].Topic)
	}
	if cut := stream.Cut(read, present); len(cut) > 0 {
		return nil, fmt.Errorf("the log of %s was cut while it was read; verify again", cut[0].Partition)
	}
	return stream.After(read, present), nil
}

// considering takes the tail to the suspects: one goroutine reads, and as many decode
// as there are processors. A suspect takes its events in any order.
type considering struct {
	*pass
	suspects map[document.Key]*suspect
	one      sync.Mutex // suspect at a time
}

// all considers every event of the ranges.
func (c *considering) all(ctx context.Context, ranges []stream.Range) error {
	group, ctx := errgroup.WithContext(ctx)
	chunks := make(chan []record.Record)
	group.Go(func() error {
		defer close(chunks)
		return c.chunks(ctx, ranges, chunks)
	})
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for chunk := range chunks {
				for i := range chunk {
					c.consider(&chunk[i])
				}
				c.Display.Add(int64(len(chunk)))
			}
			return nil
		})
	}
	return group.Wait()
}

// chunks reads the ranges in pieces that spare a turn for each record.
func (c *considering) chunks(ctx context.Context, ranges []stream.Range, to chan<- []record.Record) error {
	const most, mostBytes = 256, 256 << 10
	var chunk []record.Record
	size := 0
	send := func() error {
		select {
		case to <- chunk:
			chunk, size = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := c.Log.Read(ctx, ranges, func(r record.Record) error {
		chunk, size = append(chunk, r), size+r.Size()
		if len(chunk) < most && size < mostBytes {
			return nil
		}
		return send()
	})
	if err != nil {
		return err
	}
	return send()
}

func (c *considering) consider(r *record.Record) {
	_, change, rejection := c.Decoder.Decode(r)
	if s := c.suspects[change.Key]; s != nil && rejection == nil {
		c.one.Lock()
		defer c.one.Unlock()
		s.consider(change.State.Unpack(), c.letters.has(r), c.rule.expired)
	}
}
