package produce

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/search-indexer/search-indexer/internal/record"
)

// maxLine is the longest line that is read, in bytes: far above what Kafka takes
// by default (1 MiB), so that a record too large for it can still be tried.
const maxLine = 64 << 20

// LineError says which line of which input is wrong.
type LineError struct {
	Input string
	Line  int // from 1
	Err   error
}

// Error returns "input:line: what is wrong".
func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.Input, e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// InputError says that an input cannot be read any further.
type InputError struct {
	Input string
	Line  int // from 1, where reading stopped
	Err   error
}

// Error returns "input:line: why".
func (e *InputError) Error() string { return fmt.Sprintf("%s:%d: %v", e.Input, e.Line, e.Err) }

// Unwrap returns why.
func (e *InputError) Unwrap() error { return e.Err }

// Source is NDJSON to be published.
type Source struct {
	Name   string // for errors, such as the file's path
	Prefix string // goes in front of every topic
	Topic  string // of events that name none; where set it goes before event_type
}

// Records yields a record for each line of r, and a *[LineError] in its place
// where a line is wrong; reading goes on after it. Blank lines are none. An
// *[InputError] ends the sequence.
func (s Source) Records(r io.Reader) iter.Seq2[*record.Record, error] {
	return func(yield func(*record.Record, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		n := 0
		for lines.Scan() {
			n++
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			rec, err := parseLine(line, s.Prefix, s.Topic)
			if err != nil {
				err = &LineError{s.Name, n, err}
			}
			if !yield(rec, err) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(nil, &InputError{s.Name, n + 1, fmt.Errorf("the line is longer than %d MiB", maxLine>>20)})
		case err != nil:
			yield(nil, &InputError{s.Name, n + 1, fmt.Errorf("read: %w", err)})
		}
	}
}
