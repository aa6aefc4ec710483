package dedup

import "encoding/binary"

const (
	// entrySize is what an entry takes of its bucket: the digest, and nothing else.
	entrySize = 16
	// capacity is the entries after which a bucket is full: many, so that the
	// bucket's own 150 bytes are little for each and one reply answers for many; few
	// enough for a reply to be short (16 KiB).
	capacity = 1024
	// rootBits of an event's time, in microseconds, don't tell its root apart from
	// others, leafBits no bucket at all: 4.2 seconds and one millisecond.
	rootBits, leafBits = 22, 10
	// levels is how many buckets an entry may lie in. The lowest are a million under
	// each root; for events of one and the same time, 256. What finds them all full is
	// not remembered.
	levels = 6
)

// bucket names a string in Redis that holds digests, one behind the other.
//
// An entry belongs to the root bucket of its event's time. Where that is full, it
// belongs to one of the 16 below it, and so on, by four more bits each time: first of
// the time, since events that come together have near times and so share their
// buckets; then of the digest, since any number of events may have one time. So the
// buckets follow the rate by themselves, and who looks for an entry needs to know
// nothing else: a bucket that is full sends on.
type bucket struct {
	space string
	place uint64 // root 32 bits, level 8, path 24
}

// bucketOf returns the bucket of an entry at a level, from 0 at the root.
func bucketOf(e *Entry, level int) bucket {
	const length = 4 * (levels - 1)
	time := uint64(e.Time)                                                //nolint:gosec // the bits matter, not the number
	path := time>>leafBits<<8&(1<<length-1) | uint64(e.Digest[0])         // 12 bits of the time, 8 of the digest
	path &^= 1<<(length-4*level) - 1                                      // as far as the level goes
	return bucket{e.Space, time>>rootBits<<32 | uint64(level)<<24 | path} //nolint:gosec // a level is small
}

// key is "si2", the space as it comes, then 8 raw bytes. Their number is fixed, so no
// two buckets share a key.
func (b bucket) key() string {
	key := make([]byte, 0, 64)
	key = append(append(key, "si2"...), b.space...)
	return string(binary.BigEndian.AppendUint64(key, b.place))
}

// group is some entries of one bucket.
type group struct {
	bucket
	entries []int // places in the caller's list
}

// inBuckets groups the entries whose places are given by their buckets at a level.
func inBuckets(entries []Entry, places []int, level int) []group {
	var groups []group
	known := make(map[bucket]int) // place in groups
	last := -1                    // neighbours mostly share their bucket
	for _, place := range places {
		b := bucketOf(&entries[place], level)
		if last < 0 || groups[last].bucket != b {
			i, ok := known[b]
			if !ok {
				i = len(groups)
				known[b] = i
				groups = append(groups, group{bucket: b})
			}
			last = i
		}
		groups[last].entries = append(groups[last].entries, place)
	}
	return groups
}

// search sets seen of the entries that are in the contents of their bucket. An entry
// may be asked for twice.
func (g *group) search(contents string, entries []Entry, seen []bool) {
	// Entries with the same bits of their digests are chained; 0 ends a chain.
	var first [1024]int
	next := make([]int, len(g.entries))
	for i, place := range g.entries {
		chain := &first[chainOf(entries[place].Digest[1], entries[place].Digest[2])]
		next[i], *chain = *chain, i+1
	}
	for ; len(contents) >= entrySize; contents = contents[entrySize:] {
		for i := first[chainOf(contents[1], contents[2])]; i > 0; i = next[i-1] {
			place := g.entries[i-1]
			seen[place] = seen[place] || string(entries[place].Digest[:]) == contents[:entrySize]
		}
	}
}

func chainOf(a, b byte) int { return int(a)<<2 | int(b)>>6 }
