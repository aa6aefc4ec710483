package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

// TestRendered executes what the chart renders: arguments, environment, mounted files,
// probes and grace period, in the order of an installation, against real services.
func TestRendered(t *testing.T) {
	redis := stack.Redis(t)
	node := newNode(t, map[string]string{"redis-login/url": redis + "\n", "admin/token": "0123456789abcdef\n"})
	all := template(t, runnable(t))

	node.finish(t, "setup", all["Job demo-search-indexer-setup"].Spec.Template.Spec)

	worker := all["Deployment demo-search-indexer"].Spec.Template.Spec
	process := node.start(t, "worker", worker)
	c := worker.Containers[0]
	probe(t, c, c.ReadinessProbe)
	probe(t, c, c.LivenessProbe)
	base := fmt.Sprintf("http://127.0.0.1:%d", all["Service demo-search-indexer"].Spec.Ports[0].Port)
	if code, body := do(t, http.MethodGet, base+"/metrics", ""); code != http.StatusOK || !strings.Contains(body, "indexer_redis_up 1") {
		t.Errorf("metrics by the Service's port: %d, or Redis is not used, whose address is in a Secret:\n%.300s", code, body)
	}
	if code, _ := do(t, http.MethodPost, base+"/admin/pause?topic=t&partition=0", "0123456789abcdef"); code != http.StatusNotFound {
		t.Errorf("pause of a topic that is not read, with the token of the Secret: %d, want 404", code)
	}
	process.terminate(t, time.Duration(worker.TerminationGracePeriodSeconds)*time.Second)

	// With the worker's port free again, as each pod has its own.
	for _, name := range []string{"rebuild", "purge", "verify"} {
		node.finish(t, name, all["CronJob demo-search-indexer-"+name].Spec.JobTemplate.Spec.Template.Spec)
	}
}

// runnable are values for the stack, under a name of this test's own.
func runnable(t *testing.T) string {
	t.Helper()
	name := stack.Name(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
config:
  KAFKA_BROKERS: %s
  KAFKA_TOPIC_PREFIX: %s.
  KAFKA_GROUP_ID: %[2]s
  KAFKA_DLQ_TOPIC: %[2]s.dlq
  OPENSEARCH_URLS: %s
  OPENSEARCH_INDEX_PREFIX: %[2]s-
  OPENSEARCH_REPLICAS: 0
  SHUTDOWN_TIMEOUT: 20s
files:
  REDIS_URL_FILE: {secret: redis-login, key: url}
worker:
  files:
    ADMIN_TOKEN_FILE: {secret: admin, key: token}
topics: {partitions: 2, replicationFactor: 1}
port: %[4]d
purge: {enabled: true}
verify: {enabled: true}
`, stack.Kafka(t), name, stack.OpenSearch(t), port)
}

// node stands in for a node of Kubernetes: it runs the program with what a pod says.
type node struct {
	program string
	secrets map[string]string // content by "secret/key"
}

func newNode(t *testing.T, secrets map[string]string) node {
	t.Helper()
	n := node{filepath.Join(t.TempDir(), "indexer"), secrets}
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-o", n.program, "./cmd/indexer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return n
}

// process is a container that runs.
type process struct {
	name   string
	cmd    *exec.Cmd
	output *os.File
	ended  chan error
}

func (n node) start(t *testing.T, name string, pod podSpec) *process {
	t.Helper()
	c := pod.Containers[0]
	p := &process{name: name, ended: make(chan error, 1)}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), n.program, c.Args...)
	mounts := n.mount(t, pod)
	p.cmd.Dir = t.TempDir() // its root can't be written, nor does it know where it is
	for _, v := range c.Env {
		p.cmd.Env = append(p.cmd.Env, v.Name+"="+below(mounts, v.Value))
	}
	var err error
	if p.output, err = os.Create(filepath.Join(t.TempDir(), name)); err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // where the test has failed
		if t.Failed() {
			p.show(t)
		}
		_ = p.output.Close()
	})
	return p
}

// mount lays a pod's volumes out in folders, and returns these by where they are mounted.
func (n node) mount(t *testing.T, pod podSpec) map[string]string {
	t.Helper()
	folders := map[string]string{}
	for _, m := range pod.Containers[0].VolumeMounts {
		folders[m.MountPath] = t.TempDir()
		for _, v := range pod.Volumes {
			if v.Name != m.Name {
				continue
			}
			for _, source := range v.Projected.Sources {
				item := source.Secret.Items[0]
				content, known := n.secrets[source.Secret.Name+"/"+item.Key]
				if !known {
					t.Fatalf("no Secret %s with key %s", source.Secret.Name, item.Key)
				}
				if err := os.WriteFile(filepath.Join(folders[m.MountPath], item.Path), []byte(content), 0o400); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return folders
}

// below puts the folder of a mount in the place of its path.
func below(mounts map[string]string, value string) string {
	for path, folder := range mounts {
		if rest, ok := strings.CutPrefix(value, path); ok {
			return folder + rest
		}
	}
	return value
}

// finish runs a Job's container to its end.
func (n node) finish(t *testing.T, name string, pod podSpec) {
	t.Helper()
	p := n.start(t, name, pod)
	select {
	case err := <-p.ended:
		if err != nil {
			p.show(t)
			t.Fatalf("%s: %v", name, err)
		}
	case <-time.After(3 * time.Minute):
		t.Fatalf("%s does not end", name)
	}
}

// terminate does what the kubelet does: SIGTERM, and SIGKILL after the grace period.
func (p *process) terminate(t *testing.T, grace time.Duration) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	case <-time.After(grace):
		t.Errorf("%s had to be killed after %s", p.name, grace)
	}
}

func (p *process) show(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(p.output.Name())
	t.Logf("%s:\n%s%v", p.name, text, err)
}

// probe asks as the kubelet does, until the answer is good.
func probe(t *testing.T, c container, p httpProbe) {
	t.Helper()
	port := 0
	for _, declared := range c.Ports {
		if declared.Name == p.HTTPGet.Port {
			port = declared.ContainerPort
		}
	}
	url := fmt.Sprintf("http://127.0.0.1:%d%s", port, p.HTTPGet.Path)
	last := ""
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		code, body := do(t, http.MethodGet, url, "")
		if code == http.StatusOK {
			return
		}
		last = fmt.Sprintf("%d %s", code, body)
	}
	t.Fatalf("%s: %s", url, last)
}

// do returns code 0 where nobody answers.
func do(t *testing.T, method, url, token string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return 0, err.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
