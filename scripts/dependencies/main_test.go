package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPageIsCurrent(t *testing.T) {
	var want bytes.Buffer
	if err := run(&want, "../.."); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/dependencies.md is not current, run `make docs`:\n%s", diff)
	}
	if strings.Contains(want.String(), "unknown") {
		t.Error("a licence is unknown: look at the module, and teach it to module.licence")
	}
}
