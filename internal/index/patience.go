package index

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	patience    = time.Minute
	longestWait = 5 * time.Second // between two tries, so that there are some
)

// Patiently asks OpenSearch again, for up to a minute, while it can't serve just now
// (see [Passes]). It is for what may be asked twice.
func Patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = longestWait
	return backoff.Retry(ctx, func() (T, error) {
		answer, err := ask()
		if err != nil && !Passes(err) {
			err = backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(patience))
}
