package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/test/stack"
)

// fresh is an environment in which nothing has been set up.
func fresh(t *testing.T) config.Environment {
	t.Helper()
	name := stack.Name(t)
	return config.Environment{
		"KAFKA_BROKERS": stack.Kafka(t), "KAFKA_TOPIC_PREFIX": name + ".", "KAFKA_GROUP_ID": name, "KAFKA_DLQ_TOPIC": name + ".dlq",
		"KAFKA_TOPICS":    "post.created,artist.created",
		"OPENSEARCH_URLS": stack.OpenSearch(t), "OPENSEARCH_INDEX_PREFIX": name + "-", "OPENSEARCH_REPLICAS": "0",
	}
}

// search changes something in OpenSearch.
func search(t *testing.T, env config.Environment, method, path, body string) {
	t.Helper()
	url, _, _ := strings.Cut(env["OPENSEARCH_URLS"], ",")
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s", method, path, res.Status, text)
	}
}

// lines returns the first words of each line of stdout, less the names.
func (o outcome) lines() string {
	names := regexp.MustCompile(`  +\S+( -> \S+)?\n`)
	return strings.Join(strings.Fields(strings.ReplaceAll(names.ReplaceAllString(o.stdout, ";"), "  ", " ")), " ")
}

func TestSetupSaysWhatItDid(t *testing.T) {
	env := fresh(t)
	first := indexer(t, env, "", "setup", "--partitions", "2")
	first.want(t, exitDone)
	aliases := "index created;alias created;alias created;"
	want := "topic created;topic created;topic created;script S;template stored;" + aliases + "template stored;" + aliases
	script := regexp.MustCompile(`script (stored|unchanged)`) // other tests share it
	if got := script.ReplaceAllString(first.lines(), "script S"); got != want {
		t.Errorf("said  %s\nwanted %s", got, want)
	}

	again := indexer(t, env, "", "setup", "--partitions", "6")
	again.want(t, exitDone)
	aliases = "index kept;alias kept;alias kept;"
	topic := "topic kept, with 2 partitions;"
	want = topic + topic + topic + "script unchanged;template unchanged;" + aliases + "template unchanged;" + aliases
	if got := again.lines(); got != want {
		t.Errorf("said  %s\nwanted %s", got, want)
	}
	if same := indexer(t, env, "", "setup", "--partitions", "2"); strings.Contains(same.stdout, "with 2") {
		t.Errorf("the same number of partitions is nothing to tell:\n%s", same.stdout)
	}
}

// What stands behind the aliases and would lose data is a failure.
func TestSetupRefusesWhatWouldLoseData(t *testing.T) {
	env := fresh(t)
	indexer(t, env, "", "setup").want(t, exitDone)
	posts := "/" + env["OPENSEARCH_INDEX_PREFIX"] + "posts"
	search(t, env, http.MethodPut, posts+"/_settings", `{"index.default_pipeline":"p"}`)
	got := indexer(t, env, "", "setup")
	got.want(t, exitFailed, "would lose data: index.default_pipeline is p", "indexer rebuild", "next:  ")
	if strings.Count(got.stderr, "error: ") != 1 {
		t.Errorf("not one error:\n%s", got.stderr)
	}
}

// A server that is away keeps nothing of the other from being done, and nothing is
// said to be done that was not.
func TestSetupWithoutServers(t *testing.T) {
	env := fresh(t)
	env["OPENSEARCH_URLS"] = "http://127.0.0.1:1"
	got := indexer(t, env, "", "setup")
	got.want(t, exitFailed, "set up OpenSearch at http://127.0.0.1:1", "next:  ", "OPENSEARCH_URLS")
	if !strings.Contains(got.stdout, "topic ") || strings.Contains(got.stdout, "script") {
		t.Errorf("stdout:\n%s", got.stdout)
	}
}
