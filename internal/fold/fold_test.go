package fold

import (
	"context"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func open(t testing.TB, memory int) *Fold {
	t.Helper()
	f, err := Open(Config{Dir: t.TempDir(), Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// all returns what f knows of an entity.
func all(t testing.TB, f *Fold, entity document.Entity) map[document.Key]document.State {
	t.Helper()
	states := map[document.Key]document.State{}
	last := ""
	err := f.Each(t.Context(), entity, func(key document.Key, s document.State) error {
		if key.ID <= last && last != "" {
			t.Errorf("%s comes after %q", key, last)
		}
		last = key.ID
		states[key] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return states
}

func TestAFoldIsTheJoinOfAllWhateverTheChunks(t *testing.T) {
	f := open(t, leastMemory)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		want := map[document.Key]document.State{}
		for range rapid.IntRange(1, 6).Draw(t, "chunks") {
			var entries []Entry
			for range rapid.IntRange(0, 8).Draw(t, "events") {
				key := document.Key{Entity: document.Post, ID: fmt.Sprintf("%d-%d", run, rapid.IntRange(0, 3).Draw(t, "id"))}
				s := drawEvent(t)
				want[key] = document.Join(s, want[key])
				entries = append(entries, Entry{Key: key, State: s})
			}
			if err := f.Join(entries); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(t, "flush") == 0 {
				if err := f.db.Flush(); err != nil { // merges what is in a file
					t.Fatal(err)
				}
			}
		}
		for key, s := range want {
			if got, ok, err := f.Get(key); !ok || err != nil || !document.Equal(got, s) {
				t.Fatalf("%s: %v, %v: got\n%s\nwant\n%s", key, ok, err, got, s)
			}
		}
	})
	if err := f.db.Compact(t.Context(), []byte{0}, []byte{255}, true); err != nil {
		t.Fatal(err)
	}
	if n := len(all(t, f, document.Post)); n == 0 {
		t.Error("nothing is there after all files were merged")
	}
}

func drawEvent(t *rapid.T) document.State {
	version, micros := rapid.Int64Range(0, 4).Draw(t, "version"), rapid.Int64Range(-1, 2).Draw(t, "micros")
	if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		return document.Delete(document.DeleteOrder(version, micros), rapid.Int64Range(0, 3).Draw(t, "deletedAt"))
	}
	var fields []document.Field
	for _, name := range []string{"title", "tags", "ё"} {
		if value := rapid.SampledFrom([]string{"", "null", "1", `{"a":[1]}`}).Draw(t, name); value != "" {
			fields = append(fields, document.Field{Name: name, Value: []byte(value)})
		}
	}
	return document.Upsert(document.UpsertOrder(version, micros, document.Digest(fmt.Appendf(nil, "%v", fields))), fields)
}

// lines is a log of one partition.
type lines []string

func (l lines) Read(ctx context.Context, _ []stream.Range, fn func(record.Record) error) error {
	for i, line := range l {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := record.Record{Partition: record.Partition{Topic: "post.updated"}, Offset: int64(i), Key: []byte{byte(i)}, Value: []byte(line)}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func TestReadCountsWhatItLeavesOut(t *testing.T) {
	f := open(t, leastMemory)
	log := lines{
		`{"post_id":"a","version":1,"title":"A"}`,
		`{"post_id":"a","version":2,"status":"ok"}`,
		`{"event_type":"artist.updated","data":{"artist_id":"x","name":"X"}}`,
		`{"event_type":"artist.updated","data":{}}`,
		`{"post_id":"b","version":"2"}`,
		`not JSON`,
		`{"event_type":"post.hidden","data":{}}`,
		`{"post_id":"skipped"}`,
	}
	var bad []string
	told := 0
	err := f.Read(t.Context(), log, nil, handlers.NewMux(""), Options{
		Only:     []document.Entity{document.Post},
		Skip:     func(r *record.Record) bool { return r.Offset == 7 },
		Bad:      func(r *record.Record, why *handlers.Rejection) { bad = append(bad, string(why.Reason)) },
		Progress: func(records, _ int) { told += records },
	})
	if err != nil {
		t.Fatal(err)
	}
	got := f.Stats()
	got.Bytes, got.Disk = 0, 0
	if want := (Stats{Records: 8, Events: 2, Bad: 3, Skipped: 1, Other: 2}); got != want || told != 8 || len(bad) != 3 {
		t.Errorf("got %+v, told of %d, bad %v; want %+v", got, told, bad, want)
	}
	posts := all(t, f, document.Post)
	if a := posts[document.Key{Entity: document.Post, ID: "a"}]; len(posts) != 1 || len(a.Fields) != 3 {
		t.Errorf("posts: %v", posts)
	}
	if artists := all(t, f, document.Artist); len(artists) > 0 {
		t.Errorf("artists: %v", artists)
	}
}

func TestTheWorkingFilesArePrivateAndGoAway(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(Config{Dir: dir, Memory: leastMemory})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(f.scratch.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	other, err := Open(Config{Dir: dir, Memory: leastMemory}) // must not sweep the first away
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.scratch.path); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
