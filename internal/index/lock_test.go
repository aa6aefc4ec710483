package index

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testTTL leaves a loaded machine time to renew.
const testTTL = 4 * time.Second

func lock(t *testing.T, c *Client, command string) (*Lock, error) {
	t.Helper()
	l, err := c.Lock(t.Context(), LockRequest{Command: command, TTL: testTTL})
	if err == nil {
		t.Cleanup(func() { _ = l.Release(t.Context()) })
	}
	return l, err
}

func mustLock(t *testing.T, c *Client, command string) *Lock {
	t.Helper()
	l, err := lock(t, c, command)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// forsake stops the renewals of a lock, as the death of its process does.
func forsake(l *Lock) {
	l.end(context.Canceled)
	l.expiry.Stop()
	l.renewals.Wait()
}

func TestLockIsHeldByOne(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	if _, held, err := client.LockHolder(t.Context()); held || err != nil {
		t.Fatalf("before the first lock: held %v, %v", held, err)
	}
	first := mustLock(t, client, "rebuild")

	var refusal *LockedError
	if _, err := lock(t, client, "purge"); !errors.As(err, &refusal) || refusal.Command != "rebuild" || refusal.Owner != first.document.Owner {
		t.Fatalf("a second lock: %v", err)
	}
	holder, held, err := client.LockHolder(t.Context())
	if holder != refusal.Holder || !held || err != nil || time.Since(holder.Since) > time.Hour {
		t.Errorf("holder %+v, held %v, %v", holder, held, err)
	}
	if err := first.Context().Err(); err != nil {
		t.Errorf("the holder's context has ended: %v", err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first.Context().Err() == nil || first.Check(t.Context()) == nil {
		t.Error("released, but its context goes on")
	}
	mustLock(t, client, "purge")
}

// TestLockRace: of many who take a lock that never was, or that was forsaken, one
// has it. On a machine too slow to renew in time it may lose it to another.
func TestLockRace(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	for _, round := range []string{"never was", "forsaken"} {
		var takers sync.WaitGroup
		var mu sync.Mutex
		var winner *Lock
		for i := range 8 {
			takers.Go(func() {
				l, err := client.Lock(t.Context(), LockRequest{Command: strconv.Itoa(i), TTL: testTTL})
				var refusal *LockedError
				if err != nil {
					if !errors.As(err, &refusal) {
						t.Errorf("%s: %v", round, err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if winner != nil && winner.Context().Err() == nil {
					t.Errorf("%s: two have the lock", round)
				}
				winner = l
			})
		}
		takers.Wait()
		if winner == nil {
			t.Fatalf("%s: nobody has the lock", round)
		}
		forsake(winner)
	}
}

// TestLockTellsProgress: each renewal writes how far its holder is.
func TestLockTellsProgress(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	now := Progress{Phase: "load posts", Done: 7, Total: -1, Unit: "documents", PerSecond: 1.5, SecondsLeft: -1}
	held, err := client.Lock(t.Context(), LockRequest{Command: "rebuild", TTL: testTTL, Progress: func() Progress { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if holder, _, err := client.LockHolder(t.Context()); err != nil || holder.Progress != now {
		t.Errorf("%+v, %v", holder.Progress, err)
	}
	if err := held.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWatch tells a holder who lives from one who died, and from none.
func TestWatch(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	l := mustLock(t, client, "rebuild")
	holder, held, alive, err := client.Watch(t.Context())
	if err != nil || !held || !alive || holder.Owner != l.document.Owner || holder.TTL != testTTL {
		t.Errorf("while it is renewed: %+v, held %v, alive %v, %v", holder, held, alive, err)
	}
	forsake(l)
	if holder, held, alive, err := client.Watch(t.Context()); err != nil || !held || alive || holder.Owner != l.document.Owner {
		t.Errorf("forsaken: %+v, held %v, alive %v, %v", holder, held, alive, err)
	}
	short, cancel := context.WithTimeout(t.Context(), testTTL/lockPolls)
	defer cancel()
	if holder, held, _, err := client.Watch(short); err == nil || !held || holder.Owner != l.document.Owner {
		t.Errorf("in too short a time: %+v, held %v, %v", holder, held, err)
	}
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, held, alive, err := client.Watch(t.Context()); err != nil || held || alive {
		t.Errorf("released: held %v, alive %v, %v", held, alive, err)
	}
}

// TestWatchThatBreaksOff tells who has the lock although later looks fail.
func TestWatchThatBreaksOff(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	server := newFakeServer(t, func(w http.ResponseWriter, body string) {
		if looks.Add(1) > 1 {
			refuse(http.StatusServiceUnavailable, "{}")(w, body)
			return
		}
		_, _ = io.WriteString(w, `{"docs":[{"found":true,"_seq_no":1,"_primary_term":1,"_source":{"owner":"me","expires_in":0.1}}]}`)
	})
	holder, held, alive, err := mustClient(t, server.config()).Watch(t.Context())
	if err == nil || !held || alive || holder.Owner != "me" {
		t.Errorf("%+v, held %v, alive %v, %v", holder, held, alive, err)
	}
}

func TestForsakenLockIsTakenOver(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	dead := mustLock(t, client, "rebuild")
	forsake(dead)
	var waited []string
	began := time.Now()
	next, err := client.Lock(t.Context(), LockRequest{Command: "purge", TTL: testTTL, Waiting: func(owner string, upTo time.Duration) {
		if upTo != testTTL {
			t.Errorf("waiting for up to %s", upTo)
		}
		waited = append(waited, owner)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < testTTL {
		t.Errorf("taken over after %s, before the lock had expired", took)
	}
	if len(waited) != 1 || waited[0] != dead.document.Owner {
		t.Errorf("waiting for %v", waited)
	}
	// The first was only asleep. It must not give back what is another's.
	if err := dead.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if err := next.Check(t.Context()); err != nil {
		t.Errorf("the new holder: %v", err)
	}
	if err := next.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLockIsLost: whichever way another comes to have it, the holder's work ends.
func TestLockIsLost(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, c *Client, at string){
		"taken over": func(t *testing.T, c *Client, at string) {
			call[any](t, c, http.MethodPut, at+"/_doc/exclusive", `{"owner":"another","command":"purge","since":"2026-01-02T03:04:05Z","expires_in":30}`)
		},
		"removed":       func(t *testing.T, c *Client, at string) { call[any](t, c, http.MethodDelete, at+"/_doc/exclusive", "") },
		"index removed": func(t *testing.T, c *Client, at string) { call[any](t, c, http.MethodDelete, at, "") },
		"silent server": func(t *testing.T, c *Client, at string) {
			call[any](t, c, http.MethodPut, at+"/_settings", `{"index.blocks.read_only":true}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := mustClient(t, realConfig(t))
			l := mustLock(t, client, "rebuild")
			spoil(t, client, "/"+client.lockIndex())
			if err := l.Check(t.Context()); err == nil {
				t.Error("it passes as ours")
			}
			select {
			case <-l.Context().Done():
			case <-time.After(time.Minute):
				t.Fatal("the holder's context goes on")
			}
			if cause := context.Cause(l.Context()); !errors.Is(cause, ErrLockLost) {
				t.Errorf("cause %v", cause)
			}
		})
	}
}

// TestRenewalWithoutAnswer: a renewal that was written, but not heard of, keeps the
// lock ours.
func TestRenewalWithoutAnswer(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	l, err := client.Lock(t.Context(), LockRequest{Command: "rebuild"})
	if err != nil {
		t.Fatal(err)
	}
	unheard := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, err := client.writeLock(t.Context(), l.entry, l.document); err != nil {
			t.Fatal(err)
		}
	}
	unheard()
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	forsake(l) // else a renewal may hear of it first
	unheard()
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if holder, held, err := client.LockHolder(t.Context()); held || err != nil {
		t.Errorf("after the release: %+v %v", holder, err)
	}
}

// A cluster that refuses most requests for a while does not make it lost.
func TestLockIsKeptOnABusyCluster(t *testing.T) {
	t.Parallel()
	cfg := realConfig(t)
	target, err := url.Parse(cfg.URLs[0])
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	var requests, renewed atomic.Int64
	var idle atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); n > 4 && n%5 != 0 && !idle.Load() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		if requests.Load() > 4 {
			renewed.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	cfg.URLs = []string{server.URL}
	held := mustLock(t, mustClient(t, cfg), "rebuild")
	for began := time.Now(); renewed.Load() < 2 && time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
		if cause := context.Cause(held.Context()); cause != nil {
			t.Fatalf("after %d requests: %v", requests.Load(), cause)
		}
	}
	idle.Store(true)
	if renewed.Load() < 2 {
		t.Errorf("%d renewals", renewed.Load())
	}
}

func TestLockEndsWithItsParent(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	parent, stop := context.WithCancel(t.Context())
	l, err := client.Lock(parent, LockRequest{Command: "rebuild"})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if cause := context.Cause(l.Context()); !errors.Is(cause, context.Canceled) {
		t.Errorf("cause %v", cause)
	}
	if err := l.Release(parent); err != nil {
		t.Error(err)
	}
	if _, held, err := client.LockHolder(t.Context()); held || err != nil {
		t.Errorf("after the release: held %v, %v", held, err)
	}
}
