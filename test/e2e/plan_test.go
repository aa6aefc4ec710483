package e2e

import (
	"context"
	"testing"
	"time"
)

// plan is the size that the end-to-end tests run at.
func plan(seed uint64) Plan {
	return Plan{Seed: seed, Entities: 5500, Records: 31_000, Partitions: 12, Start: time.Now().Truncate(time.Hour).Add(-10 * 24 * time.Hour)}
}

// contextOutliving is for what a test clears up: t.Context has ended by then.
func contextOutliving(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
