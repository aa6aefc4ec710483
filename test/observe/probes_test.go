package observe

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// says waits until an address answers so, with these words.
func (w *worker) says(path string, code int, words string) {
	w.Helper()
	var last string
	for end := time.Now().Add(deadline); ; time.Sleep(100 * time.Millisecond) {
		got, body := w.get(path)
		if last = fmt.Sprintf("%d %s", got, body); got == code && strings.Contains(body, words) {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("%s does not say %d with %q but %s", path, code, words, last)
		}
	}
}

// TestReadyzNamesWhatIsMissing and says yes again by itself, once it is there.
func TestReadyzNamesWhatIsMissing(t *testing.T) {
	c := newCrew(t)
	kafka := newTCPValve(t, c.env["KAFKA_BROKERS"])
	kafka.set(true)
	w := c.launch("KAFKA_BROKERS=" + kafka.address)
	w.says("/readyz", http.StatusServiceUnavailable, "not a member of the consumer group yet; check KAFKA_BROKERS")
	w.says("/livez", http.StatusOK, "alive")
	kafka.set(false)
	w.says("/readyz", http.StatusOK, `"ready"`)

	c.search.mode.Store(down)
	w.says("/readyz", http.StatusServiceUnavailable, "OpenSearch at "+c.search.url)
	c.search.mode.Store(open)
	w.says("/readyz", http.StatusOK, `"ready"`)

	alias := c.name + "-posts-write"
	c.delete("/*/_alias/" + alias)
	w.says("/readyz", http.StatusServiceUnavailable, alias+`\" is missing; run `+"`indexer setup`")
	c.must("", "setup")
	w.says("/readyz", http.StatusOK, `"ready"`)

	c.redis.set(true)
	c.publish(updates(1, 5)...)
	w.says("/readyz", http.StatusOK, "Redis is down")
	c.redis.set(false)
	w.says("/readyz", http.StatusOK, `{"status":"ready"}`)
}

// delete asks OpenSearch to delete something of this test's.
func (c *crew) delete(path string) {
	c.Helper()
	request, err := http.NewRequestWithContext(c.Context(), http.MethodDelete, c.search.url+path, http.NoBody)
	if err != nil {
		c.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		c.Fatalf("DELETE %s: %s", path, response.Status)
	}
}

// TestLivezWithABacklog: however much waits, while OpenSearch takes nothing and while
// it takes all, the process is alive. PROBE_BACKLOG is how many events wait.
func TestLivezWithABacklog(t *testing.T) {
	backlog, watch := 20_000, 5*time.Second
	if text := os.Getenv("PROBE_BACKLOG"); text != "" {
		var err error
		if backlog, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		watch = time.Minute
	}
	c := newCrew(t)
	const keys = 1000 // documents: what counts is the log
	var lines strings.Builder
	for i := range backlog {
		fmt.Fprintf(&lines, `{"event_type":"post.updated","version":%d,"data":{"post_id":"%d","title":"t"}}`+"\n", i, i%keys)
	}
	c.must(lines.String(), "produce")
	c.search.mode.Store(down)
	w := c.launch()
	lag := func() int { return w.status().Lag.Messages }
	c.eventually("the backlog to be seen", func() bool { return lag() == backlog })
	alive := func(until func() bool) (asked int) {
		t.Helper()
		for end := time.Now().Add(watch); time.Now().Before(end) && !until(); time.Sleep(50 * time.Millisecond) {
			if code, body := w.get("/livez"); code != http.StatusOK {
				t.Fatalf("/livez with a lag of %d: %d %s", lag(), code, body)
			}
			asked++
		}
		return asked
	}
	t.Logf("OpenSearch away: /livez was 200 in %d answers, lag %d", alive(func() bool { return false }), lag())
	if got := lag(); got != backlog {
		t.Errorf("lag %d, want %d", got, backlog)
	}
	c.search.mode.Store(open)
	t.Logf("OpenSearch back: /livez was 200 in %d answers, lag %d", alive(func() bool { return lag() == 0 }), lag())
	c.eventually("the lag to shrink", func() bool { return lag() < backlog }) // a request may wait for 10 s
}
