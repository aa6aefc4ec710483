package progress

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

// screen is a terminal of one line, as far as a bar needs one.
type screen struct{ bytes.Buffer }

// now returns the lines that stand, and what stands behind the last of them.
func (s *screen) now() []string {
	const clearLine, clearRest = "\x1b[2K", "\x1b[0K"
	lines := strings.Split(strings.ReplaceAll(s.String(), clearRest, ""), "\n")
	for i, line := range lines {
		if at := strings.LastIndex(line, clearLine); at >= 0 {
			line = line[at+len(clearLine):]
		}
		if at := strings.LastIndex(line, "\r"); at >= 0 {
			line = line[at+1:]
		}
		lines[i] = line
	}
	return lines
}

func TestABarOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		p := New(Config{Out: &out, Terminal: true})
		defer p.Done()
		p.Phase("folding", 10_000, "events")
		for range 10 {
			time.Sleep(time.Second)
			p.Add(450)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		lines := out.now()
		bar := lines[len(lines)-1]
		for _, part := range []string{" 45% |", "folding: 4,500 of 10,000 events, ", "/s, ", "s left"} {
			if !strings.Contains(bar, part) {
				t.Errorf("no %q in %q", part, bar)
			}
		}
		for _, frame := range strings.Split(out.String(), "\r") {
			if width := utf8.RuneCountInString(strings.ReplaceAll(frame, "\x1b[0K", "")); width > 80 {
				t.Errorf("%d columns: %q", width, frame)
			}
		}

		if _, err := fmt.Fprintln(p, "a warning"); err != nil {
			t.Fatal(err)
		}
		lines = out.now()
		if lines[0] != "a warning" || !strings.Contains(lines[1], "45%") {
			t.Errorf("a line does not stand above the bar: %q", lines)
		}

		p.Phase("loading", -1, "documents")
		p.Add(7)
		time.Sleep(time.Second)
		synctest.Wait()
		lines = out.now()
		if len(lines) != 3 || lines[1] != "folding: 4,500 of 10,000 events, 409/s, took 11s" || !strings.Contains(lines[2], "loading: 7 documents, ") {
			t.Errorf("%q", lines)
		}

		p.Phase("catching up", 0, "events")
		if _, err := fmt.Fprintln(p, "a line meanwhile"); err != nil {
			t.Fatal(err)
		}
		lines = out.now()
		if len(lines) != 4 || strings.Contains(lines[3], "%") {
			t.Errorf("with nothing to do: %q", lines)
		}

		p.Done()
		p.Done()
		if lines = out.now(); len(lines) != 4 || lines[3] != "" {
			t.Errorf("a bar is left: %q", lines)
		}
		if _, err := fmt.Fprintln(p, "the report"); err != nil || out.now()[3] != "the report" {
			t.Errorf("%q, %v", out.now(), err)
		}
	})
}

func TestLinesOfTheLogElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Log: zerolog.New(&out), Every: 2 * time.Second})
		p.Phase("short", 1, "events")
		p.Phase("folding", 1000, "events")
		time.Sleep(time.Second)
		p.Set(100)
		time.Sleep(1001 * time.Millisecond)
		p.Phase("waiting", -1, "partitions")
		time.Sleep(2 * time.Second)
		p.Add(3)
		p.Done()
		p.Phase("after the end", 1, "events")
		time.Sleep(time.Minute)

		type line struct {
			Message     string  `json:"message"`
			Level       string  `json:"level"`
			Unit        string  `json:"unit"`
			Count       int64   `json:"count"`
			Total       int64   `json:"total"`
			PerSecond   float64 `json:"per_second"`
			SecondsLeft int64   `json:"seconds_left"`
			Seconds     float64 `json:"seconds"`
		}
		var got []line
		for text := range strings.Lines(out.String()) {
			var l line
			if err := json.Unmarshal([]byte(text), &l, json.RejectUnknownMembers(true)); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			got = append(got, l)
		}
		if diff := cmp.Diff([]line{
			{Message: "folding", Level: "info", Unit: "events", Count: 100, Total: 1000, PerSecond: 50, SecondsLeft: 18},
			{Message: "folding", Level: "info", Unit: "events", Count: 100, Total: 1000, PerSecond: 49.9, Seconds: 2.001},
			{Message: "waiting", Level: "info", Unit: "partitions"},
		}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A rate that was once high must not hide that nothing goes on any more.
func TestTheRateIsOfLate(t *testing.T) {
	start := time.Unix(0, 0)
	p := newPhase("folding", 1000, "events", start)
	for second := range 10 {
		p.at(int64(50*second), start.Add(time.Duration(second)*time.Second))
	}
	var last Standing
	for second := 10; second < 40; second++ {
		last = p.at(500, start.Add(time.Duration(second)*time.Second))
	}
	if last.PerSecond != 0 || last.SecondsLeft >= 0 || len(p.marks) > 20 {
		t.Errorf("%v a second, %v left, %d marks", last.PerSecond, last.SecondsLeft, len(p.marks))
	}
	if text := last.String(); text != "folding: 500 of 1,000 events, 0/s" {
		t.Error(text)
	}
}

// Others than the terminal and the log may ask too, such as the lock that a rebuild has.
func TestStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Log: zerolog.Nop()})
		if got := p.Standing(); got != (Standing{}) {
			t.Errorf("before the first phase: %+v", got)
		}
		p.Phase("fold", 1000, "events")
		p.Add(250)
		time.Sleep(10 * time.Second)
		if got, want := p.Standing(), (Standing{Phase: "fold", Done: 250, Total: 1000, Unit: "events", PerSecond: 25, SecondsLeft: 30}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		} else if got.String() != "fold: 250 of 1,000 events, 25/s, 30s left" {
			t.Errorf("as a line: %s", got)
		}
		p.Phase("load", -1, "documents")
		p.Add(10)
		if got := p.Standing(); got.Phase != "load" || got.Done != 10 || got.Total != -1 || got.SecondsLeft != -1 {
			t.Errorf("without a total: %+v", got)
		}
		p.Done()
		if got := p.Standing(); got.Phase != "" {
			t.Errorf("after the end: %+v", got)
		}
	})
}

// frozen is a terminal that takes nothing until it is let go, as after Ctrl-S.
type frozen struct{ release chan struct{} }

func (f frozen) Write(text []byte) (int, error) {
	<-f.release
	return len(text), nil
}

// A lock is renewed with what Standing returns: it must not be lost to a terminal.
func TestStandingDoesNotWaitForTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := frozen{make(chan struct{})}
		p := New(Config{Out: out, Terminal: true})
		p.Phase("fold", 1000, "events")
		time.Sleep(time.Second) // a redraw hangs
		p.Add(7)
		synctest.Wait()
		if got := p.Standing(); got.Done != 7 {
			t.Errorf("%+v", got)
		}
		close(out.release)
		p.Done()
	})
}

func TestCountsComeFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		p := New(Config{Out: &out, Terminal: true})
		p.Phase("folding", 4000, "events")
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for i := range 1000 {
					if i == 500 {
						_, _ = fmt.Fprintln(p, "half")
					}
					p.Add(1)
					time.Sleep(time.Millisecond)
				}
			})
		}
		all.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		lines := out.now()
		if len(lines) != 5 || !strings.Contains(lines[4], "100% |") || !strings.Contains(lines[4], "folding: 4,000 events, ") {
			t.Errorf("%q", lines)
		}
		p.Add(1) // more than there was to do is no error
		p.Done()
	})
}
