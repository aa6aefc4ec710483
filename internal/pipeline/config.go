package pipeline

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds the work under way.
type Config struct {
	MaxEvents   int           `env:"BATCH_MAX_EVENTS, default=1000" doc:"A bulk request is sent once this many documents wait, and holds at most as many. 1 to 100000."`
	MaxBytes    int           `env:"BATCH_MAX_BYTES, default=3145728" doc:"A bulk request is sent once this many bytes wait, and holds no more unless one document alone is larger. 1024 to 104857600; stay below OpenSearch's http.max_content_length."`
	MaxWait     time.Duration `env:"BATCH_MAX_WAIT, default=20ms" doc:"The longest that an event waits for others before its bulk request is sent. 0s to 1m; it adds to the time until an event is searchable."`
	Concurrency int           `env:"BULK_CONCURRENCY, default=4" doc:"Bulk requests under way at once. 1 to 64. Together with BATCH_MAX_BYTES it bounds the memory (docs/operations.md)."`
	Guard       int           `env:"REJECTION_GUARD, default=100" doc:"Once OpenSearch has refused this many documents of an entity, and more than it took lately, the worker holds that entity back instead of emptying its topics into the dead letters. 0 to 1000000; 0 turns the guard off."`
	Shutdown    time.Duration `env:"SHUTDOWN_TIMEOUT, default=25s" doc:"How long to drain at SIGTERM and when partitions move to another worker; what is not written by then is left uncommitted for the next owner. 1s to 5m; Kubernetes must wait longer than this."`
}

// Validate names every setting that is out of range.
func (c Config) Validate() error {
	return errors.Join(
		within("BATCH_MAX_EVENTS", c.MaxEvents, 1, 100_000),
		within("BATCH_MAX_BYTES", c.MaxBytes, 1024, 100<<20),
		within("BATCH_MAX_WAIT", c.MaxWait, 0, time.Minute),
		within("BULK_CONCURRENCY", c.Concurrency, 1, 64),
		within("REJECTION_GUARD", c.Guard, 0, 1_000_000),
		within("SHUTDOWN_TIMEOUT", c.Shutdown, time.Second, 5*time.Minute),
	)
}

func within[T int | time.Duration](name string, value, low, high T) error {
	if value < low || value > high {
		return fmt.Errorf("%s: is %v, must be from %v to %v", name, value, low, high)
	}
	return nil
}

// budget is the bytes in flight above which no more records are taken: three times what
// all bulk requests may hold, so that twice as much can wait, and be joined, behind them.
func (c Config) budget() int { return 3 * c.Concurrency * c.MaxBytes }

// total is the same with what paused partitions hold.
func (c Config) total() int { return 4 * c.Concurrency * c.MaxBytes }

// Memory is the most bytes that the work under way keeps in memory: records with
// all that was read out of them, and the bodies of requests. Single records larger
// than BATCH_MAX_BYTES come on top, and records of a backlog that are read again because
// OpenSearch refuses them.
func (c Config) Memory() int { return c.total() + c.Concurrency*c.MaxBytes }
