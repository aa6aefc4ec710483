package stream

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

const (
	lookInterval  = 10 * time.Second // how soon a topic that was made again is noticed
	retryInterval = time.Second
)

// findings is what one look at the brokers has found.
type findings struct {
	topics map[string]topic
	places map[record.Partition]Place
	err    error // part or all of it is missing

	asked    map[record.Partition]*partition // the ownerships that places is for
	position map[record.Partition]int64      // of each before the look
	suspect  bool                            // the look was for lost offsets too
	owned    map[record.Partition]*partition // the ownerships that ends is for
	ends     map[record.Partition]int64      // of the logs
}

// lookAround asks the brokers every now and then, and soon after lookSoon, off the
// polling goroutine: they may take long to answer.
func (c *Consumer) lookAround(ctx context.Context) {
	for {
		found := c.look(ctx)
		select {
		case c.findings <- found:
		case <-ctx.Done():
			return
		}
		interval := lookInterval
		if found.err != nil || len(found.places) < len(found.asked) {
			interval = retryInterval
		}
		select {
		case <-c.nudge:
		case <-time.After(interval):
		case <-ctx.Done():
			return
		}
	}
}

func (c *Consumer) lookSoon() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

// look asks for the topics, and for the places of the partitions that need one.
func (c *Consumer) look(ctx context.Context) findings {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	f := findings{asked: map[record.Partition]*partition{}, position: map[record.Partition]int64{}}
	var ids []record.Partition
	c.mu.Lock()
	f.suspect, c.suspect = c.suspect, false
	for _, id := range c.ids() {
		if p := c.owned[id]; p.phase == starting || f.suspect {
			ids = append(ids, id)
			f.asked[id] = p
			if p.phase == reading {
				f.position[id] = p.position
			}
		}
	}
	c.mu.Unlock()

	if f.topics, f.err = c.scout.topics(ctx, c.cfg.FullTopics()); len(f.topics) > 0 {
		var err error
		if f.places, err = c.scout.places(ctx, f.topics, ids); err != nil {
			f.err = err
		}
	}
	if f.err == nil {
		f.err = f.untold(ids)
	}
	if f.suspect && f.err != nil {
		c.doubt() // the answer is still to come
	}
	if f.err == nil && len(f.asked) == 0 {
		c.lookForEnds(ctx, &f)
	}
	return f
}

// untold is the trouble of partitions that have no place, though their topics exist.
func (f findings) untold(ids []record.Partition) error {
	for _, id := range ids {
		_, exists := f.topics[id.Topic]
		if _, told := f.places[id]; exists && !told {
			return noLeader(id)
		}
	}
	return nil
}

// lookForEnds asks how far the owned logs go: of a paused one the client hears
// nothing. It is for lag alone, so an answer that does not come is no trouble.
func (c *Consumer) lookForEnds(ctx context.Context, f *findings) {
	c.mu.Lock()
	f.owned = maps.Clone(c.owned)
	c.mu.Unlock()
	if len(f.owned) == 0 {
		return
	}
	// As the consumer reads: what is not committed yet is no lag.
	committed := kafka.SetAdminIsolationLevel(kafka.IsolationLevelReadCommitted)
	asked := topicPartitions(slices.Collect(maps.Keys(f.owned)))
	if ends, err := c.scout.offsets(ctx, asked, kafka.LatestOffsetSpec, committed); err == nil {
		f.ends = ends
	}
}

// noteEnds takes up how far the logs go.
func (c *Consumer) noteEnds(f findings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, end := range f.ends {
		if p := c.owned[id]; p != nil && p == f.owned[id] && p.phase != starting {
			p.high = end
			c.watermarks(id, p) // notes when the end was reached
		}
	}
}

// doubt asks which partition the client meant: its error names none.
func (c *Consumer) doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suspect = true
	c.lookSoon()
}

// takeUp acts on findings, on the polling goroutine.
func (c *Consumer) takeUp(ctx context.Context, f findings) {
	if c.refused() {
		if _, outdated := c.cfg.outdated(c.made); outdated {
			c.log.Info().Msg("the files of certificates or of the client secret have changed: joining the group anew with them")
			c.retire(ctx, nil)
			return
		}
	}
	c.report(f)
	if remade := c.remade(f.topics); len(remade) > 0 {
		c.log.Warn().Strs("topics", remade).
			Msg("topics were made again under their names: joining the group anew, to read them from their beginning")
		c.retire(ctx, remade)
		return
	}
	c.begin(ctx, f)
	c.noteEnds(f)
	if f.suspect && (f.err == nil || errors.Is(f.err, errNoLeader)) {
		c.examine(ctx, f)
	}
}

// remade returns the topics that are others than those that the client has read
// under their names, sorted.
func (c *Consumer) remade(topics map[string]topic) []string {
	var remade []string
	for _, name := range slices.Sorted(maps.Keys(c.topicIDs)) {
		if differ(c.topicIDs[name], topics[name].id) {
			remade = append(remade, name)
		}
	}
	return remade
}

// startAgain has the reader forget partitions and looks up where they begin.
func (c *Consumer) startAgain(ctx context.Context, ids []record.Partition) {
	c.release(ctx, Lost, ids)
	c.await(ids)
}

// due returns the places of the partitions that can begin: those that wait for a
// start, and did so when the place was asked for.
func (c *Consumer) due(f findings) map[record.Partition]Place {
	due := map[record.Partition]Place{}
	for _, id := range c.ids() {
		p := c.owned[id]
		if at, found := f.places[id]; found && p.phase == starting && p == f.asked[id] {
			due[id] = at
		}
	}
	return due
}

// begin starts to read the partitions whose place is now known.
func (c *Consumer) begin(ctx context.Context, f findings) {
	due := c.due(f)
	var starts []Start
	var ids []record.Partition
	fetch := []kafka.TopicPartition{}
	c.mu.Lock()
	for _, id := range slices.SortedFunc(maps.Keys(due), comparePartitions) {
		p, at := c.owned[id], due[id]
		from, note := StartAt(id, at, c.cfg.GroupID)
		*p = partition{
			phase: reading, topicID: at.TopicID, low: at.Low, high: at.High, atEnd: time.Now(), chunked: -1,
			begun: from.Offset, delivered: from.Offset, position: from.Offset, settled: from.Offset,
		}
		c.topicIDs[id.Topic] = at.TopicID
		if from.Problem != nil {
			p.phase = failed
		} else {
			p.assigned = true
			ids = append(ids, id)
			fetch = append(fetch, topicPartition(id, from.Offset))
			line := c.log.Debug() // tell writes one line for all of them
			if note != "" {
				line = c.log.Warn()
			}
			line.Str("topic", id.Topic).Int32("partition", id.ID).Int64("offset", from.Offset).Msg(cmp.Or(note, "reading the partition"))
		}
		starts = append(starts, from)
	}
	c.mu.Unlock()

	c.tell(ctx, Assigned, starts)
	c.fetch(ids, fetch)
}

// fetch has the client read partitions. The client's pause flags outlive an
// ownership, so each is set anew.
func (c *Consumer) fetch(ids []record.Partition, from []kafka.TopicPartition) {
	if len(from) == 0 {
		return
	}
	c.insist("assign partitions", c.client.IncrementalAssign(from))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insist("regulate partitions", c.regulate(ids))
}

// examine finds the partitions whose next offset the log has lost while they were
// read. The position from before the look is held against the log's end, today's
// against its beginning, so that what was read meanwhile is no fault. A partition whose
// leader does not answer is left to a later look.
func (c *Consumer) examine(ctx context.Context, f findings) {
	var lost []Start
	var unread, sound []record.Partition
	c.mu.Lock()
	for _, id := range c.ids() {
		p, at := c.owned[id], f.places[id]
		before, asked := f.position[id]
		if !asked || p != f.asked[id] || p.phase != reading || f.untold([]record.Partition{id}) != nil {
			continue
		}
		switch {
		case p.position >= at.Low && before <= at.High:
			sound = append(sound, id)
		case p.delivered == p.begun: // decided as at any start, without a gap in what was read
			unread = append(unread, id)
		default:
			p.phase = failed
			problem := lostRange(id, p.position, at, c.cfg.GroupID)
			lost = append(lost, Start{Partition: id, Offset: p.position, Problem: problem})
		}
	}
	c.insist("pause partitions", c.regulate(c.ids()))
	c.mu.Unlock()

	c.tell(ctx, Failed, lost)
	switch {
	case len(unread) > 0:
		c.startAgain(ctx, unread)
	case len(lost) == 0 && f.err == nil: // else each look until the leader is back would fetch anew
		c.refetch(sound)
	}
}

// refetch has the client fetch partitions anew where they are: one of them may have
// fallen silent with an error, which names none. Or it was one of a topic that was
// made again, and all is well; so this is no warning.
func (c *Consumer) refetch(ids []record.Partition) {
	from := []kafka.TopicPartition{}
	for _, id := range ids {
		from = append(from, topicPartition(id, c.owned[id].position))
	}
	if len(from) == 0 {
		return
	}
	c.log.Debug().Stringers("partitions", stringers(ids)).Msg("an offset was out of range, but is so no more: fetching anew")
	c.insist("assign partitions anew", c.client.IncrementalUnassign(from))
	c.fetch(ids, from)
	c.insist("store offsets anew", c.storeAgain(ids))
}
