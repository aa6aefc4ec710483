package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// event is what a publisher meant by a record, as the reference understands it.
type event struct {
	entity, id string
	deletes    bool
	version    int64
	versioned  bool
	micros     int64             // its own time; 0 where the record's time stands in
	fields     map[string]string // name to JSON value
	nature     nature
}

// nature is how good an event is.
type nature int

const (
	good   nature = iota
	broken        // no decoder can read it
	poison        // decoded well, but the index does not take one of its values
)

// entry is one record of the log, with what was meant by it.
type entry struct {
	event
	record    record.Record
	timestamp int64 // milliseconds, of the record
	cut       bool  // by retention: nobody can read it any more
}

// kafkaLog is all topics. Offsets have holes, as transactions leave them.
type kafkaLog struct {
	world   *world
	names   []record.Partition
	parts   map[record.Partition][]*entry
	next    map[record.Partition]int64 // offset of the next record
	low     map[record.Partition]int64 // first offset that is still there
	topics  []string
	made    map[string]int    // how often a topic was made
	all     map[string]*entry // by the record's key, which names each of them
	counter int64             // makes times unique
	left    int               // events not yet published
}

func newLog(w *world) *kafkaLog {
	l := &kafkaLog{world: w, parts: map[record.Partition][]*entry{}, next: map[record.Partition]int64{}}
	l.low, l.made, l.all = map[record.Partition]int64{}, map[string]int{}, map[string]*entry{}
	for _, topic := range []string{"post.created", "post.updated", "post.deleted", "artist.created", "artist.updated"} {
		if w.chance(4) && topic != "post.created" {
			continue // a topic that is not there
		}
		l.topics = append(l.topics, topic)
		for id := range 1 + w.rand.IntN(3) {
			l.names = append(l.names, record.Partition{Topic: topic, ID: int32(id)})
		}
	}
	return l
}

// publishAll plans the publishing of a random history of a few documents, some of
// it before anything runs.
func (l *kafkaLog) publishAll() {
	w := l.world
	documents := 1 + w.rand.IntN(10)
	l.left = 15 + w.rand.IntN(100)
	for range l.left {
		e := l.invent(w.rand.IntN(documents))
		at := time.Duration(0)
		if !w.chance(3) {
			at = w.upTo(w.faults.end)
		}
		w.after(at, func() { l.publish(e); l.left-- })
	}
}

// invent makes one event of the n-th document.
func (l *kafkaLog) invent(n int) event {
	w := l.world
	l.counter++
	e := event{
		entity: "post", id: fmt.Sprint("p", n), fields: map[string]string{},
		version: w.rand.Int64N(6), versioned: !w.chance(6),
	}
	if n%3 == 2 {
		e.entity = "artist"
	}
	if !w.chance(5) { // an own time, unique and never that of a record, which has no microseconds
		e.micros = epoch().Add(-w.upTo(time.Hour)).UnixMilli()*1000 + 1 + l.counter%999
	}
	e.fields[e.entity+"_id"] = fmt.Sprintf("%q", e.id)
	e.deletes = e.entity == "post" && w.chance(6)
	if !e.deletes {
		for range w.rand.IntN(4) {
			value := fmt.Sprintf(`"%d%s"`, l.counter, strings.Repeat("x", w.rand.IntN(20)<<w.rand.IntN(7)))
			e.fields[string("abcde"[w.rand.IntN(5)])] = value
		}
	}
	switch {
	case w.chance(12):
		e.nature = broken
	case !e.deletes && n%4 == 1 && w.chance(9):
		e.nature = poison
		e.fields[fmt.Sprint("poison", l.counter)] = `"poison"`
	}
	return e
}

// publish appends e, now and then twice, to a partition that its document shares
// with others or not.
func (l *kafkaLog) publish(e event) {
	w := l.world
	part, ok := l.partitionFor(&e)
	if !ok {
		return
	}
	l.append(part, e)
	for w.chance(6) {
		l.append(part, e)
	}
}

func (l *kafkaLog) partitionFor(e *event) (record.Partition, bool) {
	var fit []record.Partition
	for _, p := range l.names {
		if strings.HasPrefix(p.Topic, e.entity) && strings.HasSuffix(p.Topic, ".deleted") == e.deletes {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return record.Partition{}, false
	}
	return fit[l.world.rand.IntN(len(fit))], true
}

func (l *kafkaLog) append(part record.Partition, e event) {
	w := l.world
	if w.chance(8) {
		l.next[part] += 1 + w.rand.Int64N(2) // a marker, or what compaction left
	}
	l.counter++
	at := epoch().UnixMilli() + l.counter // unique, so that no two events tie
	l.add(part, &entry{event: e, timestamp: at, record: record.Record{Timestamp: at, Value: e.value(part, l.counter)}})
}

func (l *kafkaLog) add(part record.Partition, e *entry) {
	e.record.Partition, e.record.Offset, e.record.Key = part, l.next[part], fmt.Append(nil, len(l.all))
	l.next[part]++
	l.parts[part] = append(l.parts[part], e)
	l.all[string(e.record.Key)] = e
	l.world.say("log", "%s@%d %s", part, e.record.Offset, e)
}

// id is the topic's id, which no other topic has.
func (l *kafkaLog) id(topic string) string { return fmt.Sprint(topic, "#", l.made[topic]) }

// value is e as a publisher writes it.
func (e event) value(part record.Partition, n int64) []byte {
	if e.nature == broken {
		garbage := []string{"", "{", "[]", `{"data":{"title":"no id"}}`, `{"event_type":"user.created","data":{}}`, "\xff"}
		return []byte(garbage[n%int64(len(garbage))])
	}
	members := []string{fmt.Sprintf(`"event_type":%q`, part.Topic)}
	if e.versioned {
		members = append(members, fmt.Sprintf(`"version":%d`, e.version))
	}
	if e.micros != 0 {
		members = append(members, `"timestamp":"`+time.UnixMicro(e.micros).UTC().Format("2006-01-02T15:04:05.000000Z")+`"`)
	}
	var data []string
	for _, name := range sorted(e.fields) {
		data = append(data, fmt.Sprintf("%q:%s", name, e.fields[name]))
	}
	return []byte("{" + strings.Join(members, ",") + `,"data":{` + strings.Join(data, ",") + "}}")
}

func (e event) String() string {
	kind := [...]string{good: "upsert", broken: "BROKEN", poison: "POISON"}[e.nature]
	if e.deletes && e.nature == good {
		kind = "delete"
	}
	version := "none"
	if e.versioned {
		version = fmt.Sprint(e.version)
	}
	return fmt.Sprintf("%s %s/%s version %s %v", kind, e.entity, e.id, version, sorted(e.fields))
}

// from returns the records of a partition at or after offset, at most count.
func (l *kafkaLog) from(part record.Partition, offset int64, count int) []*entry {
	entries := l.parts[part]
	offset = max(offset, l.low[part])
	i, _ := slices.BinarySearchFunc(entries, offset, func(e *entry, o int64) int { return int(e.record.Offset - o) })
	return entries[i:min(i+count, len(entries))]
}

// end is the offset to be committed when every record of a partition has ended.
func (l *kafkaLog) end(part record.Partition) int64 {
	entries := l.parts[part]
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].record.Offset + 1
}

// sorted returns the keys of m in order, so that no run depends on a map's.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func sortedPartitions[V any](m map[record.Partition]V) []record.Partition {
	keys := make([]record.Partition, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b record.Partition) int {
		if a.Topic != b.Topic {
			return strings.Compare(a.Topic, b.Topic)
		}
		return int(a.ID - b.ID)
	})
	return keys
}
