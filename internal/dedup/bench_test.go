package dedup

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/test/stack"
)

// As the worker has them: chunks of one partition of 12, and bulk requests of all.
const (
	partitions = 12
	chunkSize  = 500
	writeSize  = 3000
)

// BenchmarkBatch marks events, asks for them again and for ones that nobody has
// marked, at several rates of publishing. Times are of one entry; cpu is this
// process.
func BenchmarkBatch(b *testing.B) {
	for _, rate := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			m, err := New(Config{URL: config.NewSecret(stack.Redis(b)), TTL: time.Minute, Enabled: true}, zerolog.Nop())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			log := published(stack.Name(b), max(b.N, partitions*chunkSize), rate)
			timed(b, "mark", len(log), func() {
				for from := 0; from < len(log); from += writeSize {
					m.Mark(b.Context(), log[from:min(from+writeSize, len(log))])
				}
			})
			chunks := inChunks(log)
			timed(b, "seen", len(log), func() {
				if seen := countSeen(b, m, chunks); seen < len(log) {
					b.Logf("%d of %d seen", seen, len(log))
				}
			})
			for i := range log {
				log[i].Digest[15]++
			}
			chunks = inChunks(log)
			timed(b, "fresh", len(log), func() { countSeen(b, m, chunks) })
		})
	}
}

func countSeen(b *testing.B, m *Memory, chunks [][]Entry) (n int) {
	for _, chunk := range chunks {
		for _, seen := range m.Seen(b.Context(), chunk) {
			if seen {
				n++
			}
		}
	}
	return n
}

// published returns n fresh entries of events published at a rate a second.
func published(space string, n, rate int) []Entry {
	entries := fresh(space, n)
	for i := range entries {
		entries[i].Time = 1_800_000_000_000_000 + int64(i)*1_000_000/int64(rate)
	}
	return entries
}

// inChunks deals a log out to partitions, and reads these by turns.
func inChunks(log []Entry) (chunks [][]Entry) {
	for from := 0; from < len(log); from += partitions * chunkSize {
		dealt := make([][]Entry, partitions)
		for i, e := range log[from:min(from+partitions*chunkSize, len(log))] {
			dealt[i%partitions] = append(dealt[i%partitions], e)
		}
		chunks = append(chunks, dealt...)
	}
	return chunks
}

func timed(b *testing.B, name string, n int, work func()) {
	b.Helper()
	began, used := time.Now(), processorTime(b)
	work()
	b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(n), name+"-ns")
	b.ReportMetric(float64((processorTime(b)-used).Nanoseconds())/float64(n), name+"-cpu-ns")
	b.ReportMetric(0, "ns/op")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkMemory measures what b.N entries take of a Redis of their own, beside one
// key for each.
func BenchmarkMemory(b *testing.B) {
	for _, rate := range []int{1, 10, 100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			s := startServer(b)
			m, _ := open(b, "redis://"+s.addr())
			before := s.usedMemory(b)
			log := published("kX9-uuid-of-22-letters", b.N, rate)
			size := max(1, rate/20) // what comes in 50 ms
			for from := 0; from < len(log); from += size {
				m.Mark(b.Context(), log[from:min(from+size, len(log))])
			}
			b.ReportMetric(float64(s.usedMemory(b)-before)/float64(b.N), "B/entry")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// usedMemory is what the data takes, its keys and tables included, without the
// buffers of connections.
func (s *server) usedMemory(t testing.TB) int {
	t.Helper()
	info, err := s.admin.Info(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) int {
		_, rest, _ := strings.Cut(info, "\n"+name+":")
		line, _, _ := strings.Cut(rest, "\r")
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return field("used_memory") - field("mem_clients_normal")
}
