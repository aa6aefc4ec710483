package index

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const patience = time.Minute

// Patiently asks OpenSearch again, for up to a minute, while it can't serve just now
// (see [Passes]). It is for what may be asked twice.
func Patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		answer, err := ask()
		if err != nil && !Passes(err) {
			err = backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(patience))
}
