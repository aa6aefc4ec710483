package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/test/stack"
)

const adminToken = "a token that nobody else knows"

// site is the program with names of one test's own on the shared services.
type site struct {
	*testing.T
	env config.Environment
	url string // of OpenSearch
}

func newSite(t *testing.T) *site {
	t.Helper()
	name := stack.Name(t)
	url, _, _ := strings.Cut(stack.OpenSearch(t), ",")
	url = strings.TrimSuffix(url, "/")
	s := &site{T: t, url: url, env: config.Environment{
		"KAFKA_BROKERS": stack.Kafka(t), "KAFKA_TOPIC_PREFIX": name + "-", "KAFKA_GROUP_ID": name, "KAFKA_DLQ_TOPIC": name + "-dlq",
		"KAFKA_TOPICS":    "post.created,post.updated,post.deleted,artist.created",
		"OPENSEARCH_URLS": url, "OPENSEARCH_INDEX_PREFIX": name + "-", "OPENSEARCH_REPLICAS": "0",
		"REDIS_URL": stack.Redis(t), "ADMIN_TOKEN": adminToken,
	}}
	s.must("setup", "--partitions", "2")
	return s
}

// must runs a command that has to succeed, and returns what it prints.
func (s *site) must(args ...string) string {
	s.Helper()
	got := indexer(s.T, s.env, "", args...)
	if got.code != exitDone {
		s.Fatalf("indexer %s: exit code %d\n%s%s", strings.Join(args, " "), got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

func (s *site) publish(lines ...string) {
	s.Helper()
	indexer(s.T, s.env, strings.Join(lines, "\n"), "produce").want(s.T, exitDone)
}

func (s *site) eventually(what string, condition func() bool) {
	s.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("waited in vain for %s", what)
		}
	}
}

// offsets returns where the group stands, by partition.
func (s *site) offsets() map[string]offsetPartition {
	s.Helper()
	var view offsetsView
	if err := json.Unmarshal([]byte(s.must("offsets", "show", "--json")), &view); err != nil {
		s.Fatal(err)
	}
	found := map[string]offsetPartition{}
	for _, p := range view.Partitions {
		found[fmt.Sprintf("%s/%d", strings.TrimPrefix(p.Topic, s.env["KAFKA_TOPIC_PREFIX"]), p.Partition)] = p
	}
	return found
}

// awaitDone waits until the group has committed all there is.
func (s *site) awaitDone() {
	s.Helper()
	s.eventually("the group to have read all", func() bool {
		for _, p := range s.offsets() {
			if p.Lag > 0 {
				return false
			}
		}
		return true
	})
}

// runner is `indexer run` in this process.
type runner struct {
	*site
	address string
	stop    func()
	log     runnerLog
}

// runnerLog is for the many goroutines that log, and the test that reads it.
type runnerLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *runnerLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *runnerLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (s *site) run() *runner {
	s.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	r := &runner{site: s, address: listener.Addr().String()}
	_ = listener.Close()
	env := maps.Clone(s.env)
	env["HTTP_ADDR"] = r.address
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { run(ctx, []string{"run"}, env, strings.NewReader(""), io.Discard, &r.log) })
	r.stop = func() { cancel(); ended.Wait() }
	s.Cleanup(func() {
		r.stop()
		if strings.Contains(r.log.String(), adminToken) {
			s.Error("the log shows ADMIN_TOKEN")
		}
	})
	return r
}

func (r *runner) ask(method, path, token string) (code int, body string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, "http://"+r.address+path, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// status returns what a running worker says of a partition; nil where it has none.
func (r *runner) status(place string) *partitionStatus {
	r.Helper()
	var status workerStatus
	if code, body := r.ask(http.MethodGet, "/status", ""); code != 200 || json.Unmarshal([]byte(body), &status) != nil {
		return nil
	}
	for _, p := range status.Partitions {
		if fmt.Sprintf("%s/%d", strings.TrimPrefix(p.Topic, r.env["KAFKA_TOPIC_PREFIX"]), p.Partition) == place {
			return &p
		}
	}
	return nil
}

// updates are records of post.updated, all in the partition of one key.
func updates(from, to int) []string {
	var lines []string
	for i := from; i < to; i++ {
		lines = append(lines, fmt.Sprintf(`{"topic":"post.updated","key":"k","value":{"event_id":"e%d","data":{"post_id":"1","title":"version %d"},"version":%d}}`, i, i, i))
	}
	return lines
}

func TestOperatorMovesAndPauses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(updates(0, 5)...)
	worker := s.run()
	s.awaitDone()
	place := "post.updated/0"
	if s.offsets()[place].High == 0 {
		place = "post.updated/1"
	}
	partition := place[len(place)-1:]
	scope := []string{"--topic", "post.updated", "--partition", partition}
	offsets := func(args ...string) outcome {
		return indexer(t, s.env, "", append(append([]string{"offsets"}, args...), scope...)...)
	}

	// While a worker runs, its group stays where it is; a partition can be paused.
	offsets("reset", "--to", "earliest", "--yes").want(t, exitFailed, "has members: search-indexer at ", "stop all of its workers")
	offsets("skip", "--count", "1", "--yes").want(t, exitFailed, "has members")
	admin := "?topic=" + s.env["KAFKA_TOPIC_PREFIX"] + "post.updated&partition=" + partition
	if code, body := worker.ask(http.MethodPost, "/admin/pause"+admin, "guessed"); code != 401 {
		t.Errorf("a guessed token: %d %s", code, body)
	}
	if code, body := worker.ask(http.MethodPost, "/admin/pause?topic=other&partition=1", adminToken); code != 404 {
		t.Errorf("another topic: %d %s", code, body)
	}
	if code, body := worker.ask(http.MethodPost, "/admin/pause"+admin, adminToken); code != 202 || !strings.Contains(body, `"owned":true`) {
		t.Fatalf("pause: %d %s", code, body)
	}
	s.eventually("the pause", func() bool { p := worker.status(place); return p != nil && p.Paused == "an operator paused it" })
	s.publish(updates(5, 8)...)
	s.publish(`{"topic":"post.created","value":{"post_id":"2","version":1}}`)
	s.eventually("the other topic to be read", func() bool {
		o := s.offsets()
		return max(o["post.created/0"].Committed, o["post.created/1"].Committed) > 0
	})
	if p := s.offsets()[place]; p.Committed != 5 || p.Lag != 3 {
		t.Errorf("the paused partition was read: %+v", p)
	}
	s.eventually("the lag of what comes after the pause", func() bool {
		p := worker.status(place)
		return p != nil && p.Lag == 3 && p.LagSeconds > 0
	})
	before := worker.status(place).LagSeconds
	s.eventually("its age to grow", func() bool { p := worker.status(place); return p != nil && p.LagSeconds > before })
	if code, body := worker.ask(http.MethodPost, "/admin/resume"+admin, adminToken); code != 202 {
		t.Fatalf("resume: %d %s", code, body)
	}
	s.awaitDone()
	s.eventually("no lag", func() bool { p := worker.status(place); return p != nil && p.Lag == 0 && p.LagSeconds == 0 })
	worker.stop()

	// Then it can be moved, by who means it.
	offsets("reset", "--to", "2").want(t, exitMisuse, "nothing was changed", "--yes")
	if got := offsets("reset", "--to", "2", "--dry-run"); !strings.Contains(got.stdout, "offsets read again: 6,") {
		t.Errorf("the plan does not say what is read again:\n%s", got.stdout)
	}
	offsets("reset", "--to", "9", "--yes").want(t, exitFailed, "offset 9 of ", "holds 0 to 8")
	if p := s.offsets()[place]; p.Committed != 8 {
		t.Fatalf("moved by a dry run or a refusal: %+v", p)
	}
	offsets("reset", "--to", "2", "--yes").want(t, exitDone)
	if p := s.offsets()[place]; p.Committed != 2 || p.Lag != 6 {
		t.Errorf("after the reset: %+v", p)
	}
	got := offsets("skip", "--count", "2", "--show", "--yes")
	got.want(t, exitDone)
	for _, says := range []string{"2  post.updated        e2", "3  post.updated        e3", `{"event_id":"e2"`, "goes on at offset 4"} {
		if !strings.Contains(got.stdout, says) {
			t.Errorf("skip does not say %q:\n%s", says, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "  e4\n") || strings.Contains(got.stdout, `"version":2`) {
		t.Errorf("skip says too much:\n%s", got.stdout)
	}
	offsets("skip", "--to", "3", "--yes").want(t, exitFailed, "name an offset of 5 to 8")
	offsets("skip", "--to", "6", "--yes").want(t, exitDone)
	if p := s.offsets()[place]; p.Committed != 6 {
		t.Errorf("after the second skip: %+v", p)
	}
	offsets("reset", "--to", time.Now().Add(-time.Hour).Format(time.RFC3339), "--yes").want(t, exitDone)
	if p := s.offsets()[place]; p.Committed != 0 {
		t.Errorf("after the reset to an hour ago: %+v", p)
	}
	offsets("reset", "--to", "latest", "--yes").want(t, exitDone, "would be missing")
	for line := range strings.Lines(s.must("offsets", "show")) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
}

func TestOffsetsMisuse(t *testing.T) {
	for args, says := range map[string]string{
		"offsets":                                         "show, reset or skip",
		"offsets move":                                    "show, reset or skip",
		"offsets show --partition 1":                      "--partition needs --topic",
		"offsets show --topic nonsense":                   `"nonsense" is none of KAFKA_TOPICS`,
		"offsets reset":                                   "--to",
		"offsets reset --to yesterday":                    `"yesterday" is neither`,
		"offsets reset --to 5":                            "needs --topic and --partition",
		"offsets skip --count 1":                          "name one partition",
		"offsets skip --count 1 --to 2":                   "[count to]",
		"offsets reset --yes --dry-run":                   "[dry-run yes]",
		"forget":                                          "1 arg",
		"forget 42 --entity song":                         `"song" is neither post nor artist`,
		"offsets skip --topic post.created --partition 0": "say how far",
	} {
		t.Run(args, func(t *testing.T) {
			indexer(t, nil, "", strings.Fields(args)...).want(t, exitMisuse, says, "--help")
		})
	}
}

func (s *site) opensearch(method, path, body string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		s.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
}

func (s *site) traces(args ...string) traces {
	s.Helper()
	var t traces
	if err := json.Unmarshal([]byte(s.must(append([]string{"forget", "--json"}, args...)...)), &t); err != nil {
		s.Fatal(err)
	}
	return t
}

// what is a short form of what was found.
func (t traces) what() (found []string) {
	for _, r := range t.Topics {
		found = append(found, fmt.Sprintf("topic %s %s", r.Entity, r.What))
	}
	for _, r := range t.Letters {
		found = append(found, fmt.Sprintf("letter %s %s", r.Entity, r.What))
	}
	for _, c := range t.Indices {
		found = append(found, fmt.Sprintf("index %s %s contents %t removed %t", c.Entity, c.Standing, c.Contents, c.Removed))
	}
	return found
}

func TestForget(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(
		`{"topic":"post.created","value":{"post_id":"42","version":1,"title":"about me"}}`,
		`{"topic":"post.created","value":{"post_id":"421","version":1,"author_id":"42"}}`,
		`{"topic":"post.updated","key":"42","value_text":"{\"title\":\"about me"}`,
		`{"topic":"artist.created","value":{"artist_id":42,"version":1}}`,
	)
	prefix := s.env["OPENSEARCH_INDEX_PREFIX"]
	kept := prefix + "posts-20200101-000000"
	s.opensearch(http.MethodPut, "/"+kept+"/_doc/42", `{"title":"about me","version":1,"_sync":{"format":1,"seen":[1,1,1]}}`)
	worker := s.run()
	s.awaitDone()

	before := []string{
		"topic post post.created", "topic  invalid_json", "letter  invalid_json",
		"index post kept contents true removed false", "index post live contents true removed false",
	}
	found := s.traces("42", "--entity", "post")
	if diff := cmp.Diff(before, found.what()); diff != "" {
		t.Fatal(diff)
	}
	if letter := found.Letters[0]; letter.Until == "" || found.Retention[letter.Topic] != "for 720h0m0s" {
		t.Errorf("until when the letter stays is not told: %+v %v", letter, found.Retention)
	}
	if got := s.traces("42").what(); len(got) != len(before)+2 { // the artist's event and document too
		t.Errorf("of both entities: %v", got)
	}
	scratch := s.TempDir() + "/search-indexer-fold-1"
	if err := os.Mkdir(scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	s.env["FOLD_DIR"] = filepath.Dir(scratch)
	if got := s.traces("42").Files; !slices.Equal(got, []string{scratch}) {
		t.Errorf("working files: %q", got)
	}
	for _, says := range []string{scratch, "--yes removes it", "publish the event post.deleted", "keeps its records for ever", "mentions the id", "indexer dlq purge"} {
		if text := s.must("forget", "42", "--entity", "post"); !strings.Contains(text, says) || strings.Contains(text, "about me") {
			t.Errorf("want %q and no contents:\n%s", says, text)
		}
	}

	if got := s.traces("42", "--entity", "post", "--yes").what(); got[3] != "index post kept contents true removed true" || got[4] != before[4] {
		t.Errorf("after --yes: %v", got)
	}
	s.publish(`{"topic":"post.deleted","value":{"post_id":"42","version":2}}`)
	s.awaitDone()
	after := []string{"topic post post.created", "topic post post.deleted", "topic  invalid_json", "letter  invalid_json", "index post live contents false removed false"}
	if diff := cmp.Diff(after, s.traces("42", "--entity", "post").what()); diff != "" {
		t.Error(diff)
	}
	worker.stop()

	// What can't be looked at is said, and the rest is told all the same.
	s.opensearch(http.MethodPost, "/"+kept+"/_close", "")
	indexer(t, s.env, "", "forget", "42").want(t, exitFailed, kept, "not complete")
}
