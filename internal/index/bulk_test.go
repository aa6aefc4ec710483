package index

import (
	"bytes"
	"os"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

func testAliases() map[document.Entity]string {
	return map[document.Entity]string{document.Post: "eu-posts-write", document.Artist: "eu-artists-write"}
}

func testActions() []Action {
	return []Action{
		post("1", 2, `{"title":"Ёлка \u2028 <b>&</b>","tags":["a","b"],"a.b":null}`),
		{Key: document.Key{Entity: document.Artist, ID: "a \"quoted\"\n/ id ё"}, State: created(0, `{"name":"Кино","listeners":123456789012345678901234567890}`).Pack()},
		deleted("2", 7),
		post("3", 1, `{}`),
	}
}

func encode(actions []Action, lines encoding) *body {
	return (&Client{bodies: make(spareBodies, 1)}).encode(actions, lines)
}

func TestEncodeGolden(t *testing.T) {
	got := encode(testActions(), updates(testAliases(), "search-indexer-merge-0123456789ab")).bytes()
	want, err := os.ReadFile("testdata/bulk.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("bulk request, want (-) and got (+):\n%s", diff)
	}
}

func TestEncodedLinesAreJSON(t *testing.T) {
	lines := bytes.Split(encode(testActions(), updates(testAliases(), "x")).bytes(), []byte("\n"))
	if want := 2*len(testActions()) + 1; len(lines) != want {
		t.Fatalf("%d lines, want %d (the last empty)", len(lines), want)
	}
	for _, line := range lines[:len(lines)-1] {
		if value := jsontext.Value(line); !value.IsValid() {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestPartsOfARequestAreItsBytes(t *testing.T) {
	whole := encode(testActions(), updates(testAliases(), "x"))
	var joined []byte
	for i := range whole.count() {
		one := whole.part(i, i+1)
		if one.count() != 1 {
			t.Fatalf("part has %d actions", one.count())
		}
		joined = append(joined, one.bytes()...)
	}
	if diff := cmp.Diff(string(whole.bytes()), string(joined)); diff != "" {
		t.Errorf("whole (-), parts (+):\n%s", diff)
	}
	if diff := cmp.Diff(string(whole.part(1, 3).bytes()), string(whole.part(1, 4).part(0, 2).bytes())); diff != "" {
		t.Errorf("part (-), part of a part (+):\n%s", diff)
	}
}
