package handlers

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzCompact holds compact against the library.
func FuzzCompact(f *testing.F) {
	for _, c := range quickCases() {
		f.Add([]byte(c.value))
	}
	f.Add([]byte("\t{ \"a \\\" b\" :\r\n[ 1e3 , \"\\\\\" , \"\\u2028 \" ] }\n"))
	f.Fuzz(func(t *testing.T, value []byte) {
		want := jsontext.Value(bytes.Clone(value))
		if want.Compact() != nil {
			return
		}
		if got := compact(value); !bytes.Equal(got, want) {
			t.Errorf("%s becomes %s, not %s", value, got, want)
		}
	})
}
