package index

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const releaseWithin = 10 * time.Second

// Lock is held, and renewed by a goroutine of its own, until it is lost or released.
// It is safe for concurrent use.
type Lock struct {
	client   *Client
	ttl      time.Duration
	progress func() Progress // nil where nobody tells
	ctx      context.Context //nolint:containedctx // it is what a Lock hands out
	end      context.CancelCauseFunc
	expiry   *time.Timer // ends ctx a TTL after the last renewal began
	renewals sync.WaitGroup

	mu       sync.Mutex   // held while a request is under way
	document lockDocument // what we write
	entry    lockEntry    // our last write that we know of
}

// hold begins to renew a lock that a request of the time began has written.
func hold(ctx context.Context, c *Client, taken lockEntry, request LockRequest, began time.Time) *Lock {
	l := &Lock{client: c, ttl: request.TTL, progress: request.Progress, document: taken.lockDocument, entry: taken}
	l.ctx, l.end = context.WithCancelCause(ctx)
	l.expiry = time.AfterFunc(l.ttl-time.Since(began), l.expire)
	l.renewals.Go(l.keep)
	return l
}

// expire ends the context as nobody knows whose the lock is by now.
func (l *Lock) expire() {
	l.end(fmt.Errorf("%w: it could not be renewed for %s", ErrLockLost, l.ttl))
}

// Context returns the context for what is done under the lock. It ends with the one
// that the lock was taken with, with Release, or with the cause [ErrLockLost].
func (l *Lock) Context() context.Context { return l.ctx }

// keep renews the lock until its context ends: sooner after a renewal that failed, as
// a cluster that is busy refuses some.
func (l *Lock) keep() {
	for wait := l.ttl / lockRenewals; ; {
		select {
		case <-l.ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = l.ttl / lockRenewals
		if l.Check(l.ctx) != nil { // a failure that matters ends the context
			wait /= lockPolls
		}
	}
}

// Check renews the lock now: nil says that it is ours and stays so for a TTL. Call
// it before what can't be taken back. An error that is not [ErrLockLost] says that
// OpenSearch did not tell.
func (l *Lock) Check(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, l.ttl/lockRenewals)
	defer cancel()
	began := time.Now()
	renewed, err := l.renew(ctx)
	if err != nil {
		return fmt.Errorf("renew the lock: %w", err)
	}
	l.entry = renewed
	if !l.expiry.Reset(l.ttl - time.Since(began)) {
		l.expire() // the answer came too late
		return context.Cause(l.ctx)
	}
	return nil
}

// renew writes the lock anew. An entry that is not our last one may still be ours:
// of a renewal whose answer was lost.
func (l *Lock) renew(ctx context.Context) (lockEntry, error) {
	if l.progress != nil {
		l.document.Progress = l.progress()
	}
	renewed, err := l.client.writeLock(ctx, l.entry, l.document)
	if !isConflict(err) {
		return renewed, err
	}
	found, err := l.client.readLock(ctx)
	switch {
	case err != nil:
		return lockEntry{}, err
	case !found.held:
		l.end(fmt.Errorf("%w: somebody removed it", ErrLockLost))
		return lockEntry{}, context.Cause(l.ctx)
	case found.Owner != l.document.Owner:
		l.end(fmt.Errorf("%w: %s took it for %s", ErrLockLost, found.Owner, found.Command))
		return lockEntry{}, context.Cause(l.ctx)
	}
	return l.client.writeLock(ctx, found, l.document)
}

// Release gives the lock back, also when ctx has ended; it takes 10 s at most. One
// that is lost stays with whoever has it, which is no error.
func (l *Lock) Release(ctx context.Context) error {
	l.end(context.Canceled)
	l.expiry.Stop()
	l.renewals.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := Patiently(ctx, func() (any, error) {
		err := l.client.deleteLock(ctx, l.entry)
		if !isConflict(err) {
			return nil, err
		}
		found, err := l.client.readLock(ctx)
		if err == nil && found.held && found.Owner == l.document.Owner {
			err = l.client.deleteLock(ctx, found)
		}
		return nil, err
	})
	if err != nil && !isMissing(err) {
		return fmt.Errorf("release the lock: %w", err)
	}
	return nil
}
