package handlers

import (
	"testing"

	"pgregory.net/rapid"
)

// TestWordsAreAMap compares words with what they stand for. Words of few letters
// share many places.
func TestWordsAreAMap(t *testing.T) {
	word := rapid.StringMatching(`[ab_]{1,6}`)
	rapid.Check(t, func(t *rapid.T) {
		known := rapid.MapOf(word, rapid.Int()).Draw(t, "known")
		w := newWords(known)
		for text := range known {
			if found := find(w, text); found == nil || found.word != text || found.value != known[text] {
				t.Fatalf("%q is %v", text, found)
			}
		}
		for _, text := range append(rapid.SliceOf(word).Draw(t, "others"), "") {
			if _, ok := known[text]; ok != (find(w, []byte(text)) != nil) {
				t.Fatalf("%q is found: %v", text, !ok)
			}
		}
	})
}
