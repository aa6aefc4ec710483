package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// width is what the output fits into, in columns.
const width = 80

const margin = "    "

// page writes the story. It counts characters as one column each, which holds for
// what the samples show.
type page struct {
	out      io.Writer
	coloured bool
	steps    int
	ticks    int
	crosses  int
}

// newPage returns a page with colours where it is a terminal that has not declined
// them (no-color.org).
func newPage(out *os.File) *page {
	coloured := term.IsTerminal(int(out.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &page{out: out, coloured: coloured}
}

const (
	bold  = "1"
	faint = "2"
	red   = "1;31"
	green = "32"
)

func (p *page) paint(colour, text string) string {
	if !p.coloured {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p *page) print(line string) { _, _ = fmt.Fprintln(p.out, strings.TrimRight(line, " ")) }

func (p *page) gap() { p.print("") }

// heading begins a numbered step.
func (p *page) heading(title string) {
	p.steps++
	p.gap()
	p.print(p.paint(bold, fmt.Sprintf("%2d  %s", p.steps, title)))
}

// say writes prose, wrapped.
func (p *page) say(format string, args ...any) {
	for _, line := range wrap(fmt.Sprintf(format, args...), width-len(margin)) {
		p.print(margin + line)
	}
}

// check writes what is claimed with a tick, or with a cross and the problem.
func (p *page) check(claim, problem string) {
	mark := p.paint(green, "✓")
	if problem == "" {
		p.ticks++
	} else {
		p.crosses++
		mark = p.paint(red, "✗")
	}
	p.marked(mark, claim)
	if problem != "" {
		p.marked(" ", "but "+strings.ReplaceAll(problem, "\n", "; "))
	}
}

// marked writes a text with something in front of its first line.
func (p *page) marked(mark, text string) {
	for _, line := range wrap(text, width-len(margin)-2) {
		p.print(margin + mark + " " + line)
		mark = " "
	}
}

// stop says why the story can't go on.
func (p *page) stop(err error) {
	p.crosses++
	for i, line := range strings.Split(err.Error(), "\n") {
		mark := " "
		if i == 0 {
			mark = p.paint(red, "✗")
		}
		p.marked(mark, line)
	}
}

// table writes rows under a heading, each column as wide as it is told, the last
// as wide as the page.
func (p *page) table(widths []int, rows ...[]string) {
	for i, row := range rows {
		left := width - len(margin)
		var line strings.Builder
		for column, cell := range row {
			room := left
			if column < len(widths) {
				room = widths[column]
			}
			left -= room + 2
			cell = cut(cell, room)
			line.WriteString(cell + strings.Repeat(" ", room-utf8.RuneCountInString(cell)+2))
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			text = p.paint(faint, text)
		}
		p.print(margin + text)
	}
}

// ending says how it went and how to go on.
func (p *page) ending(took time.Duration, logs string) {
	p.gap()
	total := p.ticks + p.crosses
	if p.crosses > 0 {
		p.print(p.paint(red, fmt.Sprintf("%d of %d checks failed, in %.1f s.", p.crosses, total, took.Seconds())))
		p.print("The worker's log: " + logs + "/run.log")
		p.print("Beside it stand those of setup and produce.")
		return
	}
	p.print(p.paint(bold, fmt.Sprintf("All %d checks hold, in %.1f s.", total, took.Seconds())))
	p.print("Go on:  make test   proves it: thousands of documents, faults, several workers")
	p.print("        make down   stops Kafka, OpenSearch and Redis")
	p.print("        README.md and docs/ explain; bin/indexer --help lists the commands")
}

// cut shortens a text to one line of so many characters.
func cut(text string, room int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= room {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:room-1]), " ") + "…"
}

// wrap breaks a text between words into lines of so many characters. One that fits
// keeps its spaces, which may be there to align it.
func wrap(text string, room int) []string {
	if utf8.RuneCountInString(text) <= room {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
