package e2e

import (
	"fmt"
	"slices"
	"strconv"
)

// message is an event put into words, member by member, so that a rule of the
// garbage can spoil one.
type message struct {
	entity   entity
	topic    string
	time     int64 // of the record, milliseconds
	key      []byte
	headers  []Header
	envelope []member
	data     []member
	bare     bool                // data stands at the top, beside the envelope's members
	nested   string              // what stands for data instead, where not empty
	framing  []byte              // in front of the value
	bytes    func([]byte) []byte // spoils the finished value, where not nil
}

// message puts ev into words, chosen anew at each call.
func (g *generator) message(e entity, ev event) *message {
	m := &message{entity: e, time: ev.recordTime, key: g.key(e), bare: g.chance(30)}
	if slices.ContainsFunc(ev.fields, func(f member) bool { return slices.Contains(envelopeNames, f.name) }) {
		m.bare = false // at the top they would mean the envelope's
	}
	m.data = append(slices.Clone(ev.fields), member{e.kind + "_id", g.idValue(e)})
	g.route(m, e.kind+"."+ev.kind)
	g.setVersion(m, ev)
	switch {
	case ev.timed:
		m.envelope = append(m.envelope, member{"timestamp", plainQuote(g.timestamp(ev.micros))})
	case g.chance(20):
		m.envelope = append(m.envelope, member{"timestamp", "null"})
	}
	g.setEventID(m)
	g.setCorrelation(m)
	switch {
	case m.bare && g.chance(5):
		m.envelope = append(m.envelope, member{"data", "null"}) // null counts as absent
	case !m.bare && g.chance(10):
		m.envelope = append(m.envelope, member{oneOf(g, "source", "schema", "post_id", "title"), g.anything(2)})
	}
	if g.chance(10) {
		m.framing = []byte{0, 0, 0, byte(g.rng.IntN(256)), byte(g.rng.IntN(256))}
	}
	return m
}

func (g *generator) key(e entity) []byte {
	switch r := g.rng.IntN(20); {
	case r < 11:
		return []byte(e.id)
	case r < 17:
		return []byte(e.author)
	case r < 18:
		return nil
	case r < 19:
		return []byte{}
	}
	return fmt.Appendf(nil, "\xff\x00%d", g.rng.IntN(100))
}

func (g *generator) idValue(e entity) string {
	if e.integer && g.chance(50) {
		return e.id
	}
	return g.quote(e.id)
}

// route chooses the topic. On a topic that says something else, or nothing, the
// event says its type.
func (g *generator) route(m *message, eventType string) {
	m.topic = eventType
	switch r := g.rng.IntN(20); {
	case r < 8:
		return
	case r < 9:
		m.envelope = append(m.envelope, member{"event_type", "null"})
		return
	case r < 11:
		m.topic = foreignTopic
	case r < 12:
		m.topic = pick(g, Topics)
	}
	m.envelope = append(m.envelope, member{"event_type", g.quote(eventType)})
}

func (g *generator) setVersion(m *message, ev event) {
	version := strconv.FormatInt(ev.version, 10)
	switch {
	case !ev.versioned:
		if g.chance(20) {
			m.envelope = append(m.envelope, member{"version", "null"})
		}
	case !m.bare && g.chance(25):
		m.data = append(m.data, member{"version", version})
		if g.chance(20) {
			m.envelope = append(m.envelope, member{"version", "null"})
		}
	default:
		m.envelope = append(m.envelope, member{"version", version})
		if !m.bare && g.chance(10) { // beside the envelope's it is ignored
			m.data = append(m.data, member{"version", oneOf(g, "999999", `"x"`, "-1", "2.5", "{}", version)})
		}
	}
}

func (g *generator) setEventID(m *message) {
	switch r := g.rng.IntN(100); {
	case r < 7:
	case r < 10:
		m.envelope = append(m.envelope, member{"event_id", "null"})
	case r < 20 && len(g.eventIDs) > 0: // used before, with other contents
		m.envelope = append(m.envelope, member{"event_id", g.quote(pick(g, g.eventIDs))})
	default:
		id := g.uuid()
		g.eventIDs = append(g.eventIDs, id)
		m.envelope = append(m.envelope, member{"event_id", g.quote(id)})
	}
}

func (g *generator) setCorrelation(m *message) {
	if g.chance(25) {
		name := oneOf(g, "correlation-id", "X-Correlation-ID", "x-correlation-id", "Correlation-Id")
		m.headers = append(m.headers, Header{name, []byte(fmt.Sprintf("header-%d", g.rng.IntN(1000)))})
	}
	if g.chance(20) {
		m.headers = append(m.headers, Header{"binary", []byte{0, 0xff, '\n'}}, Header{"empty", []byte{}}, Header{"null", nil}, Header{"binary", []byte("again")})
	}
	switch r := g.rng.IntN(10); {
	case r < 2:
	case r < 3:
		m.envelope = append(m.envelope, member{"correlation_id", "null"})
	case r < 7:
		m.envelope = append(m.envelope, member{"correlation_id", g.quote(fmt.Sprintf("request-%d", g.rng.IntN(1000)))})
	default:
		m.envelope = append(m.envelope, member{"correlation_id", oneOf(g, plainQuote(g.uuid()), "42", "true", "1.5", "-7")})
	}
}

// publish renders m as a record.
func (g *generator) publish(m *message) Record {
	members := slices.Clone(m.envelope)
	switch {
	case m.nested != "":
		members = append(members, member{"data", m.nested})
	case m.bare:
		members = append(members, m.data...)
	default:
		g.rng.Shuffle(len(m.data), func(i, j int) { m.data[i], m.data[j] = m.data[j], m.data[i] })
		members = append(members, member{"data", g.object(m.data)})
	}
	g.rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	value := []byte(g.object(members))
	if m.bytes != nil {
		value = m.bytes(value)
	}
	if m.framing != nil && value != nil {
		value = append(slices.Clone(m.framing), value...)
	}
	return Record{
		Topic: m.topic, Partition: g.partition(m.key), Timestamp: m.time,
		Key: m.key, Value: value, Headers: m.headers,
	}
}

// set gives the envelope's (or bare payload's) member another value.
func (m *message) set(name, value string) {
	m.envelope = append(without(m.envelope, name), member{name, value})
}

// setData gives a member of the data another value.
func (m *message) setData(name, value string) {
	m.data = append(without(m.data, name), member{name, value})
}

// wrap puts bare data into an envelope.
func (m *message) wrap() {
	m.bare = false
	m.drop("data")
}

func (m *message) drop(name string) { m.envelope = without(m.envelope, name) }

func without(members []member, name string) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.name == name })
}
