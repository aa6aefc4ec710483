package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/document"
)

// postNames are the fields of a full post, in the order in which `indexer produce`
// writes them.
func postNames() []string {
	return strings.Fields(`post_id title content summary slug author_id artist_id status language tags
		rating created_at updated_at published_at`)
}

// benchmarkState is what an event of version makes of a post.
func benchmarkState(version int64, names ...string) document.State {
	fields := make([]document.Field, len(names))
	for i, name := range names {
		fields[i] = document.Field{Name: name, Value: fmt.Appendf(nil, `"%s of version %d, of usual length"`, name, version)}
	}
	return document.Upsert(document.UpsertOrder(version, version*1_000_000, version), fields)
}

func BenchmarkJoin(b *testing.B) {
	full := benchmarkState(1, postNames()...)
	deleted := document.Delete(document.DeleteOrder(3, 3_000_000), 3000)
	for _, c := range []struct {
		name string
		with document.State
	}{
		{"title", benchmarkState(2, "post_id", "title")},
		{"newer", benchmarkState(2, postNames()...)},
		{"older", benchmarkState(0, postNames()...)},
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
	full := benchmarkState(1, postNames()...)
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
	full := benchmarkState(1, postNames()...)
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
	var fields []document.Field
	for _, name := range postNames() {
		fields = append(fields, document.Field{Name: name, Value: []byte("1")})
	}
	b.ReportAllocs()
	for b.Loop() {
		document.Upsert(document.UpsertOrder(1, 2, 3), fields)
	}
}
