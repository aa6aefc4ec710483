package dedup

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
)

// goesOnWithout checks that m fails open, and knows and says once that Redis is
// down however many calls there were.
func goesOnWithout(t *testing.T, m *Memory, log *lockedBuffer, entries []Entry) {
	t.Helper()
	await(t, "Redis known to be down", func() bool {
		m.Mark(t.Context(), entries)
		m.Seen(t.Context(), entries)
		return strings.Contains(log.String(), "Redis is down")
	})
	for range 100 {
		wantSeen(t, m, entries, all(len(entries), false))
		m.Mark(t.Context(), entries)
	}
	if m.Up() {
		t.Error("Up = true")
	}
	if n := strings.Count(log.String(), "Redis is down"); n != 1 {
		t.Errorf("%d lines say that Redis is down, want 1:\n%s", n, log)
	}
}

// comesBack checks that m uses Redis again by itself.
func comesBack(t *testing.T, m *Memory, log *lockedBuffer) {
	t.Helper()
	await(t, "Redis up", m.Up)
	entries := fresh("uuid", 3)
	m.Mark(t.Context(), entries)
	wantSeen(t, m, entries, all(3, true))
	if !strings.HasSuffix(strings.TrimSpace(log.String()), `"message":"Redis is up"}`) {
		t.Errorf("the log does not end with Redis being up:\n%s", log)
	}
}

func TestNoServer(t *testing.T) {
	m, log := open(t, fmt.Sprintf("redis://user:hunter2@127.0.0.1:%d/0", freePort(t)))
	goesOnWithout(t, m, log, fresh("uuid", 3))
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log shows the password:\n%s", log)
	}
}

// A server that takes connections and never answers must cost one call its
// patience, not every call.
func TestServerThatNeverAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	m, log := open(t, "redis://"+l.Addr().String())
	goesOnWithout(t, m, log, fresh("uuid", 2*pipelineSize))
}

func TestServerDiesAndComesBack(t *testing.T) {
	s := startServer(t)
	m, log := open(t, "redis://"+s.addr())
	entries := fresh("uuid", 3)
	m.Mark(t.Context(), entries)
	wantSeen(t, m, entries, all(3, true))
	s.kill()
	goesOnWithout(t, m, log, entries)
	s.start(t)
	comesBack(t, m, log)
	wantSeen(t, m, entries, all(3, false)) // it came back empty
}

func TestServerThatStandsStill(t *testing.T) {
	s := startServer(t)
	m, log := open(t, "redis://"+s.addr())
	await(t, "Redis up", m.Up)
	entries := fresh("uuid", 3)
	m.Mark(t.Context(), entries)
	s.do(t, "CLIENT", "PAUSE", 60_000, "ALL")
	goesOnWithout(t, m, log, entries)
	s.kill() // a paused server does not take UNPAUSE from others
	s.start(t)
	comesBack(t, m, log)
}

// These servers answer, also to PING, and yet remember nothing.
func TestServerThatRefuses(t *testing.T) {
	for name, c := range map[string]struct{ breakIt, mend []any }{
		"OOM":        {[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}},
		"READONLY":   {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}},
		"NOAUTH":     {[]any{"CONFIG", "SET", "requirepass", "secret"}, []any{"CONFIG", "SET", "requirepass", ""}},
		"NOREPLICAS": {[]any{"CONFIG", "SET", "min-replicas-to-write", "1"}, []any{"CONFIG", "SET", "min-replicas-to-write", "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			// One connection that was let in before the password keeps its rights.
			admin := s.admin.Conn()
			defer func() { _ = admin.Close() }()
			do := func(args []any) {
				t.Helper()
				if err := admin.Do(t.Context(), args...).Err(); err != nil {
					t.Fatalf("redis %v: %v", args, err)
				}
			}
			do([]any{"PING"})
			do(c.breakIt)
			m, log := open(t, "redis://"+s.addr())
			entries := fresh("uuid", 3)
			goesOnWithout(t, m, log, entries)
			if !strings.Contains(log.String(), name) {
				t.Errorf("the log does not say %s:\n%s", name, log)
			}
			do(c.mend)
			comesBack(t, m, log)
		})
	}
}

// A Redis that starts with data answers LOADING until it has read it.
func TestServerThatIsLoading(t *testing.T) {
	s := startServer(t, "--rdbcompression", "no")
	for i := range 300 {
		s.do(t, "SET", fmt.Sprint("k", i), strings.Repeat("v", 4096))
	}
	s.do(t, "SAVE")
	s.kill()
	s.start(t, "--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
	await(t, "LOADING", func() bool {
		err := s.admin.Ping(t.Context()).Err()
		return err != nil && strings.HasPrefix(err.Error(), "LOADING")
	})
	m, log := open(t, "redis://"+s.addr())
	goesOnWithout(t, m, log, fresh("uuid", 3))
	if !strings.Contains(log.String(), "LOADING") {
		t.Errorf("the log does not say LOADING:\n%s", log)
	}
	comesBack(t, m, log)
}

func TestCallerWhoGivesUpSaysNothingOfRedis(t *testing.T) {
	s := startServer(t)
	m, log := open(t, "redis://"+s.addr())
	await(t, "Redis up", m.Up)
	entries := fresh("uuid", 3)
	m.Mark(t.Context(), entries)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := m.Seen(ended, entries); got[0] || got[1] || got[2] {
		t.Errorf("Seen = %v after the caller gave up", got)
	}
	wantSeen(t, m, entries, all(3, true))
	if strings.Contains(log.String(), "down") {
		t.Error(log.String())
	}
}
