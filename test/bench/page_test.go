package main

import "testing"

func TestPageReplacesOneSection(t *testing.T) {
	const old = "words\n<!-- measured: stub -->\nold\n<!-- end of stub -->\nmore\n<!-- measured: rates -->\nkept\n<!-- end of rates -->\n"
	const want = "words\n<!-- measured: stub -->\nnew\n<!-- end of stub -->\nmore\n<!-- measured: rates -->\nkept\n<!-- end of rates -->\n"
	got, err := replaced(old, "stub", "new\n")
	if err != nil || got != want {
		t.Errorf("%q, %v\nwant %q", got, err, want)
	}
	for _, text := range []string{"", "<!-- measured: stub -->\n", "<!-- end of stub -->"} {
		if got, err := replaced(text, "stub", "new\n"); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}
