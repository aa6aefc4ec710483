package dedup

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"

	"github.com/search-indexer/search-indexer/test/stack"
)

// BenchmarkBatch asks for and marks batches of 1000 fresh entries; the unit is
// one entry.
func BenchmarkBatch(b *testing.B) {
	m, err := New(Config{URL: config.NewSecret(stack.Redis(b)), TTL: time.Minute, Enabled: true}, zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	for done := 0; done < b.N; done += 1000 {
		entries := fresh("benchmark-uuid", 1000)
		m.Seen(b.Context(), entries)
		m.Mark(b.Context(), entries)
	}
}
