package document_test

import (
	"fmt"
	"testing"

	"github.com/search-indexer/search-indexer/internal/document"
)

// benchmarkState is a post of 13 fields, or what an event of version sets of it.
func benchmarkState(version int64, names ...string) document.State {
	if len(names) == 0 {
		names = []string{"title", "content", "summary", "slug", "author_id", "artist_id", "status", "language", "tags",
			"created_at", "updated_at", "published_at", "rating", "post_id"}
	}
	fields := make([]document.Field, len(names))
	for i, name := range names {
		fields[i] = document.Field{Name: name, Value: fmt.Appendf(nil, `"%s of version %d, of usual length"`, name, version)}
	}
	return document.Upsert(document.UpsertOrder(version, version*1_000_000, version), fields)
}

func BenchmarkJoin(b *testing.B) {
	full := benchmarkState(1)
	deleted := document.Delete(document.DeleteOrder(3, 3_000_000), 3000)
	for _, c := range []struct {
		name string
		with document.State
	}{
		{"title", benchmarkState(2, "post_id", "title")},
		{"newer", benchmarkState(2)},
		{"older", benchmarkState(0)},
		{"deleted", deleted},
		{"nothing", document.State{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				document.Join(full, c.with)
			}
		})
	}
}

func BenchmarkAppendSource(b *testing.B) {
	full := benchmarkState(1)
	for _, c := range []struct {
		name  string
		state document.State
	}{
		{"full", full},
		{"updated", document.Join(full, benchmarkState(2, "post_id", "title"))},
	} {
		b.Run(c.name, func(b *testing.B) {
			var source []byte
			b.ReportAllocs()
			for b.Loop() {
				source = c.state.AppendSource(source[:0])
			}
		})
	}
}

// BenchmarkBinary writes and reads a state as a rebuild does for each event.
func BenchmarkBinary(b *testing.B) {
	full := benchmarkState(1)
	var encoded []byte
	b.ReportAllocs()
	for b.Loop() {
		encoded = full.AppendBinary(encoded[:0])
		if _, err := document.ParseBinary(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpsert(b *testing.B) {
	names := []string{"post_id", "title", "content", "summary", "slug", "author_id", "artist_id", "status", "language", "tags",
		"rating", "created_at", "updated_at", "published_at"}
	fields := make([]document.Field, len(names))
	for i, name := range names {
		fields[i] = document.Field{Name: name, Value: []byte("1")}
	}
	b.ReportAllocs()
	for b.Loop() {
		document.Upsert(document.UpsertOrder(1, 2, 3), fields)
	}
}
