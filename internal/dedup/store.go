package dedup

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// dialTimeout and replyTimeout bound one connection and one pipeline.
	dialTimeout  = 500 * time.Millisecond
	replyTimeout = 200 * time.Millisecond
	// pipelineSize is the buckets asked for before their replies are read: enough to
	// hide the round trip, few enough for 1.6 MB of replies to arrive in time.
	pipelineSize = 100
)

// store is how entries lie in Redis: in buckets, which expire.
type store struct {
	client *redis.Client
	ttl    time.Duration
}

func openStore(cfg Config) (*store, error) {
	options, err := cfg.options()
	if err != nil {
		return nil, cfg.Validate()
	}
	options.CredentialsProvider = credentials(cfg.URL)
	options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		now, err := cfg.options() // the certificates' files may have been replaced
		if err != nil {
			return nil, err
		}
		now.DialTimeout = dialTimeout
		return redis.NewDialer(now)(ctx, network, address)
	}
	logging.Disable() // the client would write to stderr past our log; states are logged by Memory
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = dialTimeout, replyTimeout, replyTimeout
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1 // an entry that is not told in time is a miss
	options.DialerRetries = 1
	options.DisableIdentity = true // one round trip less at each connect
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &store{client: redis.NewClient(options), ttl: cfg.TTL}, nil
}

// has sets seen[i] where entries[i] is remembered.
func (s *store) has(ctx context.Context, entries []Entry, seen []bool) error {
	pending := named(entries)
	for level := 0; level < levels && len(pending) > 0; level++ {
		groups := inBuckets(entries, pending, level)
		contents := make([]*redis.StringCmd, len(groups))
		err := s.inPipelines(ctx, len(groups), func(p redis.Pipeliner, i int) {
			contents[i] = p.GetRange(ctx, groups[i].key(), 0, -1)
		})
		if err != nil {
			return fmt.Errorf("ask Redis: %w", explain(err))
		}
		pending = pending[:0]
		for i, g := range groups {
			g.search(contents[i].Val(), entries, seen)
			for _, place := range g.entries {
				if !seen[place] && len(contents[i].Val()) >= capacity*entrySize {
					pending = append(pending, place)
				}
			}
		}
	}
	return nil
}

// put remembers entries from now on for the TTL: each in the first bucket on its way
// down that is not full. The buckets above live on with it, or it would not be found.
func (s *store) put(ctx context.Context, entries []Entry) error {
	var writes []write
	pending := named(entries)
	for level := 0; level < levels && len(pending) > 0; level++ {
		groups := inBuckets(entries, pending, level)
		lengths := make([]*redis.IntCmd, len(groups))
		err := s.inPipelines(ctx, len(groups), func(p redis.Pipeliner, i int) {
			key := groups[i].key()
			p.PExpire(ctx, key, s.ttl)
			lengths[i] = p.StrLen(ctx, key)
		})
		if err != nil {
			return fmt.Errorf("write to Redis: %w", explain(err))
		}
		pending = pending[:0]
		for i, g := range groups {
			held := int(lengths[i].Val())
			here := min(len(g.entries), max(0, capacity-held/entrySize))
			if here > 0 {
				writes = append(writes, write{key: g.key(), isNew: held == 0, entries: g.entries[:here]})
			}
			pending = append(pending, g.entries[here:]...)
		}
	}
	return s.append(ctx, entries, writes)
}

// write is what goes to the end of one bucket.
type write struct {
	key     string
	isNew   bool
	entries []int // places in the caller's list
}

// append writes. A bucket is created by one command together with its time to live,
// so that a connection that breaks leaves none that stays for ever; and by a SET,
// since Redis 7.0 takes twice the room for what it appends.
func (s *store) append(ctx context.Context, entries []Entry, writes []write) error {
	for len(writes) > 0 {
		created := make([]*redis.BoolCmd, len(writes))
		err := s.inPipelines(ctx, len(writes), func(p redis.Pipeliner, i int) {
			w := writes[i]
			digests := make([]byte, 0, len(w.entries)*entrySize)
			for _, place := range w.entries {
				digests = append(digests, entries[place].Digest[:]...)
			}
			if w.isNew {
				created[i] = p.SetNX(ctx, w.key, digests, s.ttl)
			} else {
				p.Append(ctx, w.key, string(digests))
				p.PExpire(ctx, w.key, s.ttl) // it may have been evicted since its length was asked for
			}
		})
		if err != nil {
			return fmt.Errorf("write to Redis: %w", explain(err))
		}
		var late []write // another worker was first to create the bucket
		for i, w := range writes {
			if w.isNew && !created[i].Val() {
				late = append(late, write{key: w.key, entries: w.entries})
			}
		}
		writes = late
	}
	return nil
}

// named returns the places of the entries that have a space.
func named(entries []Entry) []int {
	places := make([]int, 0, len(entries))
	for i := range entries {
		if entries[i].Space != "" {
			places = append(places, i)
		}
	}
	return places
}

// probe returns nil where Redis can be used: a write, since one that is full or
// a replica still answers PING.
func (s *store) probe(ctx context.Context) error {
	if err := s.client.Set(ctx, "si2probe", 1, time.Second).Err(); err != nil {
		return fmt.Errorf("write to Redis: %w", explain(err))
	}
	return nil
}

// inPipelines queues the commands for each of n buckets and returns the first error.
func (s *store) inPipelines(ctx context.Context, n int, queue func(p redis.Pipeliner, i int)) error {
	for from := 0; from < n; from += pipelineSize {
		pipeline := s.client.Pipeline()
		for i := from; i < min(from+pipelineSize, n); i++ {
			queue(pipeline, i)
		}
		if _, err := pipeline.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
