package e2e

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// entity is one post or artist.
type entity struct {
	kind    string // "post" or "artist"
	id      string
	integer bool // id is an integer's text, so an event may carry it as a number
	author  string
}

// event is what happened to an entity, before it is put into words.
type event struct {
	kind       string // "created", "updated" or "deleted"
	version    int64
	versioned  bool
	micros     int64 // event time, microseconds
	timed      bool  // the event says its time; else the record's counts
	recordTime int64 // milliseconds
	fields     []member
}

// newEntity returns the i-th entity; its id is its own among its kind.
func (g *generator) newEntity(i int) entity {
	e := entity{kind: "post", author: strconv.Itoa(g.rng.IntN(g.Entities/20 + 1))}
	if i%3 == 2 {
		e.kind = "artist"
	}
	switch g.rng.IntN(12) {
	case 0, 1, 2:
		e.id = fmt.Sprintf("%s-%d", g.uuid(), i)
	case 3:
		e.id = g.oddID(i)
	case 4:
		e.id, e.integer = fmt.Sprintf("9%034d", i), true
	case 5:
		e.id, e.integer = strconv.Itoa(-1-i), true
	default:
		e.id, e.integer = strconv.Itoa(1000+i), true
	}
	return e
}

// oddID returns an id with one of the things that URLs, bulk requests, query
// strings and Redis keys trip over.
func (g *generator) oddID(i int) string {
	n := strconv.Itoa(i)
	switch g.rng.IntN(8) {
	case 0:
		return "a/b?c=d&e#" + n
	case 1:
		return "слон 🐘 " + n
	case 2:
		return "_" + n
	case 3:
		return `"quoted\` + n + `"` + "\n\u2028"
	case 4:
		return n + strings.Repeat("x", 512-len(n))
	case 5:
		return " " + n + " "
	case 6:
		return "*:" + n + ",..%2F"
	}
	return n + strings.Repeat("я", (512-len(n))/2)
}

// history returns the events of one entity in the order in which they happened,
// with a publisher's mistakes: versions that were not raised, lie lower or are
// missing, clocks that stand still or run back.
func (g *generator) history(e entity) []event {
	perEntity := max(1, g.Records/g.Entities)
	n := 1 + g.rng.IntN(2*perEntity-1)
	clock, version := g.moment(), int64(g.rng.IntN(2))
	events := make([]event, 0, n)
	for i := range n {
		clock = g.tick(clock)
		version = g.bump(version)
		ev := event{
			kind:      g.kind(i),
			version:   version,
			versioned: !g.chance(5),
			micros:    clock,
			timed:     !g.chance(8),
		}
		if ev.kind == "deleted" {
			ev.versioned = !g.chance(12)
		}
		if i > 0 && g.chance(5) { // a true tie with the event before
			before := events[i-1]
			ev.version, ev.versioned, ev.micros, ev.timed = before.version, before.versioned, before.micros, before.timed
		}
		ev.fields = g.fields(e, ev.kind)
		ev.recordTime = g.recordTime(ev.micros)
		events = append(events, ev)
	}
	return events
}

func (g *generator) kind(i int) string {
	r := g.rng.IntN(100)
	switch {
	case i == 0 && r < 85, r < 15:
		return "created" // later on: a restore, or a second create
	case r < 28:
		return "deleted"
	}
	return "updated"
}

func (g *generator) tick(clock int64) int64 {
	if g.rarely(1000) {
		return oneOf[int64](g, 0, -1, -62135500000000000) // the last is of the year 1
	}
	switch g.rng.IntN(12) {
	case 0:
		return clock
	case 1:
		return clock - g.rng.Int64N(time.Hour.Microseconds())
	case 2:
		return clock + 1
	}
	return g.coarse(clock + g.rng.Int64N((2 * time.Hour).Microseconds()))
}

func (g *generator) bump(version int64) int64 {
	if g.rarely(3000) {
		return math.MaxInt64 - 1
	}
	switch r := g.rng.IntN(100); {
	case r < 14:
		return version
	case r < 17:
		return max(0, min(version, 1000)-1)
	case r < 20:
		return min(version, 1<<53) + g.rng.Int64N(1000)
	}
	return min(version, math.MaxInt64-2) + 1
}
