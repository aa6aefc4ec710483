package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/handlers"
)

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		got := indexer(t, nil, "", "completion", shell)
		got.want(t, exitDone)
		if !strings.Contains(got.stdout, "__complete") || got.stderr != "" {
			t.Errorf("%s: no script: %.200s", shell, got.stdout+got.stderr)
		}
	}
	indexer(t, nil, "", "completion").want(t, exitMisuse, "error: ", "--help")
	indexer(t, nil, "", "completion", "tcsh").want(t, exitMisuse, "error: ", "--help")
	script := filepath.Join(t.TempDir(), "indexer.bash")
	if err := os.WriteFile(script, []byte(indexer(t, nil, "", "completion", "bash").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "bash", "-n", script).CombinedOutput(); err != nil {
		t.Errorf("bash does not take its script: %v\n%s", err, out)
	}
}

// What the script asks the program for at a press of Tab, which then picks what fits;
// `:4` is "and no files".
func TestCompletions(t *testing.T) {
	for line, want := range map[string]string{
		"rebuild --entity ":  "post artist :4",
		"dlq list --reason ": strings.Join(letterReasons(), " ") + " :4",
		"dlq p":              "purge :4",
		"completion ":        "bash fish powershell zsh :4",
		"rebuild ":           ":4",
		"produce ":           "ndjson json jsonl :8",
		"help se":            "settings setup :4",
		"help dlq l":         "list :4",
		"help no ":           ":4",
	} {
		got := indexer(t, nil, "", append([]string{"__complete"}, strings.Split(line, " ")...)...)
		var offered []string
		for said := range strings.Lines(got.stdout) {
			value, _, _ := strings.Cut(strings.TrimSpace(said), "\t")
			offered = append(offered, value)
		}
		if strings.Join(offered, " ") != want {
			t.Errorf("%q offers %q, want %q", line, offered, want)
		}
	}
}

func TestEventsTopic(t *testing.T) {
	got := indexer(t, nil, "", "help", "events")
	got.want(t, exitDone)
	page, err := os.ReadFile("../../docs/publishing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range letterReasons() {
		if !strings.Contains(got.stdout, reason) || !strings.Contains(string(page), "| `"+reason+"` |") {
			t.Errorf("%s is not in `indexer help events` or in docs/publishing.md", reason)
		}
	}
	for _, entity := range handlers.Entities() {
		for field := range entity.Fields {
			if !strings.Contains(got.stdout, field) || !strings.Contains(string(page), "`"+field+"`") {
				t.Errorf("%s is not in `indexer help events` or in docs/publishing.md", field)
			}
		}
	}
	for line := range strings.Lines(got.stdout) {
		if len(line) > 90 {
			t.Errorf("%d bytes in a line: %s", len(line), line)
		}
	}
	if top := indexer(t, nil, "", "--help").stdout; !strings.Contains(top, "help topics:") || !strings.Contains(top, "indexer events") || !strings.Contains(top, "indexer settings") {
		t.Errorf("--help lists no topics:\n%s", top)
	}
}
