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
	// pipelineSize is the commands sent before their replies are read: enough to
	// hide the round trip, few enough for a busy Redis to answer in time.
	pipelineSize = 1000
)

// store is how entries lie in Redis: one key for each, which expires.
//
// A key is "si1", the space as it comes, then the 16 raw bytes of the digest.
// The value is the shared integer 1, which takes no memory of its own: 128 bytes
// for each entry, 160 with an empty text (Redis 7.0.15, 131,072 entries).
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

func key(e Entry) string { return "si1" + e.Space + string(e.Digest[:]) }

// has sets seen[i] where entries[i] is remembered.
func (s *store) has(ctx context.Context, entries []Entry, seen []bool) error {
	replies := make([]*redis.IntCmd, len(entries))
	err := s.inPipelines(ctx, len(entries), func(p redis.Pipeliner, i int) {
		if entries[i].Space != "" {
			replies[i] = p.Exists(ctx, key(entries[i]))
		}
	})
	if err != nil {
		return fmt.Errorf("ask Redis: %w", explain(err))
	}
	for i, reply := range replies {
		seen[i] = reply != nil && reply.Val() == 1
	}
	return nil
}

// put remembers entries from now on for the TTL.
func (s *store) put(ctx context.Context, entries []Entry) error {
	err := s.inPipelines(ctx, len(entries), func(p redis.Pipeliner, i int) {
		if entries[i].Space != "" {
			p.Set(ctx, key(entries[i]), 1, s.ttl)
		}
	})
	if err != nil {
		return fmt.Errorf("write to Redis: %w", explain(err))
	}
	return nil
}

// probe returns nil where Redis can be used: a write, since one that is full or
// a replica still answers PING.
func (s *store) probe(ctx context.Context) error {
	if err := s.client.Set(ctx, "si1probe", 1, time.Second).Err(); err != nil {
		return fmt.Errorf("write to Redis: %w", explain(err))
	}
	return nil
}

// inPipelines queues a command for each of n entries and returns the first error.
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
