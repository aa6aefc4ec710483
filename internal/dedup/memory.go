// Package dedup remembers in Redis which events were written, so that a repeat
// need not be written again. It is an optimisation and never a guarantee: the
// merge rule makes every repeat harmless, so whatever is wrong with Redis counts
// as "not seen". It is the only package that talks to Redis.
//
// What was written lies in buckets by the time of the events, see [bucket]: those that
// come together share one, and with it the bytes and the commands that it costs.
package dedup

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// Entry names an event that was written, by what it does and where. An index
// that is made again has another UUID, so nothing is taken as written there.
type Entry struct {
	Space  string   // UUID of the index that took it; an empty one is never remembered
	Digest [16]byte // equal only for events that do the same, see handlers.Change
	Time   int64    // of the event, in microseconds since 1970; the same wherever Digest is
}

// callTimeout bounds a call of Seen or Mark, whatever its size.
const callTimeout = 500 * time.Millisecond

// Memory remembers entries. It is safe for concurrent use.
type Memory struct {
	store  *store // nil where dedup is disabled
	health *health
}

// New returns a Memory in the Redis that cfg names; Redis need not be there. The
// error is that of a wrong cfg.
func New(cfg Config, log zerolog.Logger) (*Memory, error) {
	if !cfg.Enabled {
		return &Memory{}, nil
	}
	store, err := openStore(cfg)
	if err != nil {
		return nil, err
	}
	m := &Memory{store: store, health: newHealth(store.probe, log)}
	m.health.keepCurrent()
	return m, nil
}

// Close closes the connections. The Memory is not used after it.
func (m *Memory) Close() error {
	if m.store == nil {
		return nil
	}
	return m.store.client.Close()
}

// Up reports whether Redis could be used when last tried, at most some seconds
// ago if Up is called that often. It does not wait. Where dedup is disabled it is
// true: nothing is missed.
func (m *Memory) Up() bool {
	if m.store == nil {
		return true
	}
	m.health.keepCurrent()
	return m.health.isUp()
}

// Seen reports for each entry whether it was marked in the last TTL, or a little
// before. Where Redis
// is down, slow or ctx ends, all are false; it takes at most half a second.
func (m *Memory) Seen(ctx context.Context, entries []Entry) []bool {
	seen := make([]bool, len(entries))
	m.try(ctx, entries, func(ctx context.Context) error { return m.store.has(ctx, entries, seen) })
	return seen
}

// Mark remembers entries. Call it when the index has taken them, never before: a
// mark says that a repeat changes nothing. Where Redis is down or slow they are
// not remembered; it takes at most half a second.
func (m *Memory) Mark(ctx context.Context, entries []Entry) {
	m.try(ctx, entries, func(ctx context.Context) error { return m.store.put(ctx, entries) })
}

// try runs a call to Redis unless it is known to be down, and draws conclusions.
func (m *Memory) try(ctx context.Context, entries []Entry, call func(context.Context) error) {
	if m.store == nil || len(entries) == 0 || !m.health.mayTry() {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := call(bounded)
	if err != nil && ctx.Err() != nil {
		return // the caller gave up, which says nothing of Redis
	}
	m.health.note(err)
}
