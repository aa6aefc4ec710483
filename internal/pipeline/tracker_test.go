package pipeline

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestTrackerNeverPassesAnUnendedRecord ends records in any order, with holes
// between offsets, and compares with a plain search for the first open one.
func TestTrackerNeverPassesAnUnendedRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.Int64Range(0, 5).Draw(t, "start")
		tr := newTracker(offset)
		type entry struct {
			number, offset int64
			ended          bool
		}
		var all []*entry
		want := offset
		steps := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 60).Draw(t, "steps")
		for _, step := range steps {
			if step == 0 || len(all) == 0 {
				offset += rapid.Int64Range(0, 2).Draw(t, "hole")
				it := &item{offset: offset}
				all = append(all, &entry{number: tr.begin(it), offset: offset})
				offset++
				continue
			}
			e := all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
			if !e.ended {
				e.ended = true
				tr.end(e.number)
			}
			for _, e := range all {
				if !e.ended {
					break
				}
				want = e.offset + 1
			}
			if got, _ := tr.taken(); got != want {
				t.Fatalf("position %d, want %d", got, want)
			}
		}
	})
}

// FuzzTracker reads each byte as one step: a record begins, behind a hole or none,
// or one of those under way ends.
func FuzzTracker(f *testing.F) {
	f.Add([]byte{0, 2, 4, 5, 3, 1})
	f.Add([]byte{4, 1, 4, 4, 4, 7, 5, 3, 1, 0, 1})
	f.Fuzz(func(t *testing.T, steps []byte) {
		const start = 3
		offset := int64(start)
		tr := newTracker(start)
		type entry struct {
			item   *item
			number int64
		}
		var open []entry // in offset order
		var last int64   // the offset after all that have begun
		for _, step := range steps {
			which := int(step >> 1)
			wasNext, _ := tr.taken()
			if step&1 == 0 || len(open) == 0 {
				it := &item{offset: offset + int64(which%3)}
				open = append(open, entry{it, tr.begin(it)})
				last = it.offset + 1
				offset = last
			} else {
				which %= len(open)
				tr.end(open[which].number)
				open = slices.Delete(open, which, which+1)
			}
			next, moved := tr.taken()
			if moved != (next != wasNext) {
				t.Fatalf("from %d to %d, moved: %v", wasNext, next, moved)
			}
			if len(open) == 0 {
				if tr.oldest() != nil || next != last {
					t.Fatalf("all have ended; position %d, want %d", next, last)
				}
				continue
			}
			if oldest := open[0].item; tr.oldest() != oldest || next > oldest.offset || next < wasNext {
				t.Fatalf("position %d passes the record at %d", next, oldest.offset)
			}
		}
	})
}
