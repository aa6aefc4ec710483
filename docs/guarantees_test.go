// Package docs_test holds the documentation to the code.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that guarantees.md names is there, and so is every command of make.
func TestGuaranteesNameWhatExists(t *testing.T) {
	page, err := os.ReadFile("guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	known := tests(t)
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(page), -1)
	for _, name := range named {
		if !known[name] {
			t.Errorf("guarantees.md names %s, which does not exist", name)
		}
	}
	for _, target := range regexp.MustCompile("make ([a-z-]+)").FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(string(makefile), "\n"+target[1]+":") {
			t.Errorf("guarantees.md names make %s, which does not exist", target[1])
		}
	}
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
}

// tests returns the names of all tests and fuzz targets.
func tests(t *testing.T) map[string]bool {
	known := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
			known[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
