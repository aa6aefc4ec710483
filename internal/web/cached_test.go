package web_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/web"
)

func TestCachedAsksOnceForAll(t *testing.T) {
	var asked atomic.Int64
	answer := web.Cached(time.Hour, func(context.Context) int64 { return asked.Add(1) })
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := answer(t.Context()); got != 1 {
				t.Errorf("answer %d, want the first", got)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestCachedAsksAgainAndForgetsWhoWentAway(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	asked := 0
	answer := web.Cached(0, func(ctx context.Context) int {
		if ctx.Err() != nil {
			t.Error("the caller's going away reaches the question")
		}
		asked++
		return asked
	})
	for want := 1; want <= 3; want++ {
		time.Sleep(time.Microsecond) // an answer of this very moment may stand
		if got := answer(gone); got != want {
			t.Errorf("answer %d, want %d", got, want)
		}
	}
}
