package index

import (
	"fmt"
	"math"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
)

// TestScriptIsJoin holds merge.painless equal to document.Join: whatever States
// are written to a document, in whatever order and grouping, its _source is what
// Join makes of all of them, and each write is stale exactly where Join changes
// nothing; so too where creates are tried first.
func TestScriptIsJoin(t *testing.T) {
	client := setUp(t, realConfig(t))
	var round, written int
	rapid.Check(t, func(rt *rapid.T) {
		round++
		histories := rapid.SliceOfN(history(), 40, 60).Draw(rt, "histories")
		written += len(histories)
		ids := make([]string, len(histories))
		states := make([]document.State, len(histories))
		for i, h := range histories {
			ids[i] = fmt.Sprintf("%d/%d", round, i)
			states[i] = h.start(rt)
		}
		putForeign(t, client, ids, histories)
		for step := range maxWrites {
			var actions []Action
			var want []Result
			for i, h := range histories {
				if step >= len(h.writes) {
					continue
				}
				joined := document.Join(states[i], h.writes[step])
				actions = append(actions, Action{Key: document.Key{Entity: document.Post, ID: ids[i]}, State: h.writes[step].Pack()})
				want = append(want, expected(states[i], joined, h.writes[step]))
				states[i] = joined
			}
			writer := NewWriter(client)
			if rapid.Bool().Draw(rt, "by script alone") {
				neverFirst(writer)
			}
			for i, o := range writer.Write(t.Context(), "merge-test", actions) {
				if o.Result != want[i] {
					rt.Fatalf("write %d of %s: want %s, got %+v", step, actions[i].Key, want[i], o)
				}
			}
		}
		sources := stored(t, client, client.names(document.Post).Write, ids)
		for i, id := range ids {
			if diff := cmp.Diff(facts(rt, states[i].AppendSource(nil)), facts(rt, sources[id])); diff != "" {
				rt.Fatalf("document %s, Join (-) and script (+): %s", id, diff)
			}
		}
	})
	t.Logf("%d histories", written)
}

func expected(before, after, write document.State) Result {
	switch {
	case document.Equal(before, after):
		return Stale
	case write.Visible():
		return Written
	}
	return Deleted
}

const maxWrites = 8

// past is what happens to one document.
type past struct {
	foreign string // a document that another program put there first; "" for none
	writes  []document.State
}

func (p past) start(t *rapid.T) document.State {
	if p.foreign == "" {
		return document.State{}
	}
	s, err := document.ParseSource([]byte(p.foreign))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// putForeign indexes the foreign documents as another program would.
func putForeign(t *testing.T, c *Client, ids []string, histories []past) {
	t.Helper()
	var lines strings.Builder
	for i, h := range histories {
		if h.foreign != "" {
			fmt.Fprintf(&lines, "{\"index\":{\"_id\":%q}}\n%s\n", ids[i], h.foreign)
		}
	}
	if lines.Len() > 0 {
		call[any](t, c, http.MethodPost, "/"+c.names(document.Post).Write+"/_bulk", lines.String())
	}
}

// history draws what is written to one document: single events and joins of
// several, repeated and out of order. Versions and times come from so few values
// that ties and near ties are common.
func history() *rapid.Generator[past] {
	foreign := rapid.SampledFrom([]string{"", "", "", "", `{"title":"old","a":{"b":1},"version":7}`, `{"poem":1}`})
	return rapid.Custom(func(t *rapid.T) past {
		p := past{foreign: foreign.Draw(t, "foreign")}
		events := rapid.SliceOfN(event(), 1, 8).Draw(t, "events")
		for _, first := range rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 1, maxWrites).Draw(t, "writes") {
			s := events[first]
			for _, more := range rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 0, 2).Draw(t, "joined") {
				s = document.Join(s, events[more])
			}
			p.writes = append(p.writes, s)
		}
		return p
	})
}

func event() *rapid.Generator[document.State] {
	versions := rapid.SampledFrom([]int64{0, 0, 1, 2, 3, 1 << 40, document.MaxVersion})
	times := rapid.SampledFrom([]int64{-62135596800000000, -1, 0, 1, 1700000000000000, 1700000000000001})
	return rapid.Custom(func(t *rapid.T) document.State {
		version, micros := versions.Draw(t, "version"), times.Draw(t, "time")
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		if kind == 7 { // a digest that ties with the delete of the same version and time
			tie := []document.Field{{Name: "title", Value: []byte(`"tie"`)}}
			return document.Upsert(document.UpsertOrder(version, micros, math.MaxInt64), tie)
		}
		if kind < 2 {
			if rapid.IntRange(0, 5).Draw(t, "final") == 0 {
				version = document.FinalVersion
			}
			return document.Delete(document.DeleteOrder(version, micros), rapid.SampledFrom([]int64{0, 5, 1700000000000}).Draw(t, "deleted at"))
		}
		// The digest follows from the fields, as for real events: the laws of
		// Join need equal orders to mean equal fields.
		fields := rapid.SliceOfNDistinct(field(), 0, 5, func(f document.Field) string { return f.Name }).Draw(t, "fields")
		var data []byte
		for _, f := range fields {
			data = append(append(append(data, f.Name...), 0), f.Value...)
		}
		return document.Upsert(document.UpsertOrder(version, micros, document.Digest(data)), fields)
	})
}

func field() *rapid.Generator[document.Field] {
	text := rapid.Map(rapid.String(), func(s string) string { // handlers refuse what is not UTF-8
		quoted, err := jsontext.AppendQuote(nil, s)
		if err != nil {
			panic(err)
		}
		return string(quoted)
	})
	known := rapid.OneOf(text, rapid.SampledFrom([]string{"null", "7", "true", `"ё 😀 <&>\u2028"`, `["a",1,null]`}))
	free := rapid.OneOf(known, rapid.SampledFrom([]string{
		"123456789012345678901234567890", "-9223372036854775809", "9223372036854775807", "18446744073709551616",
		"0.1", "1e3", "-2.5E-7", "1.7976931348623157e308", "100000000000000000000.5",
		`{"a":{"b":[1,{"c":12345678901234567890}]},"":null}`, "[]", "{}", "[[[]]]", `{"_id":1,"_sync":{"seen":[9,9,9]}}`,
	}))
	names := rapid.SampledFrom([]string{"title", "content", "tags", "a.b", "a", "orders", "поле", "long name", `q"\`})
	return rapid.Custom(func(t *rapid.T) document.Field {
		name := names.Draw(t, "name")
		value := free
		if name == "title" || name == "content" || name == "tags" {
			value = known
		}
		return document.Field{Name: name, Value: []byte(value.Draw(t, "value"))}
	})
}

// facts reads a _source into what has to be equal: the State's orders exactly,
// its values with numbers as numbers, and what only searches read.
func facts(t *rapid.T, source []byte) map[string]string {
	s, err := document.ParseSource(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	out := map[string]string{
		"seen":       fmt.Sprint(s.Seen),
		"floor":      fmt.Sprint(s.Floor),
		"deleted at": fmt.Sprint(s.DeletedAt),
	}
	for _, f := range s.Fields {
		out["field "+f.Name] = fmt.Sprint(canonical(t, jsontext.Value(f.Value)), " at ", f.Order)
	}
	for _, member := range []string{"/version", "/_sync"} {
		out[member] = canonical(t, memberAt(t, source, jsontext.Pointer(member)))
	}
	return out
}

func memberAt(t *rapid.T, source []byte, at jsontext.Pointer) jsontext.Value {
	dec := jsontext.NewDecoder(strings.NewReader(string(source)))
	for {
		if _, err := dec.ReadToken(); err != nil {
			t.Fatalf("%s has no %s: %v", source, at, err)
		}
		if dec.StackPointer() == at {
			value, err := dec.ReadValue()
			if err != nil {
				t.Fatal(err)
			}
			return value.Clone()
		}
	}
}

// canonical returns value in one form for all that mean the same: integers by
// their digits, decimals as doubles, members sorted.
func canonical(t *rapid.T, value jsontext.Value) string {
	if err := value.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false), jsontext.AllowInvalidUTF8(false)); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	var b strings.Builder
	dec := jsontext.NewDecoder(strings.NewReader(string(value)))
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return b.String()
		}
		if tok.Kind() == '0' {
			b.WriteString(number(tok.String()))
		} else {
			b.WriteString(strconv.Quote(tok.String()))
		}
		b.WriteByte(' ')
	}
}

func number(text string) string {
	if whole, ok := new(big.Int).SetString(text, 10); ok && len(text) > 15 {
		return whole.String()
	}
	double, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return strconv.FormatFloat(double, 'g', -1, 64)
}
