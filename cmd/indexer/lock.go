package main

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/index"
)

// locked does what changes indices as a whole, or documents behind the workers'
// backs, under the lock that all such commands share. The context that do is given
// ends when the lock is lost, which is then the error.
func locked(ctx context.Context, client *index.Client, ttl time.Duration, command string, log zerolog.Logger, do func(context.Context, *index.Lock) error) (err error) {
	lock, err := client.Lock(ctx, index.LockRequest{Command: command, TTL: ttl, Waiting: func(owner string, upTo time.Duration) {
		log.Info().Str("owner", owner).Stringer("up_to", upTo).Msg("the indices are locked; finding out whether the owner still lives")
	}})
	if err != nil {
		return err
	}
	ctx = lock.Context()
	defer func() {
		cause := context.Cause(ctx) // Release ends it too
		if errors.Is(cause, index.ErrLockLost) {
			err = cause // of which what do says is but the consequence
		}
		err = errors.Join(err, lock.Release(ctx))
	}()
	return do(ctx, lock)
}
