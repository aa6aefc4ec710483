package document_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
)

func TestPackedJoinIsJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := history.Draw(t, "a"), history.Draw(t, "b")
		joined := a.Pack().Join(b.Pack())
		want := document.Join(a, b)
		same(t, "pack(a)+pack(b) = a+b", joined.Unpack(), want)
		if got := string(joined.AppendSource(nil)); got != want.String() {
			t.Fatalf("packed it is written as\n%s\nnot\n%s", got, want)
		}
	})
}

// The way around unpacking is taken where a full version follows another one, and
// its result is the same.
func TestAFullVersionIsJoinedWithoutUnpacking(t *testing.T) {
	version := func(n int64, value string) document.State {
		return document.Upsert(document.UpsertOrder(n, n, n), []document.Field{
			{Name: "title", Value: []byte(value)}, {Name: "tags", Value: []byte("[]")},
		})
	}
	older, newer := version(1, `"a"`).Pack(), version(2, `"b"`).Pack()
	for _, joined := range []document.Packed{older.Join(newer), newer.Join(older)} {
		if &joined[0] != &newer[0] {
			t.Error("made anew")
		}
	}
	if n := testing.AllocsPerRun(10, func() { older.Join(newer) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPackedJoin(b *testing.B) {
	title := func(n int64) document.Packed {
		return document.Upsert(document.UpsertOrder(n, n, n), []document.Field{{Name: "title", Value: []byte(`"b"`)}}).Pack()
	}
	full := func(n int64) document.Packed {
		fields := make([]document.Field, 14)
		for i := range fields {
			fields[i] = document.Field{Name: string(rune('a'+i)) + "_field", Value: make([]byte, 60)}
		}
		return document.Upsert(document.UpsertOrder(n, n, n), fields).Pack()
	}
	for name, pair := range map[string][2]document.Packed{"full": {full(1), full(2)}, "title": {full(1), title(2)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pair[0].Join(pair[1])
			}
		})
	}
	b.Run("pack", func(b *testing.B) {
		s := full(1).Unpack()
		b.ReportAllocs()
		for b.Loop() {
			s.Pack()
		}
	})
	b.Run("unpack", func(b *testing.B) {
		p := full(1)
		b.ReportAllocs()
		for b.Loop() {
			p.Unpack()
		}
	})
}
