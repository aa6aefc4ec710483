package document_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
)

func TestBinaryComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := history.Draw(t, "state")
		encoded := s.AppendBinary([]byte("front"))
		back, err := document.ParseBinary(encoded[len("front"):])
		if err != nil {
			t.Fatal(err)
		}
		same(t, "parse(append(s)) = s", back, s)
		if encoded := encoded[len("front"):]; len(encoded) > 1 {
			if _, err := document.ParseBinary(encoded[:rapid.IntRange(0, len(encoded)-1).Draw(t, "cut")]); err == nil {
				t.Fatal("took a state that was cut off")
			}
		}
	})
}

func FuzzParseBinary(f *testing.F) {
	order := document.UpsertOrder(7, -3, 99)
	s := document.Upsert(order, []document.Field{{Name: "title", Value: []byte(`"x"`)}, {Name: "tags", Value: []byte("null")}})
	f.Add(s.AppendBinary(nil))
	f.Add(document.Join(s, document.Delete(document.DeleteOrder(8, 0), 5)).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		s, err := document.ParseBinary(bytes.Clone(encoded))
		if err != nil {
			return
		}
		back, err := document.ParseBinary(s.AppendBinary(nil))
		if err != nil || !document.Equal(back, s) {
			t.Errorf("%x: %v", encoded, err)
		}
	})
}
