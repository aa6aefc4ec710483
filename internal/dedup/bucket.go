package dedup

import "encoding/binary"

const (
	// entrySize is what an entry takes of its bucket: the digest, and nothing else.
	entrySize = 16
	// capacity is the entries after which a bucket is full: many, so that the
	// bucket's own 150 bytes are little for each and one reply answers for many; few
	// enough for a reply to be short (16 KiB).
	capacity = 1024
	// rootBits are the bits of an event's time, in microseconds, that a root leaves
	// out: it is of 4.2 seconds.
	rootBits = 22
	// levels is how many buckets an entry may lie in. The lowest are 65,536 under each
	// root; for events of one and the same time, 256. What finds them all full is not
	// remembered.
	levels = 5
)

// bucket names a string in Redis that holds digests, one behind the other.
//
// An entry belongs to the root bucket of its event's time. Where that is full, it
// belongs to one of the 16 below it, and so on: two more bits of the time, since
// events that come together have near times and so share their buckets, and two of
// the digest, since any number of events may have one time. So the buckets follow the
// rate by themselves, and a reader needs to know nothing but the entry: a bucket that
// is full sends it on.
type bucket struct {
	space string
	place uint64 // root 32 bits, level 16, time 8, digest 8
}

// bucketOf returns the bucket of an entry at a level, from 0 at the root.
func bucketOf(e *Entry, level int) bucket {
	kept := byte(0xff) << (8 - 2*level)
	time := uint64(e.Time) //nolint:gosec // the bits matter, not the number
	return bucket{
		space: e.Space,
		place: time>>rootBits<<32 | uint64(level)<<16 | uint64(byte(time>>(rootBits-8))&kept)<<8 | uint64(e.Digest[0]&kept), //nolint:gosec // a level is small
	}
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
	known := make(map[bucket]int)
	for _, place := range places {
		b := bucketOf(&entries[place], level)
		i, ok := known[b]
		if !ok {
			i = len(groups)
			known[b] = i
			groups = append(groups, group{bucket: b})
		}
		groups[i].entries = append(groups[i].entries, place)
	}
	return groups
}

// search sets seen of the entries that are in the contents of their bucket, and
// returns the others. An entry may be asked for twice.
func (g *group) search(contents string, entries []Entry, seen []bool) (missing []int) {
	asked := make(map[[entrySize]byte]bool, len(g.entries))
	for _, place := range g.entries {
		asked[entries[place].Digest] = false
	}
	for ; len(contents) >= entrySize; contents = contents[entrySize:] {
		digest := [entrySize]byte([]byte(contents[:entrySize]))
		if _, ok := asked[digest]; ok {
			asked[digest] = true
		}
	}
	for _, place := range g.entries {
		if seen[place] = asked[entries[place].Digest]; !seen[place] {
			missing = append(missing, place)
		}
	}
	return missing
}
