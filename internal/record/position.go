package record

import "encoding/json"

// Position is how far the log of one partition has been read.
type Position struct {
	Partition
	TopicID string // of the topic that was read; empty where the brokers know no topic ids
	Next    int64  // the offset after the last one read
}

// positionForm is a Position as JSON.
type positionForm struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	TopicID   string `json:"topic_id"`
	Next      int64  `json:"next"`
}

// MarshalJSON writes {"topic","partition","topic_id","next"}.
func (p Position) MarshalJSON() ([]byte, error) {
	return json.Marshal(positionForm{Topic: p.Topic, Partition: p.ID, TopicID: p.TopicID, Next: p.Next})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Position) UnmarshalJSON(text []byte) error {
	var form positionForm
	if err := json.Unmarshal(text, &form); err != nil {
		return err
	}
	*p = Position{Partition: Partition{Topic: form.Topic, ID: form.Partition}, TopicID: form.TopicID, Next: form.Next}
	return nil
}
