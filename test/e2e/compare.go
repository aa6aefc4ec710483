package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Stored is a document as it stands in the index.
type Stored struct {
	Source map[string]any // numbers as json.Number
	Found  bool           // a search through the read alias finds it
}

// Snapshot is all that stands in the indices, tombstones too.
type Snapshot map[Key]Stored

// Compare names every way in which got is not what it must be, sorted.
func Compare(want map[Key]Document, got Snapshot) []string {
	var differences []string
	differ := func(k Key, format string, args ...any) {
		differences = append(differences, k.String()+": "+fmt.Sprintf(format, args...))
	}
	for k, document := range want {
		stored, ok := got[k]
		if !ok {
			differ(k, "is missing (want visible=%v version=%d)", document.Visible, document.Version)
			continue
		}
		for _, d := range compareDocument(document, stored) {
			differ(k, "%s", d)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			differ(k, "stands in the index, but no event made it")
		}
	}
	slices.Sort(differences)
	return differences
}

func compareDocument(want Document, got Stored) []string {
	var differences []string
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	if want.Visible != got.Found {
		differ("visible: want %v, got %v", want.Visible, got.Found)
	}
	if !Same(json.Number(fmt.Sprint(want.Version)), got.Source["version"]) {
		differ("version: want %d, got %v", want.Version, got.Source["version"])
	}
	sync, _ := got.Source["_sync"].(map[string]any)
	if sync == nil {
		differ("_sync: want an object, got %v", got.Source["_sync"])
	}
	deletedAt, ok := sync["deleted_at"]
	if !ok {
		deletedAt = json.Number("0")
	}
	if !Same(json.Number(fmt.Sprint(want.DeletedAt)), deletedAt) {
		differ("_sync.deleted_at: want %d, got %v", want.DeletedAt, deletedAt)
	}
	for name, values := range want.Fields {
		v, ok := got.Source[name]
		if !ok || !contains(values, v) {
			differ("field %q: want %s, got %s (there: %v)", name, show(values), show(v), ok)
		}
	}
	for name, v := range got.Source {
		if _, ok := want.Fields[name]; !ok && name != "version" && name != "_sync" {
			differ("field %q: want none, got %s", name, show(v))
		}
	}
	return differences
}

// CompareRuns names the documents that are not the same, order of keys and the
// spelling of decimals aside, in two runs over the same events.
func CompareRuns(a, b Snapshot) []string {
	var differences []string
	for k, in := range a {
		other, ok := b[k]
		switch {
		case !ok:
			differences = append(differences, k.String()+": only in the first")
		case in.Found != other.Found || !Same(in.Source, other.Source):
			differences = append(differences, fmt.Sprintf("%s: visible=%v %s, then visible=%v %s", k, in.Found, show(in.Source), other.Found, show(other.Source)))
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			differences = append(differences, k.String()+": only in the second")
		}
	}
	slices.Sort(differences)
	return differences
}

// SameJSON reports whether two JSON texts hold the same value, as [Same] does.
func SameJSON(a, b []byte) (bool, error) {
	var values [2]any
	for i, text := range [][]byte{a, b} {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&values[i]); err != nil {
			return false, fmt.Errorf("read JSON: %w", err)
		}
	}
	return Same(values[0], values[1]), nil
}

// Same reports whether two JSON values are: integers by every digit, decimals
// as doubles, texts by every character.
func Same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && sameNumber(a, n)
	case []any:
		list, ok := b.([]any)
		return ok && slices.EqualFunc(a, list, Same)
	case map[string]any:
		object, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, object, Same)
	}
	switch b.(type) { // what cannot be compared with ==
	case []any, map[string]any:
		return false
	}
	return a == b
}

func sameNumber(a, b json.Number) bool {
	if isInteger(a) && isInteger(b) {
		x, okX := new(big.Int).SetString(a.String(), 10)
		y, okY := new(big.Int).SetString(b.String(), 10)
		return okX && okY && x.Cmp(y) == 0
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	if errX != nil || errY != nil || x != y {
		return false
	}
	// A double holds integers up to 2^53 only. Past that one text is an integer
	// and the other its rounded shadow: a loss, not another spelling.
	return isInteger(a) == isInteger(b) || x < 1<<53 && x > -(1<<53)
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const limit = 200
	if len(text) > limit {
		return string(text[:limit]) + "…"
	}
	return string(text)
}

// Report is up to 20 differences, readable, or "" where there are none.
func Report(what string, differences []string) string {
	if len(differences) == 0 {
		return ""
	}
	const most = 20
	shown := differences[:min(most, len(differences))]
	return fmt.Sprintf("%s: %d differences\n  %s", what, len(differences), strings.Join(shown, "\n  "))
}
