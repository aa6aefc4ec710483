package document

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strconv"
)

const (
	// MaxVersion is the highest version that an event may carry.
	MaxVersion = math.MaxInt64 - 1
	// FinalVersion is the version of a delete that carries none: above every
	// version, since entity ids are never used twice.
	FinalVersion = math.MaxInt64
)

// Order is the place of one event in the history of its document. Version counts
// first, then time, then digest. The zero Order means "never" and is below every
// order of an event.
type Order struct {
	Version int64 // 0 to MaxVersion; FinalVersion for a delete without one
	Time    int64 // microseconds since 1970; negative before
	Digest  int64 // decides ties alone, so that they end the same everywhere
}

// UpsertOrder returns the order of a created or updated event whose data has the
// given digest (see [Digest]).
func UpsertOrder(version, micros, digest int64) Order {
	if digest == 0 {
		digest = 1 // keeps the zero Order free to mean "never"
	}
	return Order{Version: version, Time: micros, Digest: digest}
}

// DeleteOrder returns the order of a deleted event: at an equal version and time
// a delete wins over every write.
func DeleteOrder(version, micros int64) Order {
	return Order{Version: version, Time: micros, Digest: math.MaxInt64}
}

// Digest returns the first 64 bits of the SHA-256 of an event's data, as the
// publisher wrote it. It is cryptographic, so that nobody can craft two
// different events that tie.
func Digest(data []byte) int64 { return DigestSum(sha256.Sum256(data)) }

// DigestSum is [Digest] for who has the SHA-256 of the data already.
func DigestSum(sum [sha256.Size]byte) int64 {
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // the bits matter, not the number
}

// IsZero reports whether o is the zero Order, "never".
func (o Order) IsZero() bool { return o == Order{} }

// Compare returns -1, 0 or +1 as o is below, equal to or above p.
func (o Order) Compare(p Order) int {
	switch {
	case o == p:
		return 0
	case o.IsZero():
		return -1
	case p.IsZero():
		return 1
	case o.Version != p.Version:
		return cmp.Compare(o.Version, p.Version)
	case o.Time != p.Time:
		return cmp.Compare(o.Time, p.Time)
	default:
		return cmp.Compare(o.Digest, p.Digest)
	}
}

// Above reports whether o is strictly later than p.
func (o Order) Above(p Order) bool { return o.Compare(p) > 0 }

func later(a, b Order) Order {
	if b.Above(a) {
		return b
	}
	return a
}

// append writes o as the JSON array [version,time,digest].
func (o Order) append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, '['), o.Version, 10)
	dst = strconv.AppendInt(append(dst, ','), o.Time, 10)
	dst = strconv.AppendInt(append(dst, ','), o.Digest, 10)
	return append(dst, ']')
}
