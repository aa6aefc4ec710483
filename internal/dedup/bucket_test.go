package dedup

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

const second = int64(time.Second / time.Microsecond)

// A bucket that is full sends on, whatever the times: an entry that was marked is
// found again.
func TestFullBuckets(t *testing.T) {
	const n = 20_000
	for name, every := range map[string]int64{"one time": 0, "within a second": second / n, "whole seconds": second} {
		t.Run(name, func(t *testing.T) {
			m, log := open(t, stack.Redis(t))
			entries := fresh(stack.Name(t), n)
			for i := range entries {
				entries[i].Time = 1_800_000_000*second + int64(i)*every
				if every == second {
					entries[i].Time = (1_800_000_000 + int64(i)/(n/5)) * second
				}
			}
			rand.Shuffle(n, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
			for part := range slices.Chunk(entries, 3000) {
				m.Mark(t.Context(), part)
			}
			other := slices.Clone(entries)
			for i := range other {
				other[i].Digest[15]++
			}
			for part := range slices.Chunk(entries, 500) {
				wantSeen(t, m, part, all(len(part), true))
			}
			for part := range slices.Chunk(other, 500) {
				wantSeen(t, m, part, all(len(part), false))
			}
			if strings.Contains(log.String(), "down") {
				t.Error(log.String())
			}
		})
	}
}

// A false hit loses an event: whatever differs, it is another entry.
func TestEveryBitOfADigestCounts(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	marked := fresh(stack.Name(t), 2)
	marked[0].Digest[0] = marked[1].Digest[0]
	m.Mark(t.Context(), marked)
	wantSeen(t, m, marked, all(2, true))
	var other []Entry
	for bit := range 8 * entrySize {
		e := marked[0]
		e.Digest[bit/8] ^= 1 << (bit % 8)
		other = append(other, e)
	}
	for shift := 1; shift < entrySize; shift++ { // across the border of two that were marked
		e := marked[0]
		copy(e.Digest[:], marked[0].Digest[shift:])
		copy(e.Digest[entrySize-shift:], marked[1].Digest[:])
		other = append(other, e)
	}
	wantSeen(t, m, other, all(len(other), false))
}

// Times that no clock has are as good as others.
func TestAnyTime(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	entries := fresh(stack.Name(t), 5)
	for i, micros := range []int64{0, -1, 1<<63 - 1, -1 << 63, 253402300799_999_999} {
		entries[i].Time = micros
	}
	m.Mark(t.Context(), entries)
	wantSeen(t, m, entries, all(5, true))
}

// An entry is found through the buckets above its own, so these must live as long.
func TestBucketsAboveLiveOn(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	space := stack.Name(t)
	m.Mark(t.Context(), fresh(space, capacity))
	late := fresh(space, 1)
	root := bucketOf(&late[0], 0).key()
	client := m.store.client
	if err := client.Expire(t.Context(), root, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	m.Mark(t.Context(), late)
	for level := range 2 {
		if left, err := client.TTL(t.Context(), bucketOf(&late[0], level).key()).Result(); err != nil || left < 55*time.Minute {
			t.Errorf("level %d: TTL = %v, error %v; want an hour", level, left, err)
		}
	}
	wantSeen(t, m, late, all(1, true))
}

// A bucket that Redis has evicted in the midst of a mark does not come back for ever.
func TestEvictedBucketExpires(t *testing.T) {
	m, _ := open(t, stack.Redis(t))
	entry := fresh(stack.Name(t), 1)
	key := bucketOf(&entry[0], 0).key()
	if err := m.store.append(t.Context(), entry, []write{{key: key, entries: []int{0}}}); err != nil {
		t.Fatal(err)
	}
	if left, err := m.store.client.TTL(t.Context(), key).Result(); err != nil || left < 55*time.Minute {
		t.Errorf("TTL = %v, error %v; want an hour", left, err)
	}
}

// The promise that sizing builds on, for every rate at which memory matters.
func TestMemoryOfAnEntry(t *testing.T) {
	for _, rate := range []int{10, 1000, 100_000} {
		s := startServer(t)
		m, _ := open(t, "redis://"+s.addr())
		before := s.usedMemory(t)
		const n = 60_000
		for part := range slices.Chunk(published("kX9uuidOfTwentyTwoLett", n, rate), 500) {
			m.Mark(t.Context(), part)
		}
		if each := float64(s.usedMemory(t)-before) / n; each < entrySize || each > 40 {
			t.Errorf("at %d events/s an entry takes %.1f bytes, want 40 at most", rate, each)
		}
	}
}
