package stream

import (
	"errors"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/google/go-cmp/cmp"

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
	ends := func() map[record.Partition]int64 {
		found, err := s.offsets(t.Context(), topicPartitions([]record.Partition{first, second}), kafka.LatestOffsetSpec)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
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
