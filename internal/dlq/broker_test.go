package dlq

import (
	"context"
	"errors"
	"sync"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// broker is a Kafka in memory, as far as this package uses one. A topic has two
// partitions; compaction never comes to it, which is what Kafka promises at least.
type broker struct {
	mu     sync.Mutex
	topics map[string]*[2][]record.Record
	low    map[record.Partition]int64
	refuse error // of every Send
	made   int   // topics that were made compacted
}

func newBroker() *broker {
	return &broker{topics: map[string]*[2][]record.Record{"dead": {}}, low: map[record.Partition]int64{}}
}

func (b *broker) reader() *Reader { return NewReader(b, handlers.NewMux(""), "dead") }

func (b *broker) Ranges(_ context.Context, topics []string) (ranges []stream.Range, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, topic := range topics {
		if logs := b.topics[topic]; logs != nil {
			for id, log := range logs {
				p := record.Partition{Topic: topic, ID: int32(id)}
				ranges = append(ranges, stream.Range{Partition: p, From: b.low[p], To: int64(len(log))})
			}
		}
	}
	return ranges, nil
}

func (b *broker) Read(_ context.Context, ranges []stream.Range, fn func(record.Record) error) error {
	for _, stretch := range ranges {
		b.mu.Lock()
		log := b.topics[stretch.Topic][stretch.ID]
		b.mu.Unlock()
		for _, r := range log[stretch.From:max(stretch.To, stretch.From)] {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *broker) Send(_ context.Context, r *record.Record, delivered stream.Delivered) error {
	if b.refuse != nil {
		delivered(0, 0, b.refuse)
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	logs := b.topics[r.Topic]
	if logs == nil {
		return errors.New("no such topic")
	}
	stored := *r
	stored.Partition.ID = max(r.Partition.ID, 0)
	stored.Offset = int64(len(logs[stored.Partition.ID]))
	logs[stored.Partition.ID] = append(logs[stored.Partition.ID], stored)
	delivered(stored.Partition.ID, stored.Offset, nil)
	return nil
}

func (*broker) Flush(context.Context) error { return nil }

func (b *broker) CreateCompacted(_ context.Context, name, _ string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[name] == nil {
		b.topics[name] = &[2][]record.Record{}
		b.made++
	}
	return nil
}

func (b *broker) DeleteRecords(_ context.Context, before map[record.Partition]int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, offset := range before {
		b.low[p] = offset
	}
	return nil
}

// put writes a letter to partition 0, or to 1 where its offset is odd.
func (b *broker) put(l Letter) {
	r := l.record("dead")
	r.Partition.ID = int32(l.Record.Offset % 2)
	_ = b.Send(context.Background(), r, func(int32, int64, error) {})
}

// letters sends letters and lists them.
func (b *broker) letters(ctx context.Context, letters ...Letter) *Listing {
	for _, l := range letters {
		b.put(l)
	}
	listing, err := b.reader().List(ctx)
	if err != nil {
		panic(err)
	}
	return listing
}

// count returns how many records the dead-letter topic still has.
func (b *broker) count() (n int) {
	ranges, _ := b.Ranges(context.Background(), []string{"dead"})
	for _, r := range ranges {
		n += int(r.To - r.From)
	}
	return n
}

// cluster is an OpenSearch in memory. It refuses documents with a field that strict
// names.
type cluster struct {
	mu     sync.Mutex
	states map[document.Key]document.State
	strict string
	writes int
}

func newCluster() *cluster { return &cluster{states: map[document.Key]document.State{}} }

func (c *cluster) Write(_ context.Context, _ string, actions []index.Action) []index.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	outcomes := make([]index.Outcome, len(actions))
	for i, a := range actions {
		outcomes[i] = c.write(a)
	}
	return outcomes
}

func (c *cluster) write(a index.Action) index.Outcome {
	c.writes++
	for _, f := range a.State.Unpack().Fields {
		if f.Name == c.strict {
			return index.Outcome{Result: index.Rejected, Reason: index.ReasonRejectedByIndex, Words: "strict"}
		}
	}
	was := c.states[a.Key]
	now := document.Join(was, a.State.Unpack())
	c.states[a.Key] = now
	switch {
	case document.Equal(was, now):
		return index.Outcome{Result: index.Stale}
	case a.State.Head().Visible():
		return index.Outcome{Result: index.Written}
	}
	return index.Outcome{Result: index.Deleted}
}

func (*cluster) Refresh(context.Context) (index.Targets, error) { return nil, nil }
func (*cluster) Last() index.Targets                            { return nil }

func post(offset int64, value string) *record.Record {
	return &record.Record{
		Partition: record.Partition{Topic: "post.created", ID: int32(offset % 3)},
		Offset:    offset, Timestamp: 1_700_000_000_000 + offset, Value: []byte(value),
	}
}

func keyed(r *record.Record, key string) *record.Record {
	r.Key = []byte(key)
	return r
}
