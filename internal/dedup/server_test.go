package dedup

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
)

// server is a Redis of the test's own, which it may break.
type server struct {
	port    int
	process *exec.Cmd
	dir     string
	admin   *redis.Client
}

// startServer starts a Redis on a free port of the loopback and waits until it
// answers. It ends with the test.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real Redis")
	}
	s := &server{port: freePort(t), dir: t.TempDir()}
	s.start(t, args...)
	s.admin = redis.NewClient(&redis.Options{Addr: s.addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = s.admin.Close() })
	await(t, "a started Redis", func() bool {
		connection, err := net.Dial("tcp", s.addr())
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
	return s
}

func (s *server) start(t testing.TB, args ...string) {
	t.Helper()
	args = append([]string{"--bind", "127.0.0.1", "--port", fmt.Sprint(s.port), "--dir", s.dir, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes"}, args...)
	s.process = exec.Command("redis-server", args...)
	if err := s.process.Start(); err != nil {
		t.Fatalf("start redis-server (Debian and Ubuntu have a package redis-server): %v", err)
	}
	t.Cleanup(s.kill)
}

// kill ends the process at once, as a crash does.
func (s *server) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *server) do(t *testing.T, args ...any) {
	t.Helper()
	if err := s.admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("redis %v: %v", args, err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// open returns a Memory at url, and what it logs.
func open(t testing.TB, url string) (*Memory, *lockedBuffer) {
	t.Helper()
	log := &lockedBuffer{}
	m, err := New(Config{URL: config.NewSecret(url), TTL: time.Hour, Enabled: true}, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, log
}

// await waits until condition holds, as long as a loaded machine may take.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// lockedBuffer collects a log that is written by several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
