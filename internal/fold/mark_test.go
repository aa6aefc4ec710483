package fold

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

func TestEachUnmarkedLeavesOutWhatIsMarked(t *testing.T) {
	f := open(t, t.TempDir())
	state := document.Upsert(document.Order{Version: 1}, nil)
	for i := range 10 {
		for _, entity := range []document.Entity{document.Artist, document.Post} {
			if err := f.Join([]Entry{{document.Key{Entity: entity, ID: fmt.Sprintf("%02d", i)}, state}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	unmarked := func() (ids []string) {
		err := f.EachUnmarked(t.Context(), document.Post, func(key document.Key, s document.State) error {
			if key.Entity != document.Post || !document.Equal(s, state) {
				t.Errorf("%s is %s", key, s)
			}
			ids = append(ids, key.ID)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	// Marked are the first, the last, two in a row, one of the other entity and some
	// that the fold does not know.
	marks := []document.Key{{Entity: document.Artist, ID: "07"}}
	for _, id := range []string{"", "00", "03", "04", "045", "09", "99"} {
		marks = append(marks, document.Key{Entity: document.Post, ID: id})
	}
	if err := f.Mark(marks); err != nil {
		t.Fatal(err)
	}
	if err := f.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"01", "02", "05", "06", "07", "08"}, unmarked()); diff != "" {
		t.Error(diff)
	}
	if n := len(all(t, f, document.Post)); n != 10 {
		t.Errorf("with marks the fold has %d documents", n)
	}
	if err := f.Unmark(); err != nil {
		t.Fatal(err)
	}
	if ids := unmarked(); len(ids) != 10 {
		t.Errorf("once the marks are forgotten, %q have none", ids)
	}
}
