package dedup

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/test/stack"
)

// fresh returns n entries that nobody has marked.
func fresh(space string, n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i].Space = space
		_, _ = rand.Read(entries[i].Digest[:])
	}
	return entries
}

func all(n int, seen bool) []bool { return slices.Repeat([]bool{seen}, n) }

func wantSeen(t *testing.T, m *Memory, entries []Entry, want []bool) {
	t.Helper()
	if got := m.Seen(t.Context(), entries); !slices.Equal(got, want) {
		t.Errorf("Seen = %v, want %v", got, want)
	}
}

func TestMarkedIsSeen(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	entries := fresh("kX9-uuid", 5)
	wantSeen(t, m, entries, all(5, false))
	m.Mark(t.Context(), []Entry{entries[1], entries[3], entries[3]})
	wantSeen(t, m, entries, []bool{false, true, false, true, false})
	wantSeen(t, m, nil, nil)
	await(t, "Up", m.Up)
}

// An index made again under its name has another UUID: all has to be written.
func TestAnotherSpaceIsAnotherMemory(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	entries := fresh("first-uuid", 3)
	m.Mark(t.Context(), entries)
	wantSeen(t, m, entries, all(3, true))
	for i := range entries {
		entries[i].Space = "other-uuid"
	}
	wantSeen(t, m, entries, all(3, false))
}

func TestNoSpaceIsNeverRemembered(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	entries := append(fresh("", 2), fresh("uuid", 1)...)
	m.Mark(t.Context(), entries)
	wantSeen(t, m, entries, []bool{false, false, true})
}

func TestManyEntriesInOneCall(t *testing.T) {
	m, log := open(t, stack.Redis(t))
	const n = 3*pipelineSize + 7
	entries := fresh("uuid", n)
	want := all(n, false)
	var marked []Entry
	for i := 0; i < n; i += 3 {
		marked, want[i] = append(marked, entries[i]), true
	}
	m.Mark(t.Context(), marked)
	wantSeen(t, m, entries, want)
	if strings.Contains(log.String(), "down") {
		t.Error(log.String())
	}
}

func TestEntriesExpire(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	entry := fresh("uuid", 1)
	m.Mark(t.Context(), entry)
	left, err := m.store.client.TTL(t.Context(), bucketOf(&entry[0], 0).key()).Result()
	if err != nil || left > time.Hour || left < 55*time.Minute {
		t.Errorf("TTL = %v, error %v; want an hour", left, err)
	}

	short, err := New(Config{URL: config.NewSecret(stack.Redis(t)), TTL: time.Second, Enabled: true}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = short.Close() }()
	short.Mark(t.Context(), entry)
	wantSeen(t, short, entry, all(1, true))
	await(t, "the entry to expire", func() bool { return !short.Seen(t.Context(), entry)[0] })
}

func TestConcurrentUse(t *testing.T) {
	space := stack.Name(t)
	var wg sync.WaitGroup
	for range 8 {
		m, _ := open(t, stack.Redis(t)) // as another worker
		wg.Go(func() {
			for range 20 {
				entries := fresh(space, 50) // of one time: all fill the same buckets
				m.Mark(t.Context(), entries)
				if seen := m.Seen(t.Context(), entries); slices.Contains(seen, false) {
					t.Error("a marked entry is not seen")
				}
				m.Up()
			}
		})
	}
	wg.Wait()
}

func TestDisabled(t *testing.T) {
	m, err := New(Config{URL: config.NewSecret("redis://127.0.0.1:1/0"), TTL: time.Hour}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	entries := fresh("uuid", 2)
	m.Mark(t.Context(), entries)
	wantSeen(t, m, entries, all(2, false))
	if !m.Up() || m.Close() != nil {
		t.Error("disabled is no trouble")
	}
}

func TestWrongSettingsAreNamedWithoutThePassword(t *testing.T) {
	for _, url := range []string{"nonsense", "http://h", "redis://u:hunter2@h:port", "redis://u:hunter2@h:1/x", "redis://u:hunter2@h:1/0?what=1", "redis://u:hunter2%zz@h:1"} {
		cfg := Config{URL: config.NewSecret(url), TTL: time.Millisecond, Enabled: true}
		_, err := New(cfg, zerolog.Nop())
		if err == nil || !strings.Contains(err.Error(), "REDIS_URL") || !strings.Contains(err.Error(), "DEDUP_TTL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", url, err)
		}
	}
	var defaults Config
	if err := config.Load(t.Context(), config.Environment{}, &defaults); err != nil {
		t.Error(err)
	}
}

// A Redis that is shared holds keys of others: ours are told by their prefix.
func TestKeysHaveOurPrefix(t *testing.T) {
	s := startServer(t)
	m, _ := open(t, "redis://"+s.addr())
	m.Mark(t.Context(), fresh("uuid", 3))
	keys, err := s.admin.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "si2probe" })
	if want := "si2uuid" + strings.Repeat("\x00", 8); !slices.Equal(keys, []string{want}) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if db := redis.NewClient(&redis.Options{Addr: s.addr(), DB: 5}); db.DBSize(t.Context()).Val() != 0 {
		t.Error("another database has keys")
	} else {
		_ = db.Close()
	}
}
