package security

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The cases wait most of the time, so many of them run at once.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// tenant is the program with topics, indices and users of one test's own. Each of
// its users has the rights that docs/security.md gives a command, and no more.
type tenant struct {
	*services
	prefix   string
	password string // of all of its users
}

// newTenants makes the users of n tenants, all at once as that is quicker.
func newTenants(s *services, n int) []*tenant {
	s.t.Helper()
	var all []*tenant
	passwords := map[string]string{}
	for range n {
		x := &tenant{services: s, prefix: "t" + strings.ToLower(rand.Text()[:10]) + "-", password: "pass-" + rand.Text()}
		passwords[x.prefix] = x.password
		all = append(all, x)
	}
	s.searchRoles(passwords)
	s.trust.files(s.dir, "redis-client", "redis-client", soon)
	return all
}

// on returns the tenant for a test or a part of one.
func (x *tenant) on(t *testing.T) *tenant {
	services, own := *x.services, *x
	services.t = t
	own.services = &services
	return &own
}

// setUp makes what `setup` makes, with the rights for that, and users for a worker
// and its publisher.
func (x *tenant) setUp() {
	x.t.Helper()
	for _, command := range []string{"run", "setup", "produce"} {
		x.user(command)
	}
	x.redisUser(x.prefix+"run", x.password)
	await(x.t, "setup", func() bool { // again where a busy OpenSearch has not answered in time
		code, out := x.command("setup", nil, "setup", "--partitions", "1")
		if code != 0 {
			x.t.Logf("setup: exit code %d\n%s", code, out)
		}
		return code == 0
	})
}

// user makes the Kafka user of a command.
func (x *tenant) user(command string) {
	x.t.Helper()
	name := x.prefix + strings.ReplaceAll(command, " ", "-")
	x.setPassword(x.password, name)
	x.allow(name, documented(x.t, command, x.prefix).rules)
}

// settings are those of the program with passwords, with the users of a command.
func (x *tenant) settings(command string) map[string]string {
	settings := map[string]string{
		"KAFKA_BROKERS":           x.brokers("scram"),
		"KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
		"KAFKA_SASL_MECHANISM":    "SCRAM-SHA-512",
		"KAFKA_SASL_USERNAME":     x.prefix + strings.ReplaceAll(command, " ", "-"),
		"KAFKA_SASL_PASSWORD":     x.password,
		"KAFKA_CA_FILE":           x.ca,
		"KAFKA_TOPIC_PREFIX":      x.prefix,
		"KAFKA_TOPICS":            "post.created,post.updated,post.deleted,artist.created,artist.updated",
		"KAFKA_GROUP_ID":          x.prefix + "search-indexer",
		"KAFKA_DLQ_TOPIC":         x.prefix + "search-indexer.dlq",
		"OPENSEARCH_URLS":         x.stack.OpenSearch,
		"OPENSEARCH_CA_FILE":      x.ca,
		"OPENSEARCH_INDEX_PREFIX": x.prefix,
		"OPENSEARCH_REPLICAS":     "0",
		"REDIS_URL":               x.redisURL(x.prefix+"run", x.password),
		"REDIS_CA_FILE":           x.ca,
		"REDIS_CERT_FILE":         x.dir + "/redis-client.pem",
		"REDIS_KEY_FILE":          x.dir + "/redis-client.key",
		"LOG_LEVEL":               "debug",
	}
	if role := documented(x.t, command, x.prefix).role; role != "" {
		settings["OPENSEARCH_USERNAME"], settings["OPENSEARCH_PASSWORD"] = x.prefix+role, x.password
	}
	return settings
}

// program returns the program with the rights of a command, and with settings
// changed; "" unsets one.
func (x *tenant) program(rights string, change map[string]string, args ...string) *exec.Cmd {
	x.t.Helper()
	settings := x.settings(rights)
	maps.Copy(settings, change)
	cmd := exec.CommandContext(context.Background(), x.indexer, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + x.dir}
	for name, value := range settings {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// command runs the program to its end.
func (x *tenant) command(rights string, change map[string]string, args ...string) (code int, output string) {
	x.t.Helper()
	return x.run(rights, change, "", args...)
}

// run is command with a standard input.
func (x *tenant) run(rights string, change map[string]string, input string, args ...string) (code int, output string) {
	x.t.Helper()
	cmd := x.program(rights, change, args...)
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }).Stop()
	_ = cmd.Wait() // the exit code is what counts
	return cmd.ProcessState.ExitCode(), out.String()
}

// publish publishes invented events.
func (x *tenant) publish(count int) {
	x.t.Helper()
	if code, out := x.command("produce", nil, "produce", "--count", strconv.Itoa(count)); code != 0 {
		x.t.Fatalf("produce: exit code %d\n%s", code, out)
	}
}

// publishBroken publishes an event that can only become a dead letter.
func (x *tenant) publishBroken() {
	x.t.Helper()
	if code, out := x.run("produce", nil, `{"topic":"post.created","value_text":"no JSON"}`, "produce"); code != 0 {
		x.t.Fatalf("produce: exit code %d\n%s", code, out)
	}
}

// worker is a running `indexer run`.
type worker struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	log     *lockedBuffer
	ended   chan struct{}
}

// start runs a worker until stop or the end of the test.
func (x *tenant) start(change map[string]string) *worker {
	x.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		x.t.Fatal(err)
	}
	w := &worker{t: x.t, address: listener.Addr().String(), log: &lockedBuffer{}, ended: make(chan struct{})}
	_ = listener.Close()
	w.cmd = x.program("run", change, "run")
	w.cmd.Env = append(w.cmd.Env, "HTTP_ADDR="+w.address)
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	go func() {
		_ = w.cmd.Wait() // the exit code is what stop looks at
		close(w.ended)
	}()
	x.t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		<-w.ended
		if x.t.Failed() {
			x.t.Logf("the worker's log:\n%s", w.tail())
		}
	})
	return w
}

// stop ends the worker, which must drain.
func (w *worker) stop() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-w.ended:
	case <-time.After(patience):
		w.t.Fatal("the worker does not end")
	}
	if code := w.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("exit code %d", code)
	}
}

func (w *worker) get(path string) string {
	return answer(http.Get("http://" + w.address + path))
}

// answer returns the body, or what went wrong.
func answer(response *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// says waits until a line of the log above debug holds all parts.
func (w *worker) says(parts ...string) {
	w.t.Helper()
	await(w.t, fmt.Sprintf("line with %q", parts), func() bool { return w.count(parts...) > 0 })
}

// count counts the lines of the log above debug that hold all parts.
func (w *worker) count(parts ...string) int {
	n := 0
lines:
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, `"level":"debug"`) {
			continue
		}
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		n++
	}
	return n
}

// indexed waits until the worker has done with n records, none of them dead.
func (w *worker) indexed(n int) {
	w.t.Helper()
	await(w.t, fmt.Sprintf("%d events in the index", n), func() bool {
		return w.sum("indexer_events_total") >= n
	})
	if dead := w.sum("indexer_dead_letters_total"); dead > 0 {
		w.t.Errorf("%d dead letters", dead)
	}
}

// sum adds up the series of a metric.
func (w *worker) sum(metric string) int {
	total := 0.0
	for _, match := range regexp.MustCompile(`(?m)^`+metric+`(?:\{.*\})? (\S+)$`).FindAllStringSubmatch(w.get("/metrics"), -1) {
		value, _ := strconv.ParseFloat(match[1], 64)
		total += value
	}
	return int(total)
}

func (w *worker) tail() string {
	lines := strings.Split(w.log.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// lockedBuffer is a buffer for a process that writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func pid(w *worker) string { return strconv.Itoa(w.cmd.Process.Pid) }
