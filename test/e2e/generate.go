package e2e

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Topics are the topics, less their prefix, that generated records are written
// to. The last is none of the platform's own: its events carry event_type.
var Topics = []string{
	"post.created", "post.updated", "post.deleted",
	"artist.created", "artist.updated", "artist.deleted",
	foreignTopic,
}

const foreignTopic = "import.events"

// Canary is part of nearly every text that is generated. Contents of events are
// not for logs, so a log that holds it is wrong.
const Canary = "kanarienvogel"

// Header is one header of a Record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one Kafka record to be published, and what is known of it.
type Record struct {
	Topic     string // less the prefix
	Partition int32
	Timestamp int64 // milliseconds since 1970
	Key       []byte
	Value     []byte
	Headers   []Header
	// Rule names the rule that a bad record breaks, empty for a good one, and
	// Reason the reason that its dead letter must have.
	Rule, Reason string
}

// Plan says what to generate. Equal plans give equal records.
type Plan struct {
	Seed       uint64
	Entities   int
	Records    int // at least; about a fifth more come out
	Partitions int32
	Start      time.Time // the histories begin in the 5 days after it
}

// Generate returns the records of p in the order in which to publish them. The
// histories of all entities are shuffled together; duplicates and bad records
// stand among them.
func Generate(p Plan) []Record {
	g := &generator{
		Plan: p,
		rng:  rand.New(rand.NewPCG(p.Seed, 0x5eed)),
	}
	for i := range p.Entities {
		e := g.newEntity(i)
		for _, ev := range g.history(e) {
			g.records = append(g.records, g.publish(g.message(e, ev)))
			g.echo(e, ev)
		}
		g.entities = append(g.entities, e)
	}
	g.addGarbage()
	g.shuffle()
	g.redeliver(max(p.Records/12, p.Records-len(g.records)))
	return g.records
}

type generator struct {
	Plan
	rng      *rand.Rand
	entities []entity
	records  []Record
	eventIDs []string
}

// echo now and then publishes the same event again in other words: another
// envelope, spacing, zone of the timestamp, topic or key.
func (g *generator) echo(e entity, ev event) {
	if g.chance(6) {
		g.records = append(g.records, g.publish(g.message(e, ev)))
	}
}

// addGarbage adds each kind of bad record, for entities that have good ones too.
func (g *generator) addGarbage() {
	rules := garbage()
	n := max(len(rules), g.Records/12)
	for i := range n {
		rule := rules[i%len(rules)]
		e := pick(g, g.entities)
		if rule.entity != "" {
			for e.kind != rule.entity {
				e = pick(g, g.entities)
			}
		}
		ev := event{kind: oneOf(g, "created", "updated"), micros: g.moment(), timed: true, versioned: true, version: g.rng.Int64N(20)}
		ev.fields = g.fields(e, ev.kind)
		ev.recordTime = g.recordTime(ev.micros)
		m := g.message(e, ev)
		rule.spoil(g, m)
		r := g.publish(m)
		r.Rule, r.Reason = rule.name, rule.reason
		g.records = append(g.records, r)
	}
}

func (g *generator) shuffle() {
	g.rng.Shuffle(len(g.records), func(i, j int) { g.records[i], g.records[j] = g.records[j], g.records[i] })
}

// redeliver puts n duplicates anywhere behind their originals: as a publisher
// that tries again writes them, or with another key, so that they stand in
// another partition.
func (g *generator) redeliver(n int) {
	after := make(map[int][]Record)
	for range n {
		i := g.rng.IntN(len(g.records))
		r := g.records[i]
		if g.chance(30) {
			r.Key = fmt.Appendf(nil, "other-%d", g.rng.IntN(1000))
			r.Partition = g.partition(r.Key)
		}
		at := i + g.rng.IntN(len(g.records)-i)
		if g.chance(40) {
			at = i
		}
		after[at] = append(after[at], r)
	}
	all := make([]Record, 0, len(g.records)+n)
	for i, r := range g.records {
		all = append(append(all, r), after[i]...)
	}
	g.records = all
}

// partition is that of a key, the same for every topic.
func (g *generator) partition(key []byte) int32 {
	if key == nil {
		return g.rng.Int32N(g.Partitions)
	}
	h := fnv.New32a()
	h.Write(key)
	return int32(h.Sum32() % uint32(g.Partitions))
}

// moment is a time within 5 days of the start, in microseconds; often a whole
// second or millisecond, as publishers' clocks have it.
func (g *generator) moment() int64 {
	return g.coarse(g.Start.UnixMicro() + g.rng.Int64N((5 * 24 * time.Hour).Microseconds()))
}

func (g *generator) coarse(micros int64) int64 {
	switch g.rng.IntN(6) {
	case 0:
		return micros - micros%1_000_000
	case 1:
		return micros - micros%1_000
	}
	return micros
}

// recordTime is when Kafka took an event of that time: soon, or late, or by a
// clock that is behind, though less than the 24 hours that are allowed.
func (g *generator) recordTime(micros int64) int64 {
	millis := max(micros/1000, g.Start.UnixMilli()) // records have no time before 1970
	switch g.rng.IntN(20) {
	case 0:
		return millis + g.rng.Int64N((48 * time.Hour).Milliseconds())
	case 1:
		return millis - g.rng.Int64N((24*time.Hour).Milliseconds()-1)
	}
	return millis + g.rng.Int64N(5000)
}

func (g *generator) chance(percent int) bool { return g.rng.IntN(100) < percent }

// rarely is true once in n times.
func (g *generator) rarely(n int) bool { return g.rng.IntN(n) == 0 }

func (g *generator) uuid() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], g.rng.Uint64())
	binary.BigEndian.PutUint64(b[8:], g.rng.Uint64())
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func pick[T any](g *generator, from []T) T { return from[g.rng.IntN(len(from))] }

func oneOf[T any](g *generator, from ...T) T { return pick(g, from) }
