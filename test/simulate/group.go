package simulate

import (
	"errors"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// sessionTimeout is how long the coordinator believes in a member that is silent.
const sessionTimeout = 10 * time.Second

// commitment is a committed offset, and the topic's id beside it.
type commitment struct {
	offset  int64
	topicID string
}

// coordinator is the brokers' side of the consumer group, with incremental
// assignment: a partition goes to its next owner when the last one has let go.
type coordinator struct {
	world     *world
	members   []*member // in the order they joined
	target    map[record.Partition]*member
	owner     map[record.Partition]*member
	revoking  map[record.Partition]bool
	committed map[record.Partition]commitment
	down      bool // brokers refuse commits
}

func newCoordinator(w *world) *coordinator {
	g := &coordinator{world: w}
	g.target, g.owner = map[record.Partition]*member{}, map[record.Partition]*member{}
	g.revoking, g.committed = map[record.Partition]bool{}, map[record.Partition]commitment{}
	return g
}

func (g *coordinator) join(m *member) {
	g.members = append(g.members, m)
	m.epoch++
	g.world.say("group", "%s joins", m.name)
	g.rebalance()
}

// remove takes a member out that left, or of which nothing was heard. What it
// commits from now on is refused.
func (g *coordinator) remove(m *member, why string) {
	if !slices.Contains(g.members, m) {
		return
	}
	g.world.say("group", "%s is out: %s", m.name, why)
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	for _, p := range g.world.log.names {
		if g.owner[p] == m {
			delete(g.owner, p)
			delete(g.revoking, p)
		}
	}
	g.rebalance()
}

// rebalance deals partitions out anew, as evenly as they go.
func (g *coordinator) rebalance() {
	g.target = map[record.Partition]*member{}
	if len(g.members) > 0 {
		for i, n := range g.world.rand.Perm(len(g.world.log.names)) {
			g.target[g.world.log.names[n]] = g.members[i%len(g.members)]
		}
	}
	g.world.checks.count("rebalances")
	g.settle()
}

// settle moves what is not where it should be.
func (g *coordinator) settle() {
	give, take := map[*member][]record.Partition{}, map[*member][]record.Partition{}
	for _, p := range g.world.log.names {
		want, has := g.target[p], g.owner[p]
		switch {
		case has == nil && want != nil:
			g.owner[p] = want
			give[want] = append(give[want], p)
		case has != nil && has != want && !g.revoking[p]:
			g.revoking[p] = true
			take[has] = append(take[has], p)
		}
	}
	for _, m := range g.members {
		if take[m] != nil {
			m.tellRevoked(take[m])
		}
		if give[m] != nil {
			m.epoch++
			m.tellAssigned(give[m])
		}
	}
}

// released is a member's word that it has let go.
func (g *coordinator) released(m *member, parts []record.Partition) {
	for _, p := range parts {
		if g.owner[p] == m {
			delete(g.owner, p)
			delete(g.revoking, p)
		}
	}
	m.epoch++
	g.settle()
}

var (
	errFenced = errors.New("commit of an earlier generation")
	errBroker = errors.New("no answer from the broker")
)

// commit is one request to commit as it reaches the brokers. A member that was
// thrown out, or whose share has changed since it sent it, is fenced off.
func (g *coordinator) commit(m *member, epoch int, next map[record.Partition]commitment) error {
	if g.down {
		return errBroker
	}
	if !slices.Contains(g.members, m) || m.epoch != epoch {
		return errFenced
	}
	for _, p := range sortedPartitions(next) {
		g.world.checks.committing(m, p, g.committed[p], next[p])
		g.committed[p] = next[p]
	}
	return nil
}

// place is what the brokers say of a partition.
func (g *coordinator) place(p record.Partition) stream.Place {
	l := g.world.log
	at := stream.Place{TopicID: l.id(p.Topic), Committed: -1, Low: l.low[p], High: l.next[p]}
	if c, ok := g.committed[p]; ok {
		at.Committed, at.CommittedID = c.offset, c.topicID
	}
	return at
}

// start is where a partition would be read from.
func (g *coordinator) start(p record.Partition) stream.Start {
	from, _ := stream.StartAt(p, g.place(p), "workers")
	return from
}

// skip moves the group to the beginning of those partitions that stand still since
// the log has lost what comes next. Kafka does that for a group without members only.
func (g *coordinator) skip() bool {
	if len(g.members) > 0 {
		return false
	}
	for _, p := range g.world.log.names {
		if g.start(p).Problem != nil {
			g.world.say("group", "%s goes on at %d", p, g.world.log.low[p])
			g.world.checks.excuse(p)
			g.committed[p] = commitment{g.world.log.low[p], g.world.log.id(p.Topic)}
		}
	}
	return true
}

// reset moves the group to the beginning of everything, which Kafka does for a
// group without members only.
func (g *coordinator) reset() bool {
	if len(g.members) > 0 {
		return false
	}
	g.world.say("group", "reset to the earliest offsets")
	g.committed = map[record.Partition]commitment{}
	return true
}
