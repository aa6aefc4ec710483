package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

// What a person publishes by hand ends in the index, and the broken one among
// the dead letters.
func TestRawPublish(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x.setup()
	w := x.start()
	x.kcat(`{"post_id":"123","version":2,"title":"New Title"}`)
	broken := x.kcat(`{"post_id":"123","version":"3","title":"Broken"}`)
	broken.Reason, broken.Rule = "invalid_version", "version as a text"
	topic := x.prefix + "post.updated"
	x.await(func() bool { return len(x.letters()) > 0 && len(x.snapshot()) > 0 }, func() string { return "a document and a letter\n" + w.tail() })

	stored := x.snapshot()[Key{"post", "123"}]
	if !stored.Found || stored.Source["title"] != "New Title" || !Same(stored.Source["version"], json.Number("2")) {
		t.Errorf("want the published document at version 2, got %s", show(stored.Source))
	}
	letters := x.letters()
	if len(letters) != 1 || letters[0].Topic != topic {
		t.Fatalf("want one letter of %s, got %v", topic, letters)
	}
	places := []Place{letters[0].Place}
	if report := Report("dead letters", CompareLetters([]Record{broken}, places, letters, false)); report != "" {
		t.Error(report)
	}
	w.stop()
}

// kcat publishes a value to post.updated as a person does: with kcat where it is
// installed, else with a producer.
func (x *indexer) kcat(value string) Record {
	x.t.Helper()
	r := Record{Topic: "post.updated", Value: []byte(value), Headers: []Header{{"correlation-id", []byte("by hand")}}}
	path, err := exec.LookPath("kcat")
	if err != nil {
		x.publish([]Record{r})
		return r
	}
	cmd := exec.CommandContext(x.t.Context(), path, "-P", "-b", x.broker.Addresses, "-t", x.prefix+r.Topic, "-H", "correlation-id=by hand")
	cmd.Stdin = strings.NewReader(value)
	if out, err := cmd.CombinedOutput(); err != nil {
		x.t.Fatalf("kcat: %v\n%s", err, out)
	}
	return r
}

func TestSettingsErrorsAreAllNamed(t *testing.T) {
	t.Parallel()
	x := newIndexer(t).with("KAFKA_BROKERS=", "REDIS_URL=nonsense", "BATCH_MAX_EVENTS=-1")
	code, out := x.run("run")
	if code != 2 {
		t.Errorf("want exit code 2, got %d", code)
	}
	for _, name := range []string{"KAFKA_BROKERS", "REDIS_URL", "BATCH_MAX_EVENTS"} {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not named in\n%s", name, out)
		}
	}
}

// A broker that cannot be reached is named and waited for, however long; SIGTERM
// ends the wait.
func TestBrokerUnreachable(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x.setup()
	address := freeAddress(t)
	away := x.with("KAFKA_BROKERS=" + address)

	w := away.start()
	away.logged(w, address)
	if status, _ := w.get("/readyz"); status == http.StatusOK {
		t.Error("/readyz says yes without a broker")
	}
	w.stop()

	w = away.start()
	away.logged(w, address)
	forward(t, address, x.broker.Addresses)
	records := []Record{{Topic: "post.created", Timestamp: time.Now().UnixMilli(), Value: []byte(`{"post_id":1,"version":1,"title":"late"}`)}}
	places := x.publish(records)
	x.awaitCommitted(places)
	x.must(ofRecords(t, records), places, false)
	w.stop()
}

// forward listens on an address and passes each connection on to the first of
// brokers, as a broker that comes up there.
func forward(t *testing.T, address, brokers string) {
	t.Helper()
	target, _, _ := strings.Cut(brokers, ",")
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() { cancel(); _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", target)
			if err != nil {
				_ = from.Close()
				continue
			}
			context.AfterFunc(ctx, func() { _ = from.Close(); _ = to.Close() })
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
	}()
}

// A worker started before `setup` says so, makes nothing by itself, and goes on
// once all stands. Records published before are not lost.
func TestRunBeforeSetup(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x = x.with("KAFKA_OPTIONS=topic.metadata.refresh.interval.ms=3000")
	early := "post.created"
	if err := x.broker.Create(t.Context(), 3, x.prefix+early); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixMilli()
	records := []Record{
		{Topic: early, Timestamp: now, Value: []byte(`{"post_id":1,"version":1,"title":"early"}`)},
		{Topic: early, Timestamp: now, Partition: 1, Value: []byte(`{"post_id":2,"version":1,"title":"early too"}`)},
		{Topic: early, Timestamp: now, Partition: 1, Value: []byte(`broken`), Reason: "invalid_json", Rule: "not JSON"},
	}
	places := x.publish(records)

	w := x.start()
	x.logged(w, "setup")
	x.logged(w, x.prefix+"artist.created") // a topic that is missing is named
	x.awaitUnready(w, "alias")
	x.nothingMade(early)

	x.setup()
	x.awaitReady(w)
	late := []Record{
		{Topic: "artist.created", Timestamp: now, Partition: 7, Value: []byte(`{"artist_id":1,"version":1,"name":"late"}`)},
		{Topic: early, Timestamp: now, Partition: 2, Value: []byte(`{"post_id":1,"version":2,"title":"later"}`)},
	}
	records, places = append(records, late...), append(places, x.publish(late)...)
	x.awaitCommitted(places)
	x.must(ofRecords(t, records), places, false)
	w.stop()
}

// awaitUnready waits until /readyz says no and why.
func (x *indexer) awaitUnready(w *worker, why string) {
	x.t.Helper()
	var status int
	var body []byte
	x.await(func() bool {
		w.alive()
		status, body = w.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(strings.ToLower(string(body)), why)
	}, func() string { return "/readyz to name " + why + ": " + http.StatusText(status) + " " + string(body) })
}

// nothingMade fails the test where any topic but one, or any index, has appeared.
func (x *indexer) nothingMade(but string) {
	x.t.Helper()
	topics, err := x.broker.Topics()
	if err != nil {
		x.t.Fatal(err)
	}
	for topic := range topics {
		ours := strings.HasPrefix(topic, x.prefix) || topic == x.env["KAFKA_DLQ_TOPIC"]
		if ours && topic != x.prefix+but {
			x.t.Errorf("the topic %s was made before setup", topic)
		}
	}
	var indices map[string]any
	if err := x.cluster.Do(x.t.Context(), http.MethodGet, "/"+x.index+"*", "", &indices); err != nil {
		x.t.Fatal(err)
	}
	for index := range indices {
		x.t.Errorf("the index %s was made before setup", index)
	}
}

// OpenSearch forgets the version of a deleted document when it restarts. The
// tombstone does not: a create that comes late stays hidden.
func TestDeleteSurvivesRestart(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	private := stack.Private(t, "opensearch")
	x.cluster = Cluster{firstURL(private.OpenSearch)}
	x = x.with("OPENSEARCH_URLS=" + private.OpenSearch)
	x.setup()
	w := x.start()
	now := time.Now().UnixMilli()
	post := func(topic, value string) Record {
		return Record{Topic: topic, Timestamp: now, Key: []byte("1"), Value: []byte(value)}
	}
	records := []Record{
		post("post.created", `{"version":4,"data":{"post_id":1,"title":"at four"}}`),
		post("post.deleted", `{"version":6,"data":{"post_id":1}}`),
		post("post.deleted", `{"version":6,"data":{"post_id":2}}`), // not created yet
	}
	places := x.publish(records)
	x.awaitCommitted(places)
	x.must(ofRecords(t, records), places, false)

	private.Restart("opensearch")
	late := []Record{
		post("post.created", `{"version":5,"data":{"post_id":1,"title":"at five"}}`),
		post("post.created", `{"version":5,"data":{"post_id":2,"title":"at five"}}`),
		post("post.created", `{"version":7,"data":{"post_id":3,"title":"another"}}`),
	}
	records, places = append(records, late...), append(places, x.publish(late)...)
	x.awaitCommitted(places)
	s := ofRecords(t, records)
	x.must(s, places, false)
	for _, id := range []string{"1", "2"} {
		if s.want[Key{"post", id}].Visible {
			t.Fatalf("post %s: the reference itself is wrong", id)
		}
	}
	w.stop()
}
