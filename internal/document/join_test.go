package document_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
)

// event draws one event as a State. The ranges are small on purpose, so that
// equal versions, equal times and true ties are common, and histories hold
// deletes, restores, nulls, events without version and events without fields.
var event = rapid.Custom(func(t *rapid.T) document.State {
	version := rapid.Int64Range(0, 4).Draw(t, "version")
	micros := rapid.Int64Range(-1, 2).Draw(t, "micros")
	if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		if rapid.IntRange(0, 9).Draw(t, "final") == 0 {
			version = document.FinalVersion
		}
		return document.Delete(document.DeleteOrder(version, micros), rapid.Int64Range(-1, 3).Draw(t, "deletedAt"))
	}
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"title", "tags", "a.b", "ё", "\u2028"}), 0, 4, rapid.ID).Draw(t, "names")
	data := ""
	fields := make([]document.Field, 0, len(names))
	for _, name := range names {
		value := rapid.SampledFrom([]string{"null", "1", `"x"`, `{"a":[1,null]}`, "123456789012345678901234567890"}).Draw(t, "value")
		fields = append(fields, document.Field{Name: name, Value: []byte(value)})
		data += fmt.Sprintf("%q:%s,", name, value)
	}
	return document.Upsert(document.UpsertOrder(version, micros, document.Digest([]byte(data))), fields)
})

// history draws the join of up to five events.
var history = rapid.Custom(func(t *rapid.T) document.State {
	var s document.State
	for _, e := range rapid.SliceOfN(event, 0, 5).Draw(t, "events") {
		s = document.Join(s, e)
	}
	return s
})

func same(t *rapid.T, law string, a, b document.State) {
	t.Helper()
	if !document.Equal(a, b) {
		t.Fatalf("%s:\n%s\n%s", law, a, b)
	}
	if diff := cmp.Diff(a.String(), b.String()); diff != "" {
		t.Fatalf("%s: equal states encode differently: %s", law, diff)
	}
}

func TestJoinIsCommutative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := history.Draw(t, "a"), history.Draw(t, "b")
		same(t, "a+b = b+a", document.Join(a, b), document.Join(b, a))
	})
}

func TestJoinIsAssociative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := history.Draw(t, "a"), history.Draw(t, "b"), history.Draw(t, "c")
		same(t, "(a+b)+c = a+(b+c)",
			document.Join(document.Join(a, b), c), document.Join(a, document.Join(b, c)))
	})
}

func TestJoinIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := history.Draw(t, "a"), history.Draw(t, "b")
		same(t, "a+a = a", document.Join(a, a), a)
		same(t, "0+a = a", document.Join(document.State{}, a), a)
		same(t, "(a+b)+b = a+b", document.Join(document.Join(a, b), b), document.Join(a, b))
	})
}

// TestJoinInAnyGrouping joins one history in the order it was drawn and again
// shuffled, with repetitions, in random groups that are joined on their own.
func TestJoinInAnyGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(event, 1, 12).Draw(t, "events")
		var want document.State
		for _, e := range events {
			want = document.Join(want, e)
		}
		again := slices.Concat(events, rapid.SliceOf(rapid.SampledFrom(events)).Draw(t, "repeated"))
		groups := make([]document.State, rapid.IntRange(1, 4).Draw(t, "groups"))
		for _, e := range rapid.Permutation(again).Draw(t, "shuffled") {
			i := rapid.IntRange(0, len(groups)-1).Draw(t, "group")
			groups[i] = document.Join(e, groups[i])
		}
		var got document.State
		for _, g := range groups {
			got = document.Join(got, g)
		}
		same(t, "any grouping", got, want)
	})
}

// TestJoinMatchesItsDefinition compares with the rule as people read it: for
// each field the value of the highest order above the highest delete.
func TestJoinMatchesItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(event, 1, 12).Draw(t, "events")
		var got document.State
		var floor, seen document.Order
		for _, e := range events {
			got = document.Join(got, e)
			if e.Floor.Above(floor) {
				floor = e.Floor
			}
			if e.Seen.Above(seen) {
				seen = e.Seen
			}
		}
		if !seen.Above(floor) {
			seen = document.Order{} // erased like any field
		}
		want := map[string]document.Field{}
		for _, e := range events {
			for _, f := range e.Fields {
				if f.Order.Above(floor) && f.Order.Above(want[f.Name].Order) {
					want[f.Name] = f
				}
			}
		}
		if got.Floor != floor || got.Seen != seen || len(got.Fields) != len(want) {
			t.Fatalf("got %s, want floor %v, seen %v, fields %v", got, floor, seen, want)
		}
		for _, f := range got.Fields {
			if diff := cmp.Diff(want[f.Name], f); diff != "" {
				t.Fatalf("field %q: %s", f.Name, diff)
			}
		}
		if got.Visible() != seen.Above(floor) {
			t.Fatalf("visible = %v with floor %v, seen %v", got.Visible(), floor, seen)
		}
	})
}

func TestSourceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := history.Draw(t, "state")
		got, err := document.ParseSource(want.AppendSource(nil))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "parse(append(a)) = a", got, want)
	})
}

func TestParseSource(t *testing.T) {
	for name, tt := range map[string]struct{ source, want, err string }{
		"foreign document": {`{"title":"x"}`, `{"title":"x","version":0,"_sync":{"format":1}}`, ""},
		"newer format":     {`{"_sync":{"format":2}}`, "", "written by a newer program, update this one: _sync has format 2, this one knows up to 1"},
		"not an object":    {`[]`, "", "document is not a JSON object"},
		"cut":              {`{"title":"x"`, "", "unexpected EOF"},
		"short order":      {`{"_sync":{"seen":[1]}}`, "", "an order has 3 numbers, not 1"},
		"spaces":           {"{ \"a\" : { \"b\" : [ 1 ] } }", `{"a":{"b":[1]},"version":0,"_sync":{"format":1}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := document.ParseSource([]byte(tt.source))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Fatalf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestSourceOfHistories(t *testing.T) {
	field := func(name, value string) document.Field {
		return document.Field{Name: name, Value: []byte(value)}
	}
	created := document.Upsert(document.UpsertOrder(1, 10, 7), []document.Field{field("title", `"a"`), field("body", `"b"`)})
	updated := document.Upsert(document.UpsertOrder(2, 20, 8), []document.Field{field("title", `"c"`)})
	deleted := document.Delete(document.DeleteOrder(3, 30), 1700)
	final := document.Delete(document.DeleteOrder(document.FinalVersion, 40), -1)
	restored := document.Upsert(document.UpsertOrder(4, 40, 9), []document.Field{field("title", `"d"`)})

	for name, tt := range map[string]struct {
		events []document.State
		want   string
	}{
		"partial update keeps the other field and its order": {
			[]document.State{created, updated},
			`{"body":"b","title":"c","version":2,"_sync":{"format":1,"seen":[2,20,8],"orders":{"body":[1,10,7]}}}`,
		},
		"delete erases and leaves a tombstone": {
			[]document.State{created, updated, deleted},
			`{"version":3,"_sync":{"format":1,"floor":[3,30,9223372036854775807],"deleted_at":1700,"deleted":true}}`,
		},
		"restore brings only its own fields": {
			[]document.State{restored, deleted, created},
			`{"title":"d","version":4,"_sync":{"format":1,"seen":[4,40,9],"floor":[3,30,9223372036854775807],"deleted_at":1700}}`,
		},
		"a delete without version is final": {
			[]document.State{final, restored},
			fmt.Sprintf(`{"version":0,"_sync":{"format":1,"floor":[%d,40,%[1]d],"deleted_at":0,"deleted":true}}`, math.MaxInt64),
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got document.State
			for _, e := range tt.events {
				got = document.Join(got, e)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A field of equal order and another value is no event's: somebody has altered it.
// Which value Join takes must not hang on what else the States hold.
func TestJoinTakesTheFirstOfATie(t *testing.T) {
	state := func(fields ...document.Field) document.State {
		return document.Upsert(document.UpsertOrder(1, 10, 7), fields)
	}
	title, altered := document.Field{Name: "title", Value: []byte(`"a"`)}, document.Field{Name: "title", Value: []byte(`"x"`)}
	more := document.Field{Name: "body", Value: []byte("1")}
	for name, tt := range map[string]struct{ a, b document.State }{
		"alone":            {state(title), state(altered)},
		"more in one":      {state(title, more), state(altered)},
		"more in another":  {state(title), state(altered, more)},
		"under a deletion": {document.Join(state(title), document.Delete(document.DeleteOrder(0, 1), 1)), state(altered)},
	} {
		for _, f := range document.Join(tt.a, tt.b).Fields {
			if f.Name == "title" && string(f.Value) != `"a"` {
				t.Errorf("%s: the title is %s", name, f.Value)
			}
		}
	}
}
