package simulate

import (
	"cmp"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// again publishes what was in the log once more, over a few seconds: the same events
// with the same times, at other places.
func (l *kafkaLog) again(entries []*entry) {
	w := l.world
	for _, e := range entries {
		l.left++
		w.after(w.upTo(4*time.Second), func() {
			l.left--
			l.add(l.partitionOf(e), &entry{event: e.event, timestamp: e.timestamp, record: record.Record{
				Timestamp: e.timestamp, Value: e.record.Value,
			}})
		})
	}
}

// partitionOf picks a partition of the topic that an entry is of.
func (l *kafkaLog) partitionOf(e *entry) record.Partition {
	var fit []record.Partition
	for _, p := range l.names {
		if p.Topic == e.record.Topic {
			fit = append(fit, p)
		}
	}
	return fit[l.world.rand.IntN(len(fit))]
}

// remake deletes a topic and makes it again under its name; what was in it is
// published once more.
func (l *kafkaLog) remake(topic string) {
	w := l.world
	l.made[topic]++
	w.say("log", "topic %s is made again", topic)
	w.checks.count("topics made again")
	var gone []*entry
	for _, p := range l.names {
		if p.Topic != topic {
			continue
		}
		for _, e := range l.parts[p] {
			if !e.cut { // that is on its way already
				gone = append(gone, e)
			}
		}
		l.parts[p], l.next[p], l.low[p] = nil, 0, 0
		w.checks.passed[p] = 0
		if !w.chance(3) { // else the broker has not come to it before the next commit
			delete(w.group.committed, p)
		}
	}
	l.again(gone)
}

// cutSome cuts a partition, now and then the one where the group is furthest behind.
func (l *kafkaLog) cutSome() {
	part := l.names[l.world.rand.IntN(len(l.names))]
	if l.world.chance(2) {
		behind := func(p record.Partition) int64 { return l.end(p) - l.world.group.committed[p].offset }
		part = slices.MaxFunc(l.names, func(a, b record.Partition) int { return cmp.Compare(behind(a), behind(b)) })
	}
	l.cut(part)
}

// cut takes the oldest records of a partition out of the log, as retention does. A
// publisher that hears of it publishes them once more.
func (l *kafkaLog) cut(part record.Partition) {
	there := l.from(part, 0, len(l.parts[part]))
	if len(there) == 0 {
		return
	}
	if !l.world.chance(2) {
		there = there[:1+l.world.rand.IntN(len(there))]
	}
	for _, e := range there {
		e.cut = true
	}
	l.low[part] = there[len(there)-1].record.Offset + 1
	l.world.checks.count("logs cut")
	l.world.say("log", "%s is cut to begin at %d", part, l.low[part])
	l.again(there)
}
