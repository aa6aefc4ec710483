package record

// Position is how far the log of one partition has been read: every record below
// Next counts. It is comparable.
type Position struct {
	Partition
	// TopicID is Kafka's id of the topic. A topic that was deleted and made again
	// under its name has another, and its log is another one that begins at 0.
	TopicID string `json:"topic_id"`
	Next    int64  `json:"next"` // offset of the first record that does not count, 0 or more
}
