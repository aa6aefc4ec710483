package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func TestWrongUsageOfDeadLetters(t *testing.T) {
	for args, says := range map[string]string{
		"dlq lits":                           `unknown command "lits"`,
		"dlq list --entity album":            "use post or artist",
		"dlq list --since tomorrow":          "--since",
		"dlq replay --since -5m":             "--since",
		"dlq show":                           "requires at least 1 arg",
		"dlq show 17":                        "PARTITION/OFFSET",
		"dlq replay 3/17 a/b":                "PARTITION/OFFSET",
		"dlq purge --older-than x":           "--older-than",
		"dlq purge --all --reason too_large": "leave out filters",
		"dlq purge --all --older-than 24h":   "leave out filters",
	} {
		t.Run(args, func(t *testing.T) {
			indexer(t, nil, "", strings.Fields(args)...).want(t, exitMisuse, "error: ", says, "--help")
		})
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"90m": now.Add(-90 * time.Minute), "2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		"2026-01-31T01:02:03+01:00": time.Date(2026, 1, 31, 0, 2, 3, 0, time.UTC), "": {},
	} {
		if got, err := moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestWhatPurgeMayTake(t *testing.T) {
	now := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	old, fresh := now.Add(-48*time.Hour), now.Add(-time.Hour)
	open := &dlq.Entry{Reason: "too_large", FailedAt: old}
	recent := &dlq.Entry{Reason: "too_large", FailedAt: fresh}
	done := &dlq.Entry{Reason: "too_large", FailedAt: fresh, Done: now}
	stranger := dlq.Stranger{Timestamp: old.UnixMilli()}
	for name, tt := range map[string]struct {
		flags                        purgeFlags
		open, recent, stranger, asks bool
	}{
		"nothing":        {},
		"age":            {flags: purgeFlags{letterChoice: letterChoice{before: "24h"}}, open: true, stranger: true},
		"reason":         {flags: purgeFlags{letterChoice: letterChoice{reasons: []string{"too_large"}}}, open: true, recent: true, asks: true},
		"another reason": {flags: purgeFlags{letterChoice: letterChoice{reasons: []string{"invalid_id"}}}, asks: true},
		"reason and age": {flags: purgeFlags{letterChoice: letterChoice{reasons: []string{"too_large"}, before: "24h"}}, open: true, asks: true},
		"all":            {flags: purgeFlags{all: true}, open: true, recent: true, stranger: true, asks: true},
	} {
		filter, err := tt.flags.filter(stream.Config{}, now)
		if err != nil {
			t.Fatal(err)
		}
		c := tt.flags.choice(filter)
		got := []bool{c.mayGo(done), c.mayGo(open), c.mayGo(recent), c.strangers(stranger), c.asks}
		if diff := cmp.Diff([]bool{true, tt.open, tt.recent, tt.stranger, tt.asks}, got); diff != "" {
			t.Errorf("%s (replayed, open, recent, stranger, asks): %s", name, diff)
		}
	}
}

// What publishers write must not reach the terminal as commands to it, and long
// names must not break the table.
func TestTheTableIsSafeAndNarrow(t *testing.T) {
	now := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	place := func(topic string, offset int64) dlq.Place {
		return dlq.Place{Partition: record.Partition{Topic: topic, ID: 11}, Offset: offset}
	}
	hostile := &dlq.Entry{
		Name: dlq.Name{Place: place("post.created", 42)}, At: place("dead", 7), Reason: "rejected_by_index\x1b[2J",
		Document: document.Key{Entity: document.Post, ID: "\x1b[31m\u202e\xff" + strings.Repeat("ё", 500)}, FailedAt: now.Add(-90 * time.Second),
	}
	long := &dlq.Entry{
		Name: dlq.Name{Place: place(strings.Repeat("staging-", 20)+"post.created", 1<<40)}, At: place("dead", 1<<40),
		Reason: "unknown_event_type", FailedAt: now.Add(-100 * 24 * time.Hour), Done: now,
	}
	for _, withDone := range []bool{false, true} {
		var out strings.Builder
		if err := printTable(&out, []*dlq.Entry{hostile, long}, now, withDone); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); len([]rune(line)) > 80 || !isPlain([]byte(line)) {
				t.Errorf("%d columns: %q", len([]rune(line)), line)
			}
		}
		for _, part := range []string{"11/7", "1m", "100d", `post/\x1b[31m`, "eated/11/42", "99511627776"} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("no %q in\n%s", part, out.String())
			}
		}
	}
}

func TestBytesAreShownAsTheyAreOrAsHex(t *testing.T) {
	for value, want := range map[string]string{
		"{\"a\":\t\"ё 👩‍🎤\"}\r\n": "text", "": "text", "a\x1b[2J": "hex", "\xff": "hex", "a\rb": "hex", "\u202eabc": "hex", "\u009b31m": "hex",
	} {
		if _, form := plainOrHex([]byte(value)); form != want {
			t.Errorf("%q is shown as %s", value, form)
		}
	}
}
