package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/search-indexer/search-indexer/internal/progress"
)

// The exit codes of every command.
const (
	exitDone    = 0
	exitFailed  = 1
	exitMisuse  = 2 // wrong usage or settings
	exitDiffers = 3 // verify found differences
)

// failure is how a command ends that did not succeed.
type failure struct {
	err  error  // one problem a line
	code int    // exit code
	next string // what to do about it; may be empty
}

func failed(err error, next string) *failure  { return &failure{err, exitFailed, next} }
func misused(err error, next string) *failure { return &failure{err, exitMisuse, next} }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// complain prints each problem of f as one line, and then what to do next.
func (p *program) complain(f *failure) {
	const red, yellow = "31", "33"
	for line := range strings.Lines(f.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			_, _ = fmt.Fprintf(p.stderr, "%s %s\n", p.paint(red, "error:"), line)
		}
	}
	if f.next != "" {
		_, _ = fmt.Fprintf(p.stderr, "%s %s\n", p.paint(yellow, "next: "), f.next)
	}
}

// warn prints one line that stops nothing.
func (p *program) warn(text string) {
	_, _ = fmt.Fprintf(p.stderr, "%s %s\n", p.paint("33", "warning:"), text)
}

// paint colours text on a terminal that has not declined colours (no-color.org).
func (p *program) paint(colour, text string) string {
	if !isTerminal(p.stderr) || p.env["NO_COLOR"] != "" || p.env["TERM"] == "dumb" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func isTerminal(stream any) bool {
	if _, bar := stream.(*progress.Progress); bar { // see newProgress
		return true
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
