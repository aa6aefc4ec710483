package purge

import (
	"context"
	"fmt"
	"time"

	"github.com/search-indexer/search-indexer/internal/stream"
)

// Unread is the first record that a group has yet to read, of all partitions the
// one with the earliest timestamp.
type Unread struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	At        time.Time `json:"at"` // its Kafka timestamp; 1970 where it has none
}

// FirstUnread returns nil where the group has read everything. A partition tells
// by its first unread record, whose time is taken for the earliest of those behind
// it: it came first.
func FirstUnread(ctx context.Context, admin *stream.Admin, reader *stream.Reader, cfg stream.Config) (*Unread, error) {
	partitions, err := admin.GroupLag(ctx, cfg.GroupID, cfg.FullTopics())
	if err != nil {
		return nil, fmt.Errorf("look how far group %s has read: %w", cfg.GroupID, err)
	}
	var unread []stream.Range
	for _, p := range partitions {
		unread = append(unread, p.Unread())
	}
	first, err := reader.First(ctx, unread)
	if err != nil {
		return nil, fmt.Errorf("read the first unread records: %w", err)
	}
	var earliest *Unread
	for _, r := range first {
		if at := time.UnixMilli(max(r.Timestamp, 0)).UTC(); earliest == nil || at.Before(earliest.At) {
			earliest = &Unread{Topic: r.Topic, Partition: r.ID, Offset: r.Offset, At: at}
		}
	}
	return earliest, nil
}
