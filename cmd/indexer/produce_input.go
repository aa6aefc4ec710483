package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"time"

	"github.com/search-indexer/search-indexer/internal/produce"
	"github.com/search-indexer/search-indexer/internal/record"
)

// input is the events that produce publishes.
type input struct {
	records iter.Seq2[*record.Record, error]
	total   int // -1 where it can't be known before the end
	files   []*os.File
}

func (in *input) close() {
	for _, f := range in.files {
		_ = f.Close() // only read from
	}
}

// openInput opens every file before anything is published.
func (p *program) openInput(ctx context.Context, flags produceFlags, paths []string, prefix string) (*input, error) {
	if flags.count > 0 {
		return &input{records: invented(flags, prefix), total: flags.count}, nil
	}
	source := produce.Source{Name: "stdin", Prefix: prefix, Topic: flags.topic}
	if len(paths) == 0 || len(paths) == 1 && paths[0] == "-" {
		if isTerminal(p.stdin) {
			_, _ = fmt.Fprintln(p.stderr, "reading events from the terminal, one a line; end with Ctrl-D")
		}
		return &input{records: source.Records(until(ctx, p.stdin)), total: -1}, nil
	}
	in := &input{}
	var wrong []error
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		in.files = append(in.files, f)
	}
	if wrong != nil {
		in.close()
		return nil, failed(errors.Join(wrong...), "nothing was published")
	}
	in.total = countLines(in.files)
	in.records = func(yield func(*record.Record, error) bool) {
		for _, f := range in.files {
			source.Name = f.Name()
			for rec, err := range source.Records(f) {
				if !yield(rec, err) {
					return
				}
			}
		}
	}
	return in, nil
}

// until returns r up to the end of ctx. A read that waits for a silent pipe or
// terminal can't be interrupted itself, so another goroutine waits in it.
func until(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err) // nil is the end of the input
	}()
	return out
}

// countLines returns the lines of all files, for the estimate of the time left,
// or -1 where one can't be read twice.
func countLines(files []*os.File) int {
	total := 0
	buffer := make([]byte, 1<<20)
	for _, f := range files {
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return -1
		}
		for {
			n, err := f.Read(buffer)
			total += bytes.Count(buffer[:n], []byte("\n"))
			if err != nil {
				break // a real one comes again when the events are read
			}
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return -1
		}
	}
	return total
}

// invented returns the events of --count.
func invented(flags produceFlags, prefix string) iter.Seq2[*record.Record, error] {
	v := produce.Invention{Seed: flags.seed, Count: flags.count, Prefix: prefix, Now: time.Now}
	if flags.seeded {
		now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
		v.Now = func() time.Time { now = now.Add(time.Millisecond); return now }
	} else {
		v.Seed = rand.Uint64() //nolint:gosec // to differ, not to be secret
	}
	return v.Records()
}
