package handlers

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sampleLine is one line of testdata/events: what `indexer produce` publishes.
type sampleLine struct {
	Topic       string            `json:"topic"`
	Key         string            `json:"key"`
	Headers     map[string]string `json:"headers"`
	Value       jsontext.Value    `json:"value"`
	ValueText   *string           `json:"value_text"`
	ValueBase64 *string           `json:"value_base64"`
	EventType   string            `json:"event_type"` // of a line that is an event itself
}

// sample is the record of one line of testdata/events.
type sample struct {
	file string
	line int
	*record.Record
}

func samples(t testing.TB) []sample {
	t.Helper()
	files, err := filepath.Glob("../../testdata/events/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	var all []sample
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			all = append(all, sample{file: filepath.Base(file), line: i + 1, Record: readSample(t, line, i)})
		}
	}
	return all
}

func readSample(t testing.TB, line []byte, offset int) *record.Record {
	t.Helper()
	var s sampleLine
	if err := json.Unmarshal(line, &s); err != nil {
		t.Fatalf("line %d: %v", offset+1, err)
	}
	r := &record.Record{Partition: record.Partition{Topic: s.Topic}, Offset: int64(offset), Timestamp: recordTime, Key: []byte(s.Key), Value: s.Value}
	for key, value := range s.Headers {
		r.Headers = append(r.Headers, record.Header{Key: key, Value: []byte(value)})
	}
	switch {
	case s.ValueText != nil:
		r.Value = []byte(*s.ValueText)
	case s.ValueBase64 != nil:
		value, err := base64.StdEncoding.DecodeString(*s.ValueBase64)
		if err != nil {
			t.Fatalf("line %d: %v", offset+1, err)
		}
		r.Value = value
	case s.Value == nil:
		r.Topic, r.Value = s.EventType, line
	}
	return r
}

// golden is what one sample becomes.
type golden struct {
	Line          int            `json:"line"`
	EventID       string         `json:"event_id"`
	CorrelationID string         `json:"correlation_id,omitempty"`
	Type          string         `json:"type,omitempty"`
	Document      string         `json:"document,omitempty"`
	Source        jsontext.Value `json:"source,omitempty"`
	Digest        string         `json:"digest,omitempty"`
	Reason        Reason         `json:"reason,omitempty"`
	Detail        string         `json:"detail,omitempty"`
}

// TestSamples compares every sample with testdata/golden; -update writes it anew.
func TestSamples(t *testing.T) {
	mux := NewMux("")
	decoded := make(map[string][]byte)
	for _, s := range samples(t) {
		event, change, rejection := mux.Decode(s.Record)
		g := golden{Line: s.line, EventID: event.ID, CorrelationID: event.CorrelationID, Type: event.Type}
		if rejection != nil {
			g.Reason, g.Detail = rejection.Reason, rejection.Detail
		} else {
			g.Document, g.Source, g.Digest = change.String(), change.State.AppendSource(nil), hex.EncodeToString(change.Digest[:])
		}
		line, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		decoded[s.file] = append(append(decoded[s.file], line...), '\n')
	}
	for file, got := range decoded {
		path := filepath.Join("..", "..", "testdata", "golden", file)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// TestSamplesHoldWhatTheDemoShows keeps the cases that the demonstration needs
// from being edited away.
func TestSamplesHoldWhatTheDemoShows(t *testing.T) {
	mux := NewMux("")
	var got []string
	show := func(what string) {
		if !slices.Contains(got, what) {
			got = append(got, what)
		}
	}
	last := make(map[string]Change)
	for _, s := range samples(t) {
		event, change, rejection := mux.Decode(s.Record)
		if rejection != nil {
			show(string(rejection.Reason))
			continue
		}
		show(event.Type)
		before, known := last[change.String()]
		state := change.State.Unpack()
		switch {
		case known && before.Digest == change.Digest:
			show("duplicate")
		case known && state.Floor.IsZero() && before.State.Head().Floor.Above(state.Seen):
			show("late create after a delete")
		case known && state.Floor.IsZero() && !before.State.Head().Floor.IsZero():
			show("restore")
		case known && before.State.Head().Seen.Above(state.Seen) && state.Floor.IsZero():
			show("late stale update")
		}
		if !bytes.Contains(s.Value, []byte(`"data"`)) {
			show("bare payload")
		}
		last[change.String()] = change
	}
	want := []string{
		"artist.created", "artist.deleted", "artist.updated", "bare payload", "duplicate", "invalid_field", "invalid_json",
		"late create after a delete", "late stale update", "post.created", "post.deleted", "post.updated", "restore",
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the samples show (-want +got):\n%s", diff)
	}
}
