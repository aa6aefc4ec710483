package stream

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

// A partition whose broker does not answer has no offset: to take the client's word
// for one would be to take its log for empty. Those of other brokers have theirs. The
// brokers are librdkafka's own imitation, as what is tried here is the client.
func TestABrokerThatDoesNotAnswerHoldsUpItsPartitionsAlone(t *testing.T) {
	const topic = "split"
	brokers, err := kafka.NewMockCluster(2)
	if err != nil {
		t.Fatal(err)
	}
	defer brokers.Close()
	if err := brokers.CreateTopic(topic, 2, 1); err != nil {
		t.Fatal(err)
	}
	first, second := record.Partition{Topic: topic, ID: 0}, record.Partition{Topic: topic, ID: 1}
	s := scout{admin: testAdmin(t, Config{Brokers: []string{brokers.BootstrapServers()}, SecurityProtocol: "PLAINTEXT"}).client}
	ask := func() (map[record.Partition]int64, error) {
		return s.offsets(t.Context(), topicPartitions([]record.Partition{first, second}), kafka.LatestOffsetSpec)
	}
	ends := func() map[record.Partition]int64 {
		found, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	// A client that is still connecting may ask for the leaders anew only after 3 s.
	eventually(t, "the brokers to be known", func() bool { _, err := ask(); return err == nil })
	if diff := cmp.Diff(map[record.Partition]int64{first: 0, second: 0}, ends()); diff != "" {
		t.Fatalf("with both brokers: %s", diff)
	}
	if err := brokers.SetBrokerDown(2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[record.Partition]int64{first: 0}, ends()); diff != "" {
		t.Errorf("with the second broker away: %s", diff)
	}
}

func TestAPartitionWithoutAnAnswerIsTold(t *testing.T) {
	told, untold := record.Partition{Topic: "there", ID: 0}, record.Partition{Topic: "there", ID: 1}
	f := findings{topics: map[string]topic{"there": {}}, places: map[record.Partition]Place{told: {}}}
	if err := f.untold([]record.Partition{told, {Topic: "to come"}}); err != nil {
		t.Errorf("of one that is told, and of a topic that does not exist: %v", err)
	}
	if err := f.untold([]record.Partition{told, untold}); !errors.Is(err, errNoLeader) || !strings.Contains(err.Error(), untold.String()) {
		t.Errorf("of one that is not told: %v", err)
	}
}

// A log that was cut under one partition's reader is told, though another partition has
// no leader: of that one nothing is known, and nothing is done.
func TestALostOffsetIsToldBesideAPartitionWithoutALeader(t *testing.T) {
	c, err := NewConsumer(Config{Brokers: []string{"127.0.0.1:1"}, GroupID: "any", Topics: []string{"there"}, SecurityProtocol: "PLAINTEXT"}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	cut, away := record.Partition{Topic: "there", ID: 0}, record.Partition{Topic: "there", ID: 1}
	f := findings{
		suspect: true, topics: map[string]topic{"there": {}}, places: map[record.Partition]Place{cut: {Low: 10, High: 20}},
		asked: map[record.Partition]*partition{}, position: map[record.Partition]int64{},
	}
	for _, id := range []record.Partition{cut, away} {
		c.owned[id] = &partition{phase: reading, delivered: 5, position: 5}
		f.asked[id], f.position[id] = c.owned[id], 5
	}
	f.err = f.untold([]record.Partition{cut, away})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var polling sync.WaitGroup
	polling.Go(func() { c.takeUp(ctx, f) })
	select {
	case r := <-c.Rebalances():
		if r.Kind != Failed || len(r.Partitions) != 1 || r.Partitions[0].Partition != cut {
			t.Errorf("told %+v", r)
		}
	case <-ctx.Done():
		t.Error("nothing is told")
	}
	polling.Wait()
	if got := c.owned[away].phase; got != reading {
		t.Errorf("of the other it is thought that it is in phase %d", got)
	}
}
