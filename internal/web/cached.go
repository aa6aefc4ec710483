package web

import (
	"context"
	"sync"
	"time"
)

// Cached returns ask with an answer that is asked for anew once it is older than age:
// however many ask at the same time, one answers them all. A caller who goes away
// does not spoil the answer of the others, so ask has to end by itself.
func Cached[T any](age time.Duration, ask func(context.Context) T) func(context.Context) T {
	var mu sync.Mutex
	var answer T
	var asked time.Time
	return func(ctx context.Context) T {
		mu.Lock()
		defer mu.Unlock()
		if asked.IsZero() || time.Since(asked) > age {
			answer = ask(context.WithoutCancel(ctx))
			asked = time.Now()
		}
		return answer
	}
}
