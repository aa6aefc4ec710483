package stream

import (
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/test/stack"
)

// A broker that comes back raises the leader epochs of its partitions above those
// that a topic made again begins with. Found by test/chaos: the partitions were
// assigned and never read.
func TestATopicMadeAgainAfterABrokerCameBackIsRead(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			private := stack.Private(t, stack.KafkaService)
			cfg := testConfig(t)
			cfg.Brokers = strings.Split(private.Kafka, ",")
			cfg.Options = map[string]string{"group.protocol": protocol}
			cfg.Topics = []string{"remade", "other"}
			topics := makeTopics(t, cfg, 1)
			remade, other := record.Partition{Topic: topics[0]}, record.Partition{Topic: topics[1]}
			publish(t, cfg, remade, "a", "b", "c")
			publish(t, cfg, other, "d")
			m := join(t, cfg)
			serve(t, "the first records", m.hasRead(4), m)
			private.Restart(stack.KafkaService)
			publish(t, cfg, remade, "e")
			serve(t, "a record after the restart", m.hasRead(5), m)

			only := cfg
			only.Topics = cfg.Topics[:1]
			remake(t, only, 1)
			publish(t, cfg, remade, "f", "g")
			publish(t, cfg, other, "h")
			serve(t, "what came after the topic was made again", m.hasRead(8), m)
			m.commit()
			if got := committedIn(t, cfg); got[remade] != 2 || got[other] != 2 {
				t.Errorf("committed %v, want 2 of each", got)
			}
		})
	}
}
