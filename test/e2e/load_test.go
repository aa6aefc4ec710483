package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// A record of 10 MB, twice what a bulk request holds, among small ones; and an entity
// with many more updates than others have. Both end, as do all around them.
func TestLargeRecordAndHotEntity(t *testing.T) {
	t.Parallel()
	const small, updates = 300, 5000
	x := newIndexer(t)
	x.createLarge("post.created", "post.updated")
	x.setup()
	var records []Record
	add := func(topic, id string, version int, content string) {
		records = append(records, Record{Topic: topic, Key: []byte(id), Value: fmt.Appendf(nil,
			`{"version":%d,"data":{"post_id":%q,"content":%q}}`, version, id, content)})
	}
	long := randomText(10_000_000)
	for i := range small {
		if i == small/2 {
			add("post.created", "large", 1, long)
		}
		add("post.created", fmt.Sprint("small-", i), 1, "a text")
	}
	for i := range updates {
		add("post.updated", "hot", i+1, strconv.Itoa(i+1))
	}
	places := x.publish(records)
	w := x.start()
	x.awaitCommitted(places)
	w.stop()

	x.mustHold("large", 1, long)
	x.mustHold("hot", updates, strconv.Itoa(updates))
	for i := range small {
		x.mustHold(fmt.Sprint("small-", i), 1, "a text")
	}
	var stats struct {
		All struct {
			Primaries struct {
				Indexing struct {
					Total int `json:"index_total"`
				} `json:"indexing"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	if err := x.cluster.Do(t.Context(), "GET", "/"+x.index+"posts/_stats/indexing", "", &stats); err != nil {
		t.Fatal(err)
	}
	if n := stats.All.Primaries.Indexing.Total; n >= small+updates {
		t.Errorf("%d writes: updates of one document that wait together are not joined", n)
	}
}

// createLarge makes topics that take records of 10 MB.
func (x *indexer) createLarge(topics ...string) {
	x.t.Helper()
	admin, err := x.broker.admin()
	if err != nil {
		x.t.Fatal(err)
	}
	defer admin.Close()
	var specs []kafka.TopicSpecification
	for _, topic := range topics {
		specs = append(specs, kafka.TopicSpecification{
			Topic: x.prefix + topic, NumPartitions: 12, ReplicationFactor: 1,
			Config: map[string]string{"max.message.bytes": strconv.Itoa(largest)},
		})
	}
	made, err := admin.CreateTopics(x.t.Context(), specs)
	if err := firstError(made, err); err != nil {
		x.t.Fatal(err)
	}
}

// mustHold wants a post of that version and content.
func (x *indexer) mustHold(id string, version int, content string) {
	x.t.Helper()
	var doc struct {
		Source struct {
			Version int    `json:"version"`
			Content string `json:"content"`
		} `json:"_source"`
	}
	if err := x.cluster.Do(x.t.Context(), "GET", "/"+x.index+"posts/_doc/"+id, "", &doc); err != nil {
		x.t.Errorf("%s: %v", id, err)
		return
	}
	if got := doc.Source; got.Version != version || got.Content != content {
		t := got.Content[:min(len(got.Content), 20)]
		x.t.Errorf("%s: version %d with %d bytes (%s…), want %d with %d", id, got.Version, len(got.Content), t, version, len(content))
	}
}

// randomText returns words that pack as little as prose does.
func randomText(size int) string {
	random := rand.New(rand.NewPCG(1, 2)) // the same each time
	var text strings.Builder
	for text.Len() < size {
		text.WriteString(strconv.FormatUint(random.Uint64(), 36))
		text.WriteByte(' ')
	}
	return text.String()[:size]
}
