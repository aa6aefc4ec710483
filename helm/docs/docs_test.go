package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDerivedFilesAreUpToDate holds README and schema to values.yaml and
// docs/configuration.md.
func TestDerivedFilesAreUpToDate(t *testing.T) {
	files, err := derive("..")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is out of date: make docs (-want +got)\n%s", path, diff)
		}
	}
}

// TestEverySettingIsReachable holds that each setting of the program has one place in
// the chart: config, files or a value of its own.
func TestEverySettingIsReachable(t *testing.T) {
	page, err := os.ReadFile("../" + settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	all := settings(string(page))
	if rows := strings.Count(string(page), "\n| `"); len(all) != rows {
		t.Fatalf("%d settings read of %d rows", len(all), rows)
	}
	schema, err := complete("    \"settings\": {\n      1\n    },\n    \"files\": {\n      1\n    }\n", all)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		name := s.name
		if s.file && name != "REDIS_URL" {
			name += "_FILE"
		}
		if !strings.Contains(schema, `"`+name+`": {`) && givenByChart(s.name) == "" {
			t.Errorf("%s can't be set", s.name)
		}
	}
}

// TestDefaultsOfTemplates holds that where a template has to know a default of the
// program, it knows the right one.
func TestDefaultsOfTemplates(t *testing.T) {
	page, err := os.ReadFile("../" + settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for _, s := range settings(string(page)) {
		defaults[s.name] = s.fallback
	}
	for name, file := range map[string]string{
		"KAFKA_TOPICS": "_helpers.tpl", "SHUTDOWN_TIMEOUT": "_helpers.tpl", "KAFKA_GROUP_ID": "keda.yaml",
		"KAFKA_BROKERS": "keda.yaml", "KAFKA_SECURITY_PROTOCOL": "keda.yaml", "KAFKA_DLQ_TOPIC": "strimzi.yaml",
	} {
		text, err := os.ReadFile("../search-indexer/templates/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if defaults[name] == "" || !strings.Contains(string(text), `"`+defaults[name]+`"`) {
			t.Errorf("%s does not know the default of %s: %q", file, name, defaults[name])
		}
	}
}

func TestDescribe(t *testing.T) {
	got, err := describe([]byte("# About the file.\n\n# -- What a is.\n# And more | of it.\na: [1, x]\nb:\n  # -- Inside.\n  c: {}\n  resources: {limits: {}}\n"))
	want := []entry{
		{"a", "What a is. And more | of it.", `[1,"x"]`},
		{"b.c", "Inside.", "{}"},
		{"b.resources", "What its container asks for, and may take.", `{"limits":{}}`},
	}
	if err != nil || !cmp.Equal(got, want, cmp.AllowUnexported(entry{})) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := describe([]byte("a: 1\nb:\n  c: 2\n")); err == nil || !strings.Contains(err.Error(), "a has no comment\nb.c has no comment") {
		t.Errorf("values without comments: %v", err)
	}
	if !strings.Contains(readme(want), "| `a` | `[1,\"x\"]` | What a is. And more \\| of it. |") {
		t.Error(readme(want))
	}
}

func TestCompleteRefuses(t *testing.T) {
	if _, err := complete("", nil); err == nil || !strings.Contains(err.Error(), "another form") {
		t.Errorf("a page without settings: %v", err)
	}
	if _, err := define("{}", "settings", nil); err == nil || !strings.Contains(err.Error(), "no definition of settings") {
		t.Errorf("a schema without the definition: %v", err)
	}
	if _, err := define("    \"settings\": {\n", "settings", nil); err == nil || !strings.Contains(err.Error(), "no end") {
		t.Errorf("a definition without end: %v", err)
	}
}
