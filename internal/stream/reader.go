package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Range is a stretch of one partition's log: the records from offset From on, up
// to but without offset To.
type Range struct {
	record.Partition
	TopicID  string // of the topic; empty where the brokers know no topic ids
	From, To int64
}

// Reader reads stretches of logs by assignment: it joins no group, and it never
// commits, so it leaves every group's offsets alone. It is safe for concurrent
// use, and calls side by side share nothing.
type Reader struct {
	cfg     Config
	log     zerolog.Logger
	admin   *Admin
	closing sync.WaitGroup // clients that have read to their end
}

// NewReader makes a Reader. No broker needs to answer yet; an error means that the
// settings are wrong.
func NewReader(cfg Config, log zerolog.Logger) (*Reader, error) {
	admin, err := NewAdmin(cfg, log)
	if err != nil {
		return nil, err
	}
	return &Reader{cfg: cfg, log: log, admin: admin}, nil
}

// Close frees the connections; no method may be called after it.
func (r *Reader) Close() {
	r.closing.Go(r.admin.Close)
	r.closing.Wait()
}

// Ranges returns each partition of those of the topics that exist, sorted, from the
// beginning of its log to its present end. The end is that of committed records:
// what an open transaction has written, and all behind it, comes later. It waits
// for a broker until ctx ends, or 10 s where ctx has no deadline.
func (r *Reader) Ranges(ctx context.Context, topics []string) ([]Range, error) {
	ranges, err := r.admin.ranges(ctx, topics)
	return ranges, r.admin.connection.explain(err)
}

func (a *Admin) ranges(ctx context.Context, topics []string) ([]Range, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s := scout{admin: a.client}
	found, err := s.topics(ctx, topics)
	if err != nil {
		return nil, err
	}
	ranges, untold, err := s.logs(ctx, found, partitionsIn(found))
	if err != nil {
		return nil, err
	}
	if len(untold) > 0 {
		return nil, noLeader(untold[0])
	}
	slices.SortFunc(ranges, func(a, b Range) int { return comparePartitions(a.Partition, b.Partition) })
	return ranges, nil
}

// Read hands every record of the ranges to fn, those of a partition in offset order,
// partitions in turns, all from one goroutine. Several ranges of a partition must not
// overlap, and come in their order. It returns nil when all have been read to their
// To; fn's error at once; ctx's error when ctx ends; or why the log can't be read to
// there. Brokers that don't answer are waited for.
//
// A record keeps its bytes and may be kept. Offsets may have holes: markers of
// transactions and what compaction has removed.
func (r *Reader) Read(ctx context.Context, ranges []Range, fn func(record.Record) error) error {
	_, err := r.read(ctx, ranges, fn)
	return err
}

// read is Read. Beside an error it returns what is left to be read.
func (r *Reader) read(ctx context.Context, ranges []Range, fn func(record.Record) error) (left map[record.Partition][]Range, err error) {
	left = map[record.Partition][]Range{}
	var from []kafka.TopicPartition
	for _, stretch := range ranges {
		if stretch.From >= stretch.To {
			continue
		}
		if left[stretch.Partition] == nil {
			from = append(from, topicPartition(stretch.Partition, stretch.From))
		}
		left[stretch.Partition] = append(left[stretch.Partition], stretch)
	}
	if len(left) == 0 {
		return nil, nil
	}
	properties := r.cfg.consumerProperties() // an assignment needs a group.id too (librdkafka 2.15)
	properties["go.logs.channel.enable"] = true
	client, err := kafka.NewConsumer(&properties)
	if err != nil {
		return left, fmt.Errorf("make Kafka consumer: %w", err)
	}
	p := pass{client: client, left: left, fn: fn, log: r.log, connection: &connection{}}
	defer closeAside(client, &r.closing)
	r.closing.Go(func() { forwardLogs(client.Logs(), r.log, p.connection) })
	if err := client.IncrementalAssign(from); err != nil {
		return left, fmt.Errorf("assign partitions: %w", err)
	}
	for len(left) > 0 {
		if err := ctx.Err(); err != nil {
			return left, err
		}
		if err := p.turn(); err != nil {
			return left, err
		}
	}
	return nil, nil
}

// pass is one Read under way.
type pass struct {
	client *kafka.Consumer
	left   map[record.Partition][]Range // the first of each is being read
	fn     func(record.Record) error
	log    zerolog.Logger
	silent bool // it has been logged that no broker answers

	connection *connection
}

func (p *pass) turn() error {
	switch e := p.client.Poll(int(idleWait / time.Millisecond)).(type) {
	case *kafka.Message:
		return p.take(fromMessage(e))
	case kafka.PartitionEOF:
		at := kafka.TopicPartition(e)
		return p.reach(partitionOf(at), int64(at.Offset))
	case kafka.Error:
		return p.judge(e)
	}
	return nil
}

func (p *pass) take(rec record.Record) error {
	p.silent = false
	if left := p.left[rec.Partition]; len(left) > 0 && rec.Offset < left[0].To {
		if err := p.fn(rec); errors.Is(err, errEnough) {
			return p.reach(rec.Partition, left[0].To)
		} else if err != nil {
			return err
		}
	}
	return p.reach(rec.Partition, rec.Offset+1)
}

// reach ends the reading of a range whose next offset is at its end, and goes on with
// the partition's next one. The last record alone would not do: the log may end in
// markers and holes.
func (p *pass) reach(id record.Partition, next int64) error {
	left := p.left[id]
	if len(left) == 0 || next < left[0].To {
		return nil
	}
	if p.left[id] = left[1:]; len(left) > 1 {
		if _, err := p.client.SeekPartitions([]kafka.TopicPartition{topicPartition(id, left[1].From)}); err != nil {
			return fmt.Errorf("go on reading %s at %d: %w", id, left[1].From, err)
		}
		return nil
	}
	delete(p.left, id)
	if err := p.client.IncrementalUnassign([]kafka.TopicPartition{topicPartition(id, 0)}); err != nil {
		return fmt.Errorf("stop reading %s: %w", id, err)
	}
	return nil
}

// judge tells trouble that passes from what ends the reading.
func (p *pass) judge(e kafka.Error) error {
	switch {
	case e.Code() == kafka.ErrGroupAuthorizationFailed:
		// The client asks who coordinates its group.id (2.15), which it need not know.
	case e.Code() == kafka.ErrAutoOffsetReset || e.Code() == kafka.ErrLogTruncation:
		return fmt.Errorf("the log was cut, or its topic made again, while it was read; read it anew: %w", e)
	case !isUnreachable(e) || e.IsFatal():
		return fmt.Errorf("read from Kafka: %w", e)
	case !p.silent && e.Code() == kafka.ErrAllBrokersDown:
		p.silent = true
		p.log.Warn().Err(p.connection.explain(e)).Msg("cannot reach Kafka; trying on")
	}
	return nil
}
