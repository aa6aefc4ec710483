package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/search-indexer/search-indexer/test/e2e"
	"github.com/search-indexer/search-indexer/test/stack"
)

const sampleFolder = "../../testdata/events"

// The demo is checked by its own ticks; this holds the rest of it, and that a
// tick can turn into a cross.
func TestDemo(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", stack.Kafka(t))
	t.Setenv("OPENSEARCH_URLS", stack.OpenSearch(t))
	t.Setenv("REDIS_URL", stack.Redis(t))
	t.Setenv("TMPDIR", t.TempDir()) // for the logs that a failed demo leaves
	indexer := buildIndexer(t)

	t.Run("holds, fits and leaves nothing", func(t *testing.T) {
		text, crosses := watch(t, options{indexer: indexer, samples: sampleFolder})
		if crosses > 0 {
			t.Fatalf("%d crosses:\n%s", crosses, text)
		}
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		nothingLeft(t, regexp.MustCompile(`demo-[0-9a-f]{6}`).FindString(text))
	})
	for _, c := range []struct {
		name, cross string
		options     options
	}{
		{
			"a title is another", "гитару",
			options{indexer: indexer, samples: changedSamples(t, "Как подружиться с гитарой", "Как подружиться с балалайкой")},
		},
		{
			"the late update is the newer one", "unchanged where version 3 has spoken",
			options{indexer: indexer, samples: changedSamples(t, `"version":3,"data":{"post_id":"post-102"`, `"version":1,"data":{"post_id":"post-102"`)},
		},
		{
			"repeats are not remembered", "it ended as: 1 stale",
			options{indexer: wrapped(t, `DEDUP_ENABLED=false exec "$indexer" "$@"`, indexer), samples: sampleFolder},
		},
		{
			"the worker is killed", "`indexer run` has ended (signal: killed)",
			options{indexer: wrapped(t, `[ "$1" != run ] || kill -9 $$; exec "$indexer" "$@"`, indexer), samples: sampleFolder},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, crosses := watch(t, c.options)
			if crosses == 0 || !strings.Contains(text, "✗ "+c.cross) {
				t.Errorf("want a cross at %q, got %d:\n%s", c.cross, crosses, text)
			}
			if !strings.Contains(text, "run.log") {
				t.Errorf("the log is not named:\n%s", text)
			}
		})
	}
}

// watch plays the demo and returns what it shows.
func watch(t *testing.T, o options) (text string, crosses int) {
	t.Helper()
	var out bytes.Buffer
	p := &page{out: &out}
	play(t.Context(), p, o)
	return out.String(), p.crosses
}

func nothingLeft(t *testing.T, name string) {
	t.Helper()
	topics, err := e2e.Broker{Addresses: os.Getenv("KAFKA_BROKERS")}.Topics()
	if err != nil {
		t.Fatal(err)
	}
	for topic := range topics {
		if strings.HasPrefix(topic, name) {
			t.Errorf("topic %s is left", topic)
		}
	}
	url, _, _ := strings.Cut(os.Getenv("OPENSEARCH_URLS"), ",")
	var state struct {
		Metadata struct{ Indices, Templates map[string]any }
	}
	if err := (e2e.Cluster{URL: url}).Do(t.Context(), "GET", "/_cluster/state/metadata/"+name+"*", "", &state); err != nil {
		t.Fatal(err)
	}
	if len(state.Metadata.Indices) > 0 {
		t.Errorf("indices are left: %v", state.Metadata.Indices)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("logs of a demo that held are left: %v %v", left, err)
	}
}

func buildIndexer(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "indexer")
	if out, err := exec.Command("go", "build", "-race", "-o", path, "../../cmd/indexer").CombinedOutput(); err != nil {
		t.Fatalf("build cmd/indexer: %v\n%s", err, out)
	}
	return path
}

// wrapped returns a program that runs shell code with $indexer.
func wrapped(t *testing.T, code, indexer string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "indexer")
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\nindexer='%s'\n%s\n", indexer, code), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// changedSamples returns a copy of the samples with a text replaced.
func changedSamples(t *testing.T, old, other string) string {
	t.Helper()
	folder, changed := t.TempDir(), false
	files, err := filepath.Glob(filepath.Join(sampleFolder, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed = changed || bytes.Contains(text, []byte(old))
		text = bytes.ReplaceAll(text, []byte(old), []byte(other))
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !changed {
		t.Fatalf("the samples don't hold %q", old)
	}
	return folder
}
