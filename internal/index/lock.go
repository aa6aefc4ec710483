package index

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	lockID       = "exclusive"
	lockTTL      = 30 * time.Second
	lockPolls    = 10 // looks at a lock within its TTL
	lockRenewals = 3  // renewals of a lock within its TTL
)

// Holder is who has the lock, as they wrote it.
type Holder struct {
	Owner   string        // the process: host, number, and a random part
	Command string        // what it does
	Since   time.Time     // by its own clock
	TTL     time.Duration // without a renewal, until others may take the lock
	Renewal int           // another one after each renewal
	// Progress is how far it was at its last renewal, about a third of its TTL ago at most.
	Progress Progress
}

// Progress is how far a command is.
type Progress struct {
	Phase       string  `json:"phase"` // in words; empty where it has told nothing
	Done        int64   `json:"done"`  // of the phase
	Total       int64   `json:"total"` // of the phase, perhaps an estimate; -1 where nobody knows
	Unit        string  `json:"unit"`  // plural of what is counted, such as "events"
	PerSecond   float64 `json:"per_second"`
	SecondsLeft float64 `json:"seconds_left"` // until the end of the phase; -1 where nobody knows
}

// LockedError says that somebody else has the lock and renews it.
type LockedError struct{ Holder }

// Error returns who has the lock.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is under way since %s, by %s", e.Command, e.Since.Format(time.RFC3339), e.Owner)
}

// ErrLockLost is the cause of the end of [Lock.Context] when the lock may be
// another's by now.
var ErrLockLost = errors.New("the lock on the indices is lost")

// LockRequest says what a lock is taken for.
type LockRequest struct {
	Command string        // what Holder.Command is to say
	TTL     time.Duration // after this without a renewal others may take it; 0 for 30 s
	// Progress, where it is set, is asked at each renewal how far the command is, for
	// those who look at the lock.
	Progress func() Progress
	// Waiting, where it is set, is told that a lock stands of which it is not known
	// whether anybody still renews it, and how long it takes at most to find out.
	Waiting func(owner string, upTo time.Duration)
}

// Lock takes the lock on what changes indices as a whole or behind the workers'
// backs (rebuild, rollback, repair, replay, purge), of which one may go on at a
// time under one index prefix. It is a document in an index of its own, which is
// made where it is missing.
//
// No clocks are compared. A lock that stands is watched: when it changes, somebody
// renews it, and the error is a *LockedError; when it stays the same for the whole
// of its holder's TTL, it is taken over. So the call may last that long. Give the
// lock back by [Lock.Release].
func (c *Client) Lock(ctx context.Context, request LockRequest) (*Lock, error) {
	if request.TTL == 0 {
		request.TTL = lockTTL
	}
	mine := newLockDocument(request)
	var watched lockEntry
	var since time.Time
	for {
		found, err := c.readLock(ctx)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		switch {
		case !found.held || found.same(watched) && began.Sub(since) >= found.ttl(request.TTL):
			taken, err := c.writeLock(ctx, found, mine)
			if err == nil {
				return hold(ctx, c, taken, request, began), nil
			}
			if !isConflict(err) {
				return nil, fmt.Errorf("take the lock: %w", err)
			}
			continue // somebody was faster
		case !watched.held:
			watched, since = found, began
			if request.Waiting != nil {
				request.Waiting(found.Owner, found.ttl(request.TTL))
			}
		case !found.same(watched):
			return nil, &LockedError{found.holder()}
		}
		select {
		case <-time.After(found.ttl(request.TTL) / lockPolls):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// LockHolder returns who has the lock, where there is one. Whether they still live is
// told by Renewal, at a second look. Where OpenSearch can't say, it returns an error.
func (c *Client) LockHolder(ctx context.Context) (h Holder, held bool, err error) {
	found, err := c.readLock(ctx)
	return found.holder(), found.held, err
}

// Watch is LockHolder that finds out whether the holder lives, which takes a good third
// of its TTL at most. Where that fails, or ctx ends before, the error comes beside the
// holder.
func (c *Client) Watch(ctx context.Context) (h Holder, held, alive bool, err error) {
	first, held, err := c.LockHolder(ctx)
	if err != nil || !held {
		return Holder{}, false, false, err
	}
	for end := time.Now().Add(first.TTL/lockRenewals + first.TTL/lockPolls); time.Now().Before(end); {
		select {
		case <-time.After(first.TTL / lockPolls / lockRenewals):
		case <-ctx.Done():
			return first, true, false, context.Cause(ctx)
		}
		now, held, err := c.LockHolder(ctx)
		switch {
		case err != nil:
			return first, true, false, err
		case !held || now.Renewal != first.Renewal:
			return now, held, held, nil
		}
	}
	return first, true, false, nil
}
