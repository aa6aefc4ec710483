package fold

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func open(t testing.TB, dir string) *Fold {
	t.Helper()
	f, err := Open(Config{Dir: dir, Memory: leastMemory})
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
	f := open(t, t.TempDir())
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
	f := open(t, t.TempDir())
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
		Bad:      func(_ *record.Record, why *handlers.Rejection) { bad = append(bad, string(why.Reason)) },
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

// documents is a log of created posts, each of another document.
type documents int

const fill = 2000 // bytes of each

func (n documents) Read(ctx context.Context, _ []stream.Range, fn func(record.Record) error) error {
	content := strings.Repeat("x", fill)
	for i := range int(n) {
		if err := ctx.Err(); err != nil {
			return err
		}
		id := strconv.Itoa(i)
		value := fmt.Appendf(nil, `{"post_id":%q,"content":%q}`, id, content)
		if err := fn(record.Record{Partition: record.Partition{Topic: "post.created"}, Offset: int64(i), Key: []byte(id), Value: value}); err != nil {
			return err
		}
	}
	return nil
}

func TestMemoryIsBoundedWhateverTheNumberOfDocuments(t *testing.T) {
	const count, memory = 75_000, leastMemory
	f := open(t, t.TempDir())
	var peak uint64
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, told := live(), 0
	err := f.Read(t.Context(), documents(count), nil, handlers.NewMux(""), Options{Progress: func(int, int) {
		if told++; told%20 == 0 {
			peak = max(peak, live()-before)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if count*fill < 2*memory || peak == 0 || peak > memory {
		t.Errorf("%d bytes of documents took %d of memory, more than %d", count*fill, peak, memory)
	}
	n := 0
	err = f.Each(t.Context(), document.Post, func(document.Key, document.State) error { n++; return nil })
	if err != nil || n != count {
		t.Errorf("%d documents, %v", n, err)
	}
	if disk := f.Stats().Disk; disk == 0 {
		t.Error("no working file")
	}
}

func TestReadAndEachEndWithAReason(t *testing.T) {
	f := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	err := f.Read(ctx, documents(100_000), nil, handlers.NewMux(""), Options{Progress: func(int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := f.Join([]Entry{{Key: document.Key{Entity: document.Post, ID: "a"}, State: document.Delete(document.DeleteOrder(1, 1), 1)}}); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("enough")
	if err := f.Each(t.Context(), document.Post, func(document.Key, document.State) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("fn's error: %v", err)
	}
	if err := f.Each(ctx, document.Post, func(document.Key, document.State) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, ok, err := f.Get(document.Key{Entity: document.Artist, ID: "a"}); ok || err != nil {
		t.Errorf("of a document that nothing is known of: %v, %v", ok, err)
	}
}
