package document_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/search-indexer/search-indexer/internal/document"
)

// choices are the bytes of a fuzzer, each one choice; behind the last all are 0.
type choices []byte

func (c *choices) next() int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b)
}

func (c *choices) of(few ...int64) int64 { return few[c.next()%len(few)] }

// event is one of few events, so that ties, deletes and restores come together.
func (c *choices) event() document.State {
	kind := c.next()
	version := c.of(0, 1, 2, 3, document.MaxVersion)
	micros := c.of(-1, 0, 1, 1717236000000000, math.MinInt64, math.MaxInt64)
	if kind%4 == 0 {
		if kind%16 == 0 {
			version = document.FinalVersion
		}
		return document.Delete(document.DeleteOrder(version, micros), c.of(-1, 0, 1, math.MaxInt64))
	}
	data := ""
	var fields []document.Field
	for i, name := range []string{"title", "tags", "a.b", "ё\u2028"} {
		if kind>>(i+2)&1 == 0 {
			continue
		}
		values := []string{"null", "1", `"x"`, `{"a":[1,null]}`, "123456789012345678901234567890"}
		value := values[c.next()%len(values)]
		fields = append(fields, document.Field{Name: name, Value: []byte(value)})
		data += fmt.Sprintf("%q:%s,", name, value)
	}
	return document.Upsert(document.UpsertOrder(version, micros, document.Digest([]byte(data))), fields)
}

// FuzzJoin spreads events over three states and holds the laws of Join over them.
// That the whole history joined one by one is the same is what they are for.
func FuzzJoin(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0, 4, 1, 1, 0, 1, 0, 2, 2, 3, 2, 60, 1, 1, 2, 1, 0, 4})
	f.Add([]byte{1, 61, 4, 3, 1, 2, 3, 4, 2, 16, 0, 3, 2, 0, 61, 4, 3, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, script []byte) {
		const most = 64
		var parts [3]document.State
		var whole document.State
		c := choices(script)
		for range most {
			if len(c) == 0 {
				break
			}
			part := &parts[c.next()%len(parts)]
			e := c.event()
			*part = document.Join(*part, e)
			whole = document.Join(e, whole)
		}
		a, b, d := parts[0], parts[1], parts[2]
		equal := func(law string, got, want document.State) {
			if !document.Equal(got, want) || got.String() != want.String() {
				t.Fatalf("%s:\n%s\n%s", law, got, want)
			}
		}
		equal("a+b = b+a", document.Join(a, b), document.Join(b, a))
		equal("(a+b)+d = a+(b+d)", document.Join(document.Join(a, b), d), document.Join(a, document.Join(b, d)))
		equal("a+a = a", document.Join(a, a), a)
		equal("0+a = a", document.Join(document.State{}, a), a)
		equal("(a+b)+d = one by one", document.Join(document.Join(a, b), d), whole)
		back, err := document.ParseSource(whole.AppendSource(nil))
		if err != nil {
			t.Fatal(err)
		}
		equal("parse(append(a)) = a", back, whole)
	})
}

// FuzzParseSource reads what might stand in an index, also when somebody else has
// written it. Read once, it is written the same ever after.
func FuzzParseSource(f *testing.F) {
	for _, source := range []string{
		`{"title":"x","a":{"b":[1, 2.50]}}`,
		`{"body":"b","title":"c","version":2,"_sync":{"format":1,"seen":[2,20,8],"orders":{"body":[1,10,7]}}}`,
		`{"version":3,"_sync":{"format":1,"floor":[3,30,9223372036854775807],"deleted_at":1700,"deleted":true}}`,
		`{"title":"d","version":4,"_sync":{"format":1,"seen":[4,40,9],"floor":[3,30,9223372036854775807],"deleted_at":1700}}`,
		`{"_sync":{"format":2}}`, `{"_sync":{"seen":[1]}}`, `{"a":1,"a":2}`, `[]`, `{"\ud800":1}`,
	} {
		f.Add([]byte(source))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		read, err := document.ParseSource(source)
		if err != nil {
			return
		}
		written := read.String()
		again, err := document.ParseSource([]byte(written))
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if again.String() != written {
			t.Fatalf("written as\n%s, then as\n%s", written, again)
		}
		if joined := document.Join(read, document.State{}); joined.Visible() != read.Visible() {
			t.Fatalf("joined with nothing it is visible: %v", joined.Visible())
		}
	})
}
