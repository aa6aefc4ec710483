package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// dead is one line of `dlq list --json`.
type dead struct {
	Reason, Error, Entity, ID string
	Letter, Event             struct {
		Topic     string
		Partition int32
		Offset    int64
	}
	Copies     int
	ReplayedAt string `json:"replayed_at"`
}

func (x *indexer) list(flags ...string) (lines []dead) {
	x.t.Helper()
	out := x.ok(append([]string{"dlq", "list", "--json"}, flags...)...)
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, `{"letter"`) { // a line of the log
			continue
		}
		var d dead
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			x.t.Fatalf("dlq list --json: %v in %s", err, line)
		}
		lines = append(lines, d)
	}
	return lines
}

// ok runs a command that must work.
func (x *indexer) ok(args ...string) string {
	x.t.Helper()
	code, out := x.run(args...)
	if code != 0 {
		x.t.Fatalf("indexer %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (x *indexer) replay(flags ...string) (report map[string]any) {
	x.t.Helper()
	out := x.ok(append([]string{"dlq", "replay", "--json"}, flags...)...)
	for line := range strings.Lines(out) {
		if strings.Contains(line, `"letters":`) && json.Unmarshal([]byte(line), &report) != nil {
			x.t.Fatalf("dlq replay --json: %s", line)
		}
	}
	return report
}

// wantReport compares numbers of a report; those that are not named are zero.
func (x *indexer) wantReport(what string, got map[string]any, want map[string]float64) {
	x.t.Helper()
	for name, value := range got {
		if n, isNumber := value.(float64); isNumber && n != want[name] {
			x.t.Errorf("%s: %s is %v, want %v in %s", what, name, n, want[name], show(got))
		}
	}
	if len(got) == 0 {
		x.t.Errorf("%s: no report", what)
	}
}

// strictTemplates returns a folder of templates by an operator whose posts take no
// field that they do not know.
func strictTemplates(t *testing.T) string {
	t.Helper()
	template, err := os.ReadFile("../../internal/index/templates/post.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	strict := strings.Replace(string(template), `"dynamic": false`, `"dynamic": "strict"`, 1)
	strict = strings.Replace(strict, `"properties": {`, `"properties": {"post_id": {"type": "keyword"},`, 1)
	if err := os.WriteFile(filepath.Join(dir, "post.json"), []byte(strict), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Letters of an operator's strict template are replayed once it is mended: each
// takes its place in the order among the events that have come since.
func TestDeadLettersAreReplayed(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x = x.with("OPENSEARCH_TEMPLATE_DIR=" + strictTemplates(t))
	x.setup()
	w := x.start()
	const early, late = 1_767_000_000_000, 1_767_000_060_000
	created := func(at int64, value string) Record {
		return Record{Topic: "post.created", Timestamp: at, Value: []byte(value)}
	}
	updated := func(at int64, value string) Record {
		return Record{Topic: "post.updated", Timestamp: at, Value: []byte(value)}
	}
	refused := []Record{
		created(early, `{"post_id":"1","version":1,"title":"one","mood":"blue"}`),
		created(early, `{"post_id":"2","version":1,"title":"gone","mood":"red"}`),
		created(early, `{"post_id":"3","title":"without version","mood":"grey"}`), // its order is the record's timestamp
		created(early, `{"post_id":"4","version":"x"}`),
		{Topic: "artist.created", Timestamp: early, Value: []byte(`{`), Headers: []Header{{"dlq.reason", []byte("mine")}}},
	}
	newer := []Record{
		updated(late, `{"post_id":"1","version":3,"title":"three"}`),
		{Topic: "post.deleted", Timestamp: late, Value: []byte(`{"post_id":"2"}`)},
		updated(late, `{"post_id":"3","title":"later"}`),
	}
	x.awaitCommitted(x.publish(refused)) // or a delete in the same batch would erase what is refused
	x.awaitCommitted(x.publish(newer))
	w.stop()

	x.wantList()
	// The letter of a deleted post changes nothing, whatever the template.
	x.wantReport("not mended", x.replay(), map[string]float64{"letters": 5, "stale": 1, "failed": 4})
	if got := x.letters(); len(got) != 5 {
		t.Errorf("%d records in the dead-letter topic after a replay that failed, want 5", len(got))
	}

	index, err := x.cluster.Index(t.Context(), x.index+"posts")
	if err != nil {
		t.Fatal(err)
	}
	if err := x.cluster.Do(t.Context(), http.MethodPut, "/"+index+"/_mapping", `{"dynamic":false}`, nil); err != nil {
		t.Fatal(err)
	}
	before := x.snapshot()
	x.wantReport("dry run", x.replay("--dry-run"), map[string]float64{"letters": 4, "would_be_sent": 2, "would_fail": 2})
	if show(x.snapshot()) != show(before) || len(x.list()) != 4 {
		t.Errorf("a dry run changed\n%s into\n%s", show(before), show(x.snapshot()))
	}
	x.wantReport("of one document", x.replay("--entity", "post/3"), map[string]float64{"letters": 1, "indexed": 1})
	one := x.list("--entity", "post/1")[0].Event
	place := strings.TrimPrefix(one.Topic, x.prefix) + "/" + at(one.Partition, one.Offset)
	x.wantReport("of one place", x.replay(place), map[string]float64{"letters": 1, "indexed": 1})
	x.wantReport("of that place again", x.replay(place), nil)
	x.wantReport("mended", x.replay(), map[string]float64{"letters": 2, "failed": 2})
	if code, out := x.run("dlq", "replay", "0/999999"); code != 1 || !strings.Contains(out, "there is no letter at") {
		x.t.Errorf("replay of a place without a letter: exit code %d\n%s", code, out)
	}
	if got := x.ok("status"); !strings.Contains(got, "dead letters: 2 open, 3 replayed") {
		x.t.Errorf("status does not tell open letters from replayed ones:\n%s", got)
	}

	after := x.snapshot()
	x.wantMerged(after)
	x.wantReport("once more", x.replay(), map[string]float64{"letters": 2, "failed": 2})
	x.loseAcknowledgements()
	x.wantReport("after a crash", x.replay(), map[string]float64{"letters": 5, "stale": 3, "failed": 2})
	if show(x.snapshot()) != show(after) {
		t.Errorf("a repeated replay changed\n%s into\n%s", show(after), show(x.snapshot()))
	}
	x.wantPurged()
}

// wantList looks at the five letters, all and filtered, in every form.
func (x *indexer) wantList() {
	x.t.Helper()
	for filter, want := range map[string]int{
		"": 5, "--reason invalid_version,invalid_json --since 1h": 2, "--topic post.created --entity post": 4,
		"--topic " + x.prefix + "artist.created": 1, "--entity post/4": 1, "--since 2999-01-01": 0,
	} {
		got := x.list(strings.Fields(filter)...)
		if len(got) != want {
			x.t.Errorf("dlq list %s: %d letters, want %d: %s", filter, len(got), want, show(got))
		}
	}
	strict := x.list("--entity", "post/1")[0]
	if strict.Reason != "rejected_by_index" || !strings.Contains(strict.Error, "mood") || strict.Event.Topic != x.prefix+"post.created" {
		x.t.Errorf("want the letter of post 1 with OpenSearch's words, got %s", show(strict))
	}
	table := x.ok("dlq", "list")
	for line := range strings.Lines(table) {
		if len([]rune(strings.TrimRight(line, "\n"))) > 80 {
			x.t.Errorf("more than 80 columns: %s", line)
		}
	}
	if !strings.Contains(table, "3 rejected_by_index") || !strings.Contains(table, "post/4") {
		x.t.Errorf("the table is\n%s", table)
	}
	for _, place := range []string{
		at(strict.Letter.Partition, strict.Letter.Offset),
		strict.Event.Topic + "/" + at(strict.Event.Partition, strict.Event.Offset),
	} {
		shown := x.ok("dlq", "show", place)
		for _, part := range []string{"rejected_by_index", "strict", `{"post_id":"1","version":1,"title":"one","mood":"blue"}`, "upsert of post/1, version 1"} {
			if !strings.Contains(shown, part) {
				x.t.Errorf("dlq show %s does not say %q:\n%s", place, part, shown)
			}
		}
	}
}

func at(partition int32, offset int64) string {
	return show(partition) + "/" + show(offset)
}

// wantMerged checks the documents after the replay.
func (x *indexer) wantMerged(got Snapshot) {
	x.t.Helper()
	for id, want := range map[string]map[string]any{
		"1": {"title": "three", "mood": "blue", "version": json.Number("3")},
		"3": {"title": "later", "mood": "grey", "version": json.Number("0")},
	} {
		for field, value := range want {
			if stored := got[Key{"post", id}]; !Same(stored.Source[field], value) || !stored.Found {
				x.t.Errorf("post %s: want %s %v, got %s", id, field, value, show(stored))
			}
		}
	}
	if stored := got[Key{"post", "2"}]; stored.Found || stored.Source["title"] != nil {
		x.t.Errorf("post 2 was deleted, but is %s", show(stored))
	}
}

// loseAcknowledgements makes the state that a crash between write and
// acknowledgement leaves.
func (x *indexer) loseAcknowledgements() {
	x.t.Helper()
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": x.broker.Addresses})
	if err != nil {
		x.t.Fatal(err)
	}
	defer admin.Close()
	done := x.env["KAFKA_DLQ_TOPIC"] + ".done"
	if _, err := admin.DeleteTopics(x.t.Context(), []string{done}); err != nil {
		x.t.Fatal(err)
	}
	x.await(func() bool {
		topics, err := x.broker.Topics()
		_, there := topics[done]
		return err == nil && !there
	}, func() string { return done + " to be gone" })
}

// wantPurged removes letters step by step: none that is open unless told to.
func (x *indexer) wantPurged() {
	x.t.Helper()
	open := x.list()
	x.ok("dlq", "purge")
	if left := x.list(); show(left) != show(open) {
		x.t.Errorf("purge left\n%s of the open letters\n%s", show(left), show(open))
	}
	if code, out := x.run("dlq", "purge", "--all"); code != 2 || !strings.Contains(out, "--yes") || len(x.list()) != 2 {
		x.t.Errorf("purge --all without --yes: exit code %d\n%s", code, out)
	}
	x.ok("dlq", "purge", "--all", "--dry-run")
	x.ok("dlq", "purge", "--reason", "invalid_json", "--yes")
	if !slices.ContainsFunc(x.list(), func(d dead) bool { return d.Reason == "invalid_version" }) {
		x.t.Error("purge --reason invalid_json removed a letter of another reason")
	}
	x.ok("dlq", "purge", "--all", "--yes")
	if left := x.list("--all"); len(left) > 0 {
		x.t.Errorf("purge --all left %s", show(left))
	}
}
