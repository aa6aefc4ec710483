package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// Deletes of before this moment may have been purged.
const expired = 1000

// drawEvent draws one event. Few versions and times make events meet; the digest is
// that of the contents, as it is of real ones.
func drawEvent(t *rapid.T) document.State {
	version, micros := rapid.Int64Range(0, 3).Draw(t, "version"), rapid.Int64Range(1, 3).Draw(t, "micros")
	if rapid.IntRange(0, 4).Draw(t, "kind") == 0 {
		return document.Delete(document.DeleteOrder(version, micros), rapid.SampledFrom([]int64{10, 20, 2000, 3000}).Draw(t, "deleted at"))
	}
	var fields []document.Field
	text := ""
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"title", "tags", "n"}), 0, 3, rapid.ID[string]).Draw(t, "names") {
		value := rapid.SampledFrom([]string{"1", "1.50", "1e3", `"\u0041"`, `{"b":1,"a":[2,3]}`, "null"}).Draw(t, "value")
		fields = append(fields, document.Field{Name: name, Value: []byte(value)})
		text += name + value
	}
	return document.Upsert(document.UpsertOrder(version, micros, document.Digest([]byte(text))), fields)
}

// respell writes a source as OpenSearch's script does: the same in other words.
func respell(source []byte) []byte {
	return []byte(strings.NewReplacer("1.50", "1.5", "1e3", "1000.0", `\u0041`, "A", `{"b":1,"a":[2,3]}`, `{ "a":[2,3], "b":1 }`).Replace(string(source)))
}

// storedAs is a State as an index gives it back.
func storedAs(t *rapid.T, state document.State) index.Stored {
	if state.IsZero() {
		return index.Stored{}
	}
	source := state.AppendSource(nil)
	if rapid.Bool().Draw(t, "written by the script") {
		source = respell(source)
	}
	return storedSource(source)
}

func storedSource(source []byte) index.Stored {
	s := index.Stored{Found: true, Source: source}
	s.State, s.Err = document.ParseSource(source)
	return s
}

// world is what has been published for one document.
type world struct {
	committed, tail, letters []document.State
}

func drawWorld(t *rapid.T) world {
	event := rapid.Custom(drawEvent)
	return world{
		committed: rapid.SliceOfN(event, 0, 5).Draw(t, "committed"),
		tail:      rapid.SliceOfN(event, 0, 3).Draw(t, "tail"),
		letters:   rapid.SliceOfN(event, 0, 2).Draw(t, "letters"),
	}
}

func some(t *rapid.T, events []document.State) []document.State {
	return slices.DeleteFunc(slices.Clone(events), func(document.State) bool { return rapid.Bool().Draw(t, "left out") })
}

func join(events ...document.State) (all document.State) {
	for _, e := range events {
		all = document.Join(all, e)
	}
	return all
}

// suspectOf is the document with all that is known of it.
func (w world) suspectOf(stored index.Stored) *suspect {
	s := &suspect{Stored: stored, folded: join(w.committed...), letter: len(w.letters) > 0}
	for _, e := range w.tail {
		s.consider(e, false, expired)
	}
	for _, e := range w.letters {
		s.consider(e, true, expired)
	}
	return s
}

// Whatever of the tail and the letters has been written, in whatever order, nothing
// is wrong.
func TestWhatMayHaveBeenWrittenIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		state := join(slices.Concat(w.committed, some(t, w.tail), some(t, w.letters))...)
		s := w.suspectOf(storedAs(t, state))
		if class, fields := (rule{true, expired}).judge(s); class != Right {
			t.Fatalf("%s %v, though it is %s", class, fields, state)
		}
	})
}

// A tombstone of long ago may be purged at any time after its events; what comes
// later begins anew.
func TestPurgedTombstonesAreRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.committed = append(w.committed, document.Delete(document.DeleteOrder(9, 9), expired-1))
		for i, e := range w.committed {
			w.committed[i].DeletedAt = min(e.DeletedAt, expired-1)
		}
		state := join(w.committed...)
		s := w.suspectOf(storedAs(t, join(some(t, w.tail)...)))
		if class, fields := (rule{true, expired}).judge(s); class != Right {
			t.Fatalf("%s %v, though %s was purged before %s", class, fields, state, s.Source)
		}
	})
}

// Of a log that was cut, what it does not know any more is right.
func TestACutLogFindsNothingWrongInWhatItDoesNotKnow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		gone := rapid.SliceOfN(rapid.Custom(drawEvent), 0, 4).Draw(t, "gone")
		state := join(slices.Concat(gone, w.committed, some(t, w.tail))...)
		s := w.suspectOf(storedAs(t, state))
		if class, fields := (rule{false, expired}).judge(s); class != Right && class != Unknown {
			t.Fatalf("%s %v, though it is %s with %v gone", class, fields, state, gone)
		}
	})
}

// Any single alteration of a document is found, and mended by what mended returns.
func TestEveryAlterationIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		state := join(slices.Concat(w.committed, some(t, w.tail))...)
		right := storedAs(t, state)
		altered := alter(t, right)
		s := w.suspectOf(altered)
		r := rule{true, expired}
		class, fields := r.judge(s)
		if class == Right {
			t.Fatalf("%s was altered to %s, which is not found", right.Source, altered.Source)
		}
		if class != Orphaned && class != Undeleted && class != Missing && len(fields) == 0 {
			t.Fatalf("%s without a field", class)
		}
		after := index.Stored{}
		if want := r.mended(s); !want.IsZero() {
			after = storedSource(want.AppendSource(nil))
		}
		if class, fields := r.judge(w.suspectOf(after)); class != Right {
			t.Fatalf("mended to %s, which is %s %v", after.Source, class, fields)
		}
	})
}

// alter changes a document in a way that no event can.
func alter(t *rapid.T, s index.Stored) index.Stored {
	if !s.Found {
		return storedSource([]byte(`{"title":"made up","version":7,"_sync":{"format":1,"seen":[7,7,7]}}`))
	}
	text := string(s.Source)
	ways := []string{
		strings.Replace(text, `"version":`, `"version":9`, 1),
		strings.Replace(text, "{", `{"extra":1,`, 1),
		strings.Replace(text, `"format":1`, `"format":1,"more":true`, 1),
		strings.Replace(text, `"_sync":{`, `"_other":{`, 1),
		strings.Replace(text, `"deleted":true`, `"deleted":false`, 1),
		"not an object",
	}
	for i := range s.State.Fields {
		f := s.State.Fields[i]
		other := s.State
		other.Fields = slices.Clone(s.State.Fields)
		other.Fields[i].Value = []byte(`"altered"`)
		ways = append(ways, string(other.AppendSource(nil)))
		other.Fields[i].Value, other.Fields[i].Order.Digest = f.Value, 77
		ways = append(ways, string(other.AppendSource(nil)))
	}
	ways = slices.DeleteFunc(ways, func(way string) bool { return way == text })
	return storedSource([]byte(rapid.SampledFrom(ways).Draw(t, "altered")))
}

func upsert(version int64, name, value string) document.State {
	return document.Upsert(document.UpsertOrder(version, version, document.Digest([]byte(value))), []document.Field{{Name: name, Value: []byte(value)}})
}

func in(states ...document.State) index.Stored {
	return storedSource(join(states...).AppendSource(nil))
}

// What a document becomes by a repair.
func TestMended(t *testing.T) {
	first, second, third := upsert(1, "title", `"a"`), upsert(2, "summary", `"b"`), upsert(3, "slug", `"c"`)
	gone := document.Delete(document.DeleteOrder(4, 4), expired-1)
	altered := storedSource([]byte(strings.Replace(string(join(first, third).AppendSource(nil)), `"a"`, `"x"`, 1)))
	for name, c := range map[string]struct {
		world  world
		stored index.Stored
		want   document.State
	}{
		// A worker may have written it since the commits, and will not do so again.
		"with all that was published": {world{committed: []document.State{first}, tail: []document.State{second}}, index.Stored{}, join(first, second)},
		"without what was refused":    {world{committed: []document.State{first}, letters: []document.State{second}}, index.Stored{}, first},
		"with a letter that it holds": {world{committed: []document.State{first}, letters: []document.State{third}}, altered, join(first, third)},
		"no tombstone of long ago":    {world{committed: []document.State{first, gone}}, in(first), document.State{}},
		"no orphan":                   {world{}, in(first), document.State{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (rule{true, expired}).mended(c.world.suspectOf(c.stored)); !document.Equal(got, c.want) {
				t.Errorf("want %s, got %s", c.want, got)
			}
		})
	}
}

// What a repair would take away is told from what it would but put right.
func TestDoubtful(t *testing.T) {
	first, second := upsert(1, "title", `"a"`), upsert(2, "summary", `"b"`)
	gone := document.Delete(document.DeleteOrder(4, 4), expired+1)
	for name, c := range map[string]struct {
		committed []document.State
		stored    index.Stored
		want      bool
	}{
		"missing":                  {[]document.State{first}, index.Stored{}, false},
		"stale":                    {[]document.State{first, second}, in(first), false},
		"altered at its own order": {[]document.State{first}, storedSource([]byte(strings.Replace(string(first.AppendSource(nil)), `"a"`, `"x"`, 1))), false},
		"an event too many":        {[]document.State{first}, in(first, second), true},
		"a delete too many":        {[]document.State{first}, in(first, gone), true},
		"orphaned":                 {nil, in(first), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (rule{true, expired}).isDoubtful(world{committed: c.committed}.suspectOf(c.stored)); got != c.want {
				t.Errorf("want %v, got %v", c.want, got)
			}
		})
	}
}

// Also of a cut log, a member at the order of an event that it has is that event's.
func TestACutLogKnowsItsOwnEvents(t *testing.T) {
	first, second := upsert(2, "title", `"a"`), upsert(3, "summary", `"b"`)
	older := upsert(1, "slug", `"c"`)
	w := world{committed: []document.State{first, second}}
	text := string(join(older, first, second).AppendSource(nil))
	for name, c := range map[string]struct {
		text string
		want Class
	}{
		"with what is gone":   {text, Right},
		"another value":       {strings.Replace(text, `"a"`, `"x"`, 1), Differing},
		"a member of its own": {strings.Replace(text, "{", `{"extra":1,`, 1), Differing},
		"without an event":    {string(join(older, first).AppendSource(nil)), Stale},
		"nothing known of it": {"", Missing},
	} {
		t.Run(name, func(t *testing.T) {
			stored := index.Stored{}
			if c.text != "" {
				stored = storedSource([]byte(c.text))
			}
			if class, fields := (rule{false, expired}).judge(w.suspectOf(stored)); class != c.want {
				t.Errorf("want %q, got %q %v", c.want, class, fields)
			}
		})
	}
}

func TestClasses(t *testing.T) {
	const young, old = 5000, 10
	first, second := upsert(1, "title", `"a"`), upsert(2, "summary", `"b"`)
	gone := document.Delete(document.DeleteOrder(3, 3), young)
	goneLongAgo := document.Delete(document.DeleteOrder(3, 3), old)
	other := storedSource([]byte(strings.Replace(string(first.AppendSource(nil)), `"a"`, `"x"`, 1)))
	for name, c := range map[string]struct {
		world  world
		stored index.Stored
		want   Class
		fields string
	}{
		"missing":             {world{committed: []document.State{first}}, index.Stored{}, Missing, "[]"},
		"not committed yet":   {world{tail: []document.State{first}}, index.Stored{}, Right, "[]"},
		"dead letter":         {world{committed: []document.State{first}, letters: []document.State{second}}, in(first), Right, "[]"},
		"stale":               {world{committed: []document.State{first, second}}, in(first), Stale, "[summary version]"},
		"altered":             {world{committed: []document.State{first}}, other, Differing, "[title]"},
		"stale and altered":   {world{committed: []document.State{first, second}}, other, Differing, "[summary title version]"},
		"unreadable":          {world{committed: []document.State{first}}, storedSource([]byte(`{"_sync":7}`)), Differing, "[title version]"},
		"orphaned":            {world{}, in(first), Orphaned, "[]"},
		"tombstone lost":      {world{committed: []document.State{first, gone}}, index.Stored{}, Undeleted, "[]"},
		"contents put back":   {world{committed: []document.State{first, gone}}, storedSource([]byte(strings.Replace(string(gone.AppendSource(nil)), "{", `{"title":"a",`, 1))), Differing, "[title]"},
		"still found":         {world{committed: []document.State{first, gone}}, in(first), Undeleted, "[]"},
		"tombstone purged":    {world{committed: []document.State{first, goneLongAgo}}, index.Stored{}, Right, "[]"},
		"tombstone of old":    {world{committed: []document.State{first, goneLongAgo}}, in(first, goneLongAgo), Right, "[]"},
		"found in spite":      {world{committed: []document.State{first, goneLongAgo}}, in(first), Undeleted, "[]"},
		"made again":          {world{committed: []document.State{first, goneLongAgo, upsert(4, "title", `"c"`)}}, in(upsert(4, "title", `"c"`)), Right, "[]"},
		"purge not committed": {world{committed: []document.State{first}, tail: []document.State{goneLongAgo}}, index.Stored{}, Right, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			class, fields := rule{true, expired}.judge(c.world.suspectOf(c.stored))
			if class != c.want || fmt.Sprint(fields) != c.fields {
				t.Errorf("want %q %s, got %q %v", c.want, c.fields, class, fields)
			}
		})
	}
}
