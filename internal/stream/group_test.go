package stream

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

func nopLog() zerolog.Logger { return zerolog.Nop() }

func TestRevokedRecordsOfAHeldChunkGoToTheNewOwner(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 4)[0]
		const each = 50
		publishEverywhere(t, cfg, topic, 4, each)

		first := join(t, cfg)
		first.deafened = true
		serve(t, "the assignment", first.owns(4), first)
		eventually(t, "the chunk to be held", func() bool {
			first.step()
			first.c.mu.Lock()
			defer first.c.mu.Unlock()
			return first.c.holding
		})
		second := join(t, cfg)
		serve(t, "the second's share", second.owns(2), first, second)
		if !first.wasTold(Revoked)() {
			t.Error("the first was told of no revoke")
		}
		first.deafened = false
		serve(t, "every record", func() bool { return len(first.got)+len(second.got) >= 4*each }, first, second)
		checkOnceEach(t, 4, each, first, second)
	})
}

func TestNothingIsLostAsMembersJoinAndLeave(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 4)[0]
		const each, rounds = 200, 5
		var members []*member
		everyone := func() []*member { return members }
		seen := func() int {
			places := map[string]bool{}
			for _, m := range everyone() {
				for _, r := range m.got {
					places[fmt.Sprint(r.Partition, r.Offset)] = true
				}
			}
			return len(places)
		}
		active := func() (all []*member) {
			for _, m := range members {
				if m.c != nil {
					all = append(all, m)
				}
			}
			return all
		}
		for round := range rounds {
			publishEverywhere(t, cfg, topic, 4, each)
			switch round {
			case 0, 1, 2:
				members = append(members, join(t, cfg))
			case 3:
				members[0].leave()
			case 4:
				members[1].leave()
			}
			serve(t, "each record of the round", func() bool { return seen() == (round+1)*4*each }, active()...)
		}
		members[2].commit()
		if got := sum(committedIn(t, cfg)); got != rounds*4*each {
			t.Errorf("committed %d records of %d", got, rounds*4*each)
		}
	})
}

func TestAMemberThatWasPutOutMovesNoOffsets(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		const each = 20
		topic := makeTopics(t, cfg, 2)[0]
		publishEverywhere(t, cfg, topic, 2, each)
		slow := cfg
		slow.Options = shortestPollInterval(cfg)
		first := join(t, slow)
		serve(t, "the records", first.hasRead(2*each), first)
		for id := range first.next {
			first.next[id] = each / 2
		}

		// The first member answers no rebalance until the group has put it out.
		second := join(t, cfg)
		serve(t, "all partitions", second.owns(2), second)
		serve(t, "the records again", second.hasRead(2*each), second)
		second.commit()
		before := committedIn(t, cfg)

		first.putOut = true
		first.commit()
		serve(t, "the first's part", first.owns(0), first)
		first.putOut = false
		serve(t, "the first's return", func() bool { return first.owns(1)() && second.owns(1)() }, first, second)
		if diff := cmp.Diff(before, committedIn(t, cfg)); diff != "" {
			t.Errorf("offsets moved: %s", diff)
		}
	})
}

// shortestPollInterval has the group put a member out after the least time that
// the brokers allow by default.
func shortestPollInterval(cfg Config) map[string]string {
	options := maps.Clone(cfg.Options)
	options["max.poll.interval.ms"] = fmt.Sprint(shortest.Milliseconds())
	if options["group.protocol"] == "classic" {
		options["session.timeout.ms"] = options["max.poll.interval.ms"]
	}
	return options
}

const shortest = 6 * time.Second

func TestALongStopOfTheReaderKeepsTheMembership(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		cfg.Options = shortestPollInterval(cfg)
		topic := makeTopics(t, cfg, 2)[0]
		paused := record.Partition{Topic: topic, ID: 1}
		m := join(t, cfg)
		serve(t, "the assignment", m.owns(2), m)
		if err := m.c.Pause(paused); err != nil {
			t.Fatal(err)
		}
		publishEverywhere(t, cfg, topic, 2, 2*chunkRecords)
		m.deafened = true
		stop := time.Now()
		serve(t, "more than max.poll.interval.ms to pass", func() bool { return time.Since(stop) > shortest+2*time.Second }, m)
		m.deafened = false
		serve(t, "the partition that was not paused", m.hasRead(2*chunkRecords), m)
		for _, r := range m.got {
			if r.Partition == paused {
				t.Fatalf("record of the paused partition at offset %d", r.Offset)
			}
		}
		if err := m.c.Resume(paused); err != nil {
			t.Fatal(err)
		}
		serve(t, "the paused partition", m.hasRead(4*chunkRecords), m)
		if len(m.told) != 1 {
			t.Errorf("told of %d rebalances, want the first assignment alone:\n%s", len(m.told), m.log)
		}
		checkOnceEach(t, 2, 2*chunkRecords, m)
	})
}

func publishEverywhere(t *testing.T, cfg Config, topic string, partitions, each int) {
	t.Helper()
	var records []*record.Record
	for i := range partitions * each {
		at := record.Partition{Topic: topic, ID: int32(i % partitions)}
		records = append(records, &record.Record{Partition: at, Value: fmt.Append(nil, i)})
	}
	publishRecords(t, cfg, records...)
}

// checkOnceEach holds that the members read each record once, in offset order.
func checkOnceEach(t *testing.T, partitions, each int, members ...*member) {
	t.Helper()
	next := map[record.Partition]int64{}
	for _, m := range members {
		for _, r := range m.got {
			if r.Offset != next[r.Partition] {
				t.Fatalf("%s: offset %d came where %d was due", r.Partition, r.Offset, next[r.Partition])
			}
			next[r.Partition]++
		}
	}
	if got := sum(next); got != int64(partitions*each) {
		t.Errorf("%d records of %d", got, partitions*each)
	}
}
