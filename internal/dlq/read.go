package dlq

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// Log reads stretches of topics outside any group, as [stream.Reader] does.
type Log interface {
	Ranges(ctx context.Context, topics []string) ([]stream.Range, error)
	Read(ctx context.Context, ranges []stream.Range, fn func(record.Record) error) error
}

// Decoder reads events, as [handlers.Mux] does.
type Decoder interface {
	Decode(r *record.Record) (handlers.Event, handlers.Change, *handlers.Rejection)
}

// Entry is one letter without its record's bytes: they stay in the topic.
type Entry struct {
	Name
	Reason        string
	Error         string
	EventID       string
	EventType     string // empty where it is unknown
	CorrelationID string
	Document      document.Key // as far as it can be told
	Timestamp     int64        // of the original record, in ms since 1970, or -1
	FailedAt      time.Time    // of the latest copy, as is what stands above
	At            Place        // of the latest copy in the dead-letter topic
	Copies        []Place      // of all, At included
	Done          time.Time    // when it was acknowledged; zero while the letter is open

	recordKey string
}

// Open reports whether the letter has yet to be brought into the index.
func (e *Entry) Open() bool { return e.Done.IsZero() }

// Stranger is a record of the dead-letter topic that is no letter.
type Stranger struct {
	Place
	Timestamp int64 // as Kafka keeps it, in ms since 1970, or -1
}

// Listing is the dead-letter topic at one moment.
type Listing struct {
	Letters   []*Entry // by FailedAt, then name
	Strangers []Stranger

	ranges []stream.Range
	acks   map[string]acknowledgement // by the letter's name
}

// Reader reads the dead-letter topic and its acknowledgements. It is safe for
// concurrent use.
type Reader struct {
	log     Log
	decoder Decoder
	topic   string
}

// NewReader returns a Reader of the dead-letter topic of that name.
func NewReader(log Log, decoder Decoder, topic string) *Reader {
	return &Reader{log: log, decoder: decoder, topic: topic}
}

// Topic returns the name of the dead-letter topic.
func (r *Reader) Topic() string { return r.topic }

// List reads the whole topic as it stands now. It keeps some hundred bytes of
// memory for each letter.
func (r *Reader) List(ctx context.Context) (*Listing, error) {
	// The acknowledgements come first: the letter of each is then among what is
	// read behind them, unless it is gone. Purge relies on it.
	acks, err := r.acknowledgements(ctx)
	if err != nil {
		return nil, err
	}
	ranges, err := r.log.Ranges(ctx, []string{r.topic})
	if err != nil {
		return nil, fmt.Errorf("look for the dead letters in %s: %w", r.topic, err)
	}
	if len(ranges) == 0 {
		return nil, fmt.Errorf("the dead-letter topic %s does not exist: run `indexer setup`, or check KAFKA_DLQ_TOPIC", r.topic)
	}
	listing := &Listing{ranges: ranges, acks: acks}
	found := map[Name]*Entry{}
	err = r.log.Read(ctx, ranges, func(rec record.Record) error {
		letter, err := Parse(&rec)
		if err != nil {
			listing.Strangers = append(listing.Strangers, Stranger{placeOf(&rec), rec.Timestamp})
			return nil //nolint:nilerr // what is no letter is counted, and no fault of the reading
		}
		entry := r.entry(letter, placeOf(&rec))
		if known := found[entry.Name]; known != nil {
			known.join(entry)
			return nil
		}
		found[entry.Name] = entry
		listing.Letters = append(listing.Letters, entry)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the dead letters in %s: %w", r.topic, err)
	}
	listing.settle()
	return listing, nil
}

func (r *Reader) entry(l Letter, at Place) *Entry {
	event, change, _ := r.decoder.Decode(l.Record)
	return &Entry{
		Name: NameOf(l.Record), Reason: l.Reason, Error: l.Error,
		EventID: l.EventID, EventType: event.Type, CorrelationID: l.CorrelationID,
		Document: change.Key, Timestamp: l.Record.Timestamp,
		FailedAt: l.FailedAt, At: at, Copies: []Place{at}, recordKey: string(l.Record.Key),
	}
}

// join takes in another copy of the letter.
func (e *Entry) join(other *Entry) {
	copies := slices.Concat(e.Copies, other.Copies)
	if other.FailedAt.After(e.FailedAt) {
		*e = *other
	}
	e.Copies = copies
}

// settle sorts the letters and tells the open ones from the others. A copy that has
// failed later than what was acknowledged is a new failure: the record was read
// again, say into a new index.
func (l *Listing) settle() {
	slices.SortFunc(l.Letters, func(a, b *Entry) int {
		return cmp.Or(a.FailedAt.Compare(b.FailedAt), cmp.Compare(a.Name.String(), b.Name.String()))
	})
	for _, e := range l.Letters {
		if ack, ok := l.acks[e.Name.String()]; ok && !e.FailedAt.After(ack.FailedAt) {
			e.Done = ack.At
		}
	}
}

// Each reads the records of entries again and hands each letter to fn, from one
// goroutine, in the order of the topic's partitions. Those that have left the
// topic since it was listed are passed over.
func (r *Reader) Each(ctx context.Context, entries []*Entry, fn func(*Entry, Letter) error) error {
	wanted := make(map[Place]*Entry, len(entries))
	stretches := map[record.Partition]stream.Range{}
	for _, e := range entries {
		wanted[e.At] = e
		stretch, ok := stretches[e.At.Partition]
		if !ok {
			stretch = stream.Range{Partition: e.At.Partition, From: e.At.Offset}
		}
		stretch.From, stretch.To = min(stretch.From, e.At.Offset), max(stretch.To, e.At.Offset+1)
		stretches[e.At.Partition] = stretch
	}
	present, err := r.log.Ranges(ctx, []string{r.topic})
	if err != nil {
		return fmt.Errorf("look for the dead letters in %s: %w", r.topic, err)
	}
	var ranges []stream.Range
	for _, p := range present {
		if stretch, ok := stretches[p.Partition]; ok {
			stretch.From, stretch.To = max(stretch.From, p.From), min(stretch.To, p.To)
			ranges = append(ranges, stretch)
		}
	}
	err = r.log.Read(ctx, ranges, func(rec record.Record) error {
		e := wanted[placeOf(&rec)]
		if e == nil {
			return nil
		}
		letter, err := Parse(&rec)
		if err != nil || NameOf(letter.Record) != e.Name {
			return nil //nolint:nilerr // the topic was made again meanwhile: it is another record
		}
		return fn(e, letter)
	})
	if err != nil {
		return fmt.Errorf("read the dead letters in %s: %w", r.topic, err)
	}
	return nil
}
