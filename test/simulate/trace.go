package simulate

import (
	"fmt"
	"hash/fnv"
	"io"
	"time"
)

// trace says what happens. Without a reader it only keeps a fingerprint, of which
// two runs of a seed must have the same; a run that failed is repeated with one.
type trace struct {
	out io.Writer // nil where nobody reads
	sum uint64
}

// tail is how many lines are kept for who sees only the end.
const tail = 80

func (t *trace) say(at time.Duration, who, format string, args ...any) {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %d %s %s", t.sum, at, who, format)
	t.sum = h.Sum64()
	if t.out == nil {
		return
	}
	line := fmt.Sprintf("%11.4fs  %-9s %s\n", at.Seconds(), who, fmt.Sprintf(format, args...))
	_, _ = io.WriteString(t.out, line)
}

// ending is a writer that remembers the last lines written to it.
type ending struct{ lines []string }

func (e *ending) Write(line []byte) (int, error) {
	if len(e.lines) == tail {
		e.lines = e.lines[1:]
	}
	e.lines = append(e.lines, string(line))
	return len(line), nil
}
