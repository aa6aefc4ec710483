package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// page is docs/performance.md, whose words people write. What was measured stands
// between two lines for each chapter,
//
//	<!-- measured: NAME -->
//	<!-- end of NAME -->
//
// and is written anew by each run of that chapter.
type page struct{ path string }

// check says whether the page has a place for each chapter, which is better known
// before the run than after it.
func (p page) check(chapters []chapter) error {
	if p.path == "" {
		return nil
	}
	text, err := os.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	var missing []error
	for _, c := range chapters {
		if _, err := replaced(string(text), c.name, ""); err != nil {
			missing = append(missing, err)
		}
	}
	return errors.Join(missing...)
}

// write puts what was measured into its place.
func (p page) write(chapter string, m machine, command, measured string) error {
	if p.path == "" {
		return nil
	}
	text, err := os.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	var section strings.Builder
	fmt.Fprintf(&section, "```text\n%s UTC: %s\n", time.Now().UTC().Format("2006-01-02 15:04"), command)
	_ = m.writeText(&section) // to memory
	section.WriteString("\n" + measured + "```\n")
	anew, err := replaced(string(text), chapter, section.String())
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.path, []byte(anew), 0o644); err != nil { // as Git keeps it
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// replaced puts a section between its two lines.
func replaced(text, chapter, section string) (string, error) {
	begin, end := "<!-- measured: "+chapter+" -->\n", "<!-- end of "+chapter+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("the page has no place for %s: it needs the lines %q and %q", chapter, strings.TrimSpace(begin), end)
	}
	return before + begin + section + end + after, nil
}
