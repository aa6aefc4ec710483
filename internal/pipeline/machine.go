package pipeline

import (
	"cmp"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

const (
	commitEvery = time.Second
	checkEvery  = time.Second     // how often stuck partitions are looked for
	stuckAfter  = 5 * time.Second // a partition that is this far behind the others may be paused
)

// Machine decides what happens to every record. It has no goroutines, no clock
// and does no I/O. Step is for one goroutine; Snapshot and Room are for any.
type Machine struct {
	cfg     Config
	rand    *rand.Rand
	observe func(Ending)
	keep    bool

	mu       sync.Mutex // guards all below, so that a scrape sees it between steps
	books    books
	parts    map[record.Partition]*partition
	owned    []*partition // the same, in the order they came, so that effects have one order
	handover handover
	held     map[record.Partition]bool  // by an operator; owned or not
	lanes    []*lane                    // one for each entity seen
	entities map[string]document.Entity // of the latest good event of each topic
	batches  map[uint64][]*item         // being prepared
	writes   map[uint64]write           // bulk requests under way
	letters  map[uint64]*flight         // dead letters under way
	recalls  map[uint64]*recall         // records being read again
	timers   timers
	lastID   uint64

	committing bool
	lastCommit time.Time
	lastCheck  time.Time
	// Of the documents that were settled: when the last one was, and when the one that
	// came last had begun to wait.
	lastEnd, newestEnd time.Time

	now     time.Time // of the step
	effects []Effect
	place   record.Record // what the observer sees of a record without contents
}

// NewMachine returns a machine that owns no partition. Random is for the jitter
// of retries; observe is told how each record ended, within Step, and must not
// block. With keep, records stay in memory until they end; else those of a backlog
// do not, and [Recall] asks for them again.
func NewMachine(cfg Config, random *rand.Rand, observe func(Ending), keep bool) *Machine {
	return &Machine{
		cfg: cfg, rand: random, observe: observe, keep: keep,
		books:    newBooks(),
		parts:    map[record.Partition]*partition{},
		held:     map[record.Partition]bool{},
		entities: map[string]document.Entity{},
		batches:  map[uint64][]*item{},
		writes:   map[uint64]write{},
		letters:  map[uint64]*flight{},
		recalls:  map[uint64]*recall{},
	}
}

// Step takes one input and returns what is to be done, in order. now must never
// go back.
func (m *Machine) Step(now time.Time, in Input) []Effect {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.effects, m.now = nil, now
	switch in := in.(type) {
	case Tick:
	case Assign:
		m.assign(in)
	case Release:
		m.release(now, in)
	case Lose:
		m.lose(in)
	case Fail:
		m.fail(in)
	case Hold:
		m.hold(in)
	case Receive:
		m.receive(now, in)
	case Prepared:
		m.prepared(now, in)
	case Written:
		m.written(now, in)
	case Recalled:
		m.recalled(now, in)
	case Delivered:
		m.delivered(now, in)
	case Committed:
		m.committed(now, in)
	}
	m.timers.fire(now)
	m.pump(now)
	m.tellStalls(now)
	m.checkStuck(now)
	m.handOver(now)
	m.commit(now)
	return m.effects
}

func (m *Machine) do(e Effect) { m.effects = append(m.effects, e) }

func (m *Machine) id() uint64 {
	m.lastID++
	return m.lastID
}

// Room reports whether more records may be received: the memory in flight is
// bounded. What paused partitions hold does not count, up to a third as much again,
// or a partition whose records can't end would keep all others from theirs.
func (m *Machine) Room() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	active, all := 0, 0
	for _, part := range m.owned {
		all += part.memory()
		if part.paused == "" {
			active += part.memory()
		}
	}
	return active < m.cfg.budget() && all < m.cfg.total()
}

// Wake returns when the next Tick is due, if nothing else happens before.
func (m *Machine) Wake(now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	wake := now.Add(checkEvery)
	if at, ok := m.timers.next(); ok && at.Before(wake) {
		wake = at
	}
	if at, ok := m.handover.next(now); ok && at.Before(wake) {
		wake = at
	}
	if l, due := m.nextLane(); l != nil && len(m.writes) < m.cfg.Concurrency && due.Before(wake) {
		wake = due
	}
	return wake
}

// receive begins to follow records and asks for their preparation. Records of a
// partition that is not ours are dropped: their owner reads them too.
func (m *Machine) receive(now time.Time, in Receive) {
	items := make([]*item, 0, len(in.Records))
	records := make([]*record.Record, 0, len(in.Records))
	for i := range in.Records {
		r := &in.Records[i]
		part := m.parts[r.Partition]
		if part == nil || part.leaving {
			continue
		}
		it := &item{part: part, offset: r.Offset, timestamp: r.Timestamp, received: now.UnixNano(), contents: newContents(r)}
		part.begin(it)
		it.weigh(0)
		m.books.consumed[r.Topic]++
		m.books.inFlight++
		items, records = append(items, it), append(records, &it.contents.record)
	}
	if len(items) == 0 {
		return
	}
	id := m.id()
	m.batches[id] = items
	m.do(Prepare{Batch: id, Records: records})
}

// prepared sorts records by what was found out of them.
func (m *Machine) prepared(now time.Time, in Prepared) {
	items := m.batches[in.Batch]
	delete(m.batches, in.Batch)
	for i, it := range items {
		if it.ended {
			continue
		}
		p := &in.Results[i]
		it.digest, it.time = p.Change.Digest, p.Change.Time()
		if entity := cmp.Or(p.Change.Entity, p.Event.Entity); entity != "" {
			it.lane = m.lane(entity)
		}
		it.contents.decoded(p)
		switch {
		case p.Rejection != nil:
			m.bury(it, string(p.Rejection.Reason), p.Rejection.Detail)
		case p.Duplicate:
			m.end(it, Duplicate, "")
		default:
			m.entities[it.part.name.Topic] = p.Change.Entity
			m.wait(now, it)
		}
	}
}

// wait lets a good event join what waits for its document. In a backlog, of more
// than one request, the record is let go: what it says is in the state that waits.
func (m *Machine) wait(now time.Time, it *item) {
	change := &it.contents.change
	if !m.keep && len(it.lane.queue) >= m.cfg.MaxEvents {
		it.letGo()
	}
	it.lane.add(now, change.ID, bundle{state: change.State, items: []*item{it}})
}

// opaqueID names a write in OpenSearch's own logs and tasks: by the correlation id
// of the event, where it is of one event that has one.
func opaqueID(id uint64, batch []*waiting) string {
	if len(batch) == 1 && len(batch[0].sending.items) == 1 {
		if c := batch[0].sending.items[0].contents; c != nil && c.event.CorrelationID != "" {
			return c.event.CorrelationID
		}
	}
	return "search-indexer-" + strconv.FormatUint(id, 10)
}

// commit asks for a commit of what has moved, one at a time.
func (m *Machine) commit(now time.Time) {
	if m.committing || now.Sub(m.lastCommit) < commitEvery {
		return
	}
	next := map[record.Partition]int64{}
	for _, part := range m.owned {
		if offset, moved := part.tracker.taken(); moved && !part.leaving {
			next[part.name] = offset
		}
	}
	if len(next) > 0 {
		m.committing, m.lastCommit = true, now
		m.do(Commit{Next: next})
	}
}

// committed ends a commit. After one that failed everything is committed anew,
// whether it has moved since or not.
func (m *Machine) committed(now time.Time, in Committed) {
	m.committing = false
	if in.Err == nil {
		return
	}
	m.handover.refused(now)
	for _, part := range m.owned {
		part.tracker.moved = true
	}
}

// backoff returns the delay before try number n+1: 100 ms doubled each time up to
// 10 s, of which a random half is taken off, so that workers do not march in step.
func (m *Machine) backoff(n int) time.Duration {
	const first, most = 100 * time.Millisecond, 10 * time.Second
	d := min(first<<min(n, 10), most)
	return d/2 + time.Duration(m.rand.Int64N(int64(d/2)))
}
