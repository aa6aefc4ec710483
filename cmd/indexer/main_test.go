package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/config"
)

// outcome is what a run of the program leaves behind.
type outcome struct {
	code           int
	stdout, stderr string
}

func indexer(t *testing.T, env config.Environment, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr runnerLog // a progress display and a log may write at once
	code := run(t.Context(), args, env, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

func (o outcome) want(t *testing.T, code int, stderrSays ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, text := range stderrSays {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("stderr does not say %q", text)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
	}
}

func TestWrongUsageSaysWhatToDo(t *testing.T) {
	for args, says := range map[string]string{
		"prodcue":                       `error: unknown command "prodcue" for "indexer" Did you mean this? produce`,
		"produce --cuont 5":             "error: unknown flag: --cuont\nnext:  use it as \"indexer produce ",
		"forget":                        "next:  use it as \"indexer forget ID [flags]\"; see ",
		"produce --count x":             `"x"`,
		"produce --count -1":            "--count must not be negative",
		"produce --rate -1":             "--rate must not be negative",
		"produce --count 1 file.ndjson": "leave out files",
		"produce --seed 1":              "--seed needs --count",
		"version please":                `"please"`,
		"help nope":                     `there is no help on "nope"`,
		"help produce nope":             `there is no help on "produce nope"`,
		"setup --retention 0s":          "--retention must be 1ms or more",
		"setup --retention -1h":         "--retention must be 1ms or more",
		"setup --partitions 0":          "--partitions must be at least 1",
	} {
		t.Run(args, func(t *testing.T) {
			indexer(t, nil, "", strings.Fields(args)...).want(t, exitMisuse, "error: ", says, "--help")
		})
	}
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	env := config.Environment{
		"KAFKA_BROKERS": "", "KAFKA_BROKER": "x:1", "LOG_LEVEL": "loud", "LOG_FORMAT": "xml",
		"KAFKA_SASL_PASSWORD": "hunter2", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
	}
	got := indexer(t, env, "", "produce", "--count", "1")
	got.want(t, exitMisuse, "error: KAFKA_BROKERS", "error: KAFKA_SASL_MECHANISM", "error: LOG_LEVEL", "error: LOG_FORMAT",
		"warning: KAFKA_BROKER is no setting; did you mean KAFKA_BROKERS?", "next:  correct the environment")
	if strings.Contains(got.stderr, "hunter2") {
		t.Errorf("stderr shows the password:\n%s", got.stderr)
	}
}

func TestRunNamesWrongSettingsOfEveryOwner(t *testing.T) {
	env := config.Environment{"KAFKA_BROKERS": "", "REDIS_URL": "nonsense", "BATCH_MAX_EVENTS": "-1"}
	indexer(t, env, "", "run").want(t, exitMisuse, "error: KAFKA_BROKERS", "error: REDIS_URL", "error: BATCH_MAX_EVENTS")
}

// A wrong file or shape is a wrong setting: it is named before anything is begun.
func TestWrongFilesAreWrongSettings(t *testing.T) {
	templates := t.TempDir()
	if err := os.WriteFile(filepath.Join(templates, "post.json"), []byte(`{"settings":{"default_pipeline":"p"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := config.Environment{
		"KAFKA_BROKERS": "127.0.0.1:1", "OPENSEARCH_URLS": "http://127.0.0.1:1", // nothing must be asked
		"OPENSEARCH_TEMPLATE_DIR": templates, "OPENSEARCH_CA_FILE": templates + "/none", "OPENSEARCH_AWS_REGION": "Frankfurt",
		"TOMBSTONE_RETENTION": "5m", "HTTP_ADDR": ":99999", "REDIS_URL": "rediss://127.0.0.1", "REDIS_CA_FILE": templates + "/none",
	}
	indexer(t, env, "", "run").want(t, exitMisuse,
		"error: OPENSEARCH_TEMPLATE_DIR: post.json would lose data: index.default_pipeline is p", "error: OPENSEARCH_CA_FILE", "error: OPENSEARCH_AWS_REGION",
		"error: TOMBSTONE_RETENTION", "error: HTTP_ADDR", "error: REDIS_CA_FILE")
	indexer(t, env, "", "setup").want(t, exitMisuse, "error: OPENSEARCH_TEMPLATE_DIR: post.json would lose data")
}

// Only what is close to a known name: Kubernetes sets the others beside a service.
func TestMisspelledSettings(t *testing.T) {
	env := config.Environment{
		"KAFKA_BROKERS": "", // ends it at once
		"REDIS_URI":     "x", "REDIS_CAFILE": "x", "DEDUP_TLL": "1h", "OPENSEARCH_URL": "x", "TOMBSTONE_RETENTON": "1h",
		"REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_SERVICE_HOST": "10.0.0.1", "REDIS_PORT_6379_TCP": "tcp://10.0.0.1:6379",
	}
	got := indexer(t, env, "", "run")
	got.want(t, exitMisuse, "REDIS_URI is no setting; did you mean REDIS_URL?", "did you mean REDIS_CA_FILE?", "did you mean DEDUP_TTL?",
		"did you mean OPENSEARCH_URLS?", "did you mean TOMBSTONE_RETENTION?")
	if n := strings.Count(got.stderr, "warning: "); n != 5 {
		t.Errorf("%d warnings, want 5:\n%s", n, got.stderr)
	}
}

func TestHelpAndVersion(t *testing.T) {
	if got := indexer(t, nil, "", "version"); got.code != exitDone || !strings.Contains(got.stdout, "librdkafka      2.") {
		t.Errorf("version: %+v", got)
	}
	if got := indexer(t, nil, "", "--version"); got != indexer(t, nil, "", "version") {
		t.Errorf("--version: %+v", got)
	}
	var build buildDescription
	if got := indexer(t, nil, "", "version", "--json"); json.Unmarshal([]byte(got.stdout), &build) != nil || build != thisBuild() {
		t.Errorf("version --json: %+v", got)
	}
	if got := indexer(t, nil, "", "help", "produce"); got.code != exitDone || got != indexer(t, nil, "", "produce", "--help") {
		t.Errorf("help produce: %+v", got)
	}
	if got := indexer(t, nil, "", "help", "settings"); got.code != exitDone || !strings.Contains(got.stdout, "REDIS_URL") {
		t.Errorf("help settings: %+v", got)
	}
	if got := indexer(t, nil, "", "produce", "--help"); got.code != exitDone || !strings.Contains(got.stdout, "KAFKA_BROKERS (localhost:9092)") {
		t.Errorf("produce --help: %+v", got)
	}
}

// Every command explains itself: a summary, an example, no short flags, and lines that
// a terminal shows whole.
func TestEveryCommandHasHelp(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.RunE != nil && (c.Short == "" || c.Example == "" || c.Args == nil && !strings.Contains(c.Use, "[")) {
			t.Errorf("%s: needs Short, Example and Args", c.CommandPath())
		}
		for _, flag := range strings.Fields(c.Flags().FlagUsages()) {
			if len(flag) == 3 && flag[0] == '-' && flag[2] == ',' {
				t.Errorf("%s: short flag %s", c.CommandPath(), flag)
			}
		}
		for line := range strings.Lines(c.UsageString() + c.Long) {
			if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > helpWidth {
				t.Errorf("%s: help is wider than a terminal: %s", c.CommandPath(), line)
			}
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check((&program{}).rootCommand())
}

func TestConfigurationPageIsCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != configurationPage() {
		t.Error("docs/configuration.md is not what the Config structs say: run `make docs`")
	}
}

// Each setting is explained, and the defaults are themselves in order.
func TestSettings(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range config.Describe(new(settings).all()...) {
		if s.Doc == "" || !strings.HasSuffix(s.Doc, ".") || seen[s.Name] {
			t.Errorf("%s: doc %q (or it stands twice)", s.Name, s.Doc)
		}
		seen[s.Name] = true
	}
	if err := config.Load(t.Context(), config.Environment{}, new(settings).all()...); err != nil {
		t.Error(err)
	}
}
