package pipeline

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/record"
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
				it := &item{record: record.Record{Offset: offset}}
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
