package main

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/progress"
)

// locked does what changes indices as a whole, or documents behind the workers'
// backs, under the lock that all such commands share. The context that do is given
// ends when the lock is lost, which is then the error.
func locked(ctx context.Context, client *index.Client, request index.LockRequest, log zerolog.Logger, do func(context.Context, *index.Lock) error) (err error) {
	request.Waiting = func(owner string, upTo time.Duration) {
		log.Info().Str("owner", owner).Stringer("up_to", upTo).Msg("the indices are locked; finding out whether the owner still lives")
	}
	lock, err := client.Lock(ctx, request)
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

// rebuildCommand is what a rebuild calls itself in the lock, be it a rollback or the
// end of an earlier one: each finishes or takes back what is unfinished first.
const rebuildCommand = "rebuild"

// unfinishedText says of each rebuild that is not done whether it goes on, or what is to
// be done about it.
func unfinishedText(unfinished []index.Next, running bool) []string {
	texts := make([]string, len(unfinished))
	for i, next := range unfinished {
		if texts[i] = next.String(); running {
			texts[i] = next.Running()
		}
	}
	return texts
}

// lockRequest asks for the lock in the name of a command that shows how far it is; a
// nil progress where it shows nothing.
func lockRequest(s index.Config, command string, shown *progress.Progress) index.LockRequest {
	request := index.LockRequest{Command: command, TTL: s.LockTTL}
	if shown != nil {
		request.Progress = func() index.Progress { return index.Progress(shown.Standing()) }
	}
	return request
}
