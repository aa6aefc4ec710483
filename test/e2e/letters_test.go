package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/search-indexer/search-indexer/test/stack"
)

// Letters are written by hand, read back from a real topic, and equal; then each
// thing that may go wrong with one is done to it and must be found.
func TestCompareLettersFindsEveryAlteration(t *testing.T) {
	broker := Broker{stack.Kafka(t)}
	topic := stack.Name(t) + "dlq"
	if err := broker.Create(t.Context(), 3, topic); err != nil {
		t.Fatal(err)
	}
	records := Generate(smallPlan(9))
	places := make([]Place, len(records))
	var letters []Record
	for i, r := range records {
		places[i] = Place{r.Topic, r.Partition, int64(i)}
		if r.Reason != "" {
			letters = append(letters, handwritten(r, places[i]))
		}
	}
	if _, err := broker.Publish(t.Context(), topic, letters); err != nil {
		t.Fatal(err)
	}
	read, err := broker.Letters(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if report := Report("letters", CompareLetters(records, places, read, false)); report != "" {
		t.Fatal(report)
	}
	tampered := func(change func(*Letter)) []Letter {
		got := slices.Clone(read)
		i := slices.IndexFunc(got, func(l Letter) bool { return l.Reason == "invalid_version" && len(l.Headers) > 1 && len(l.Key) > 0 })
		got[i].Headers = slices.Clone(got[i].Headers)
		said := map[string]string{}
		for k, v := range got[i].Said {
			said[k] = v
		}
		got[i].Said = said
		change(&got[i])
		return got
	}
	for name, got := range map[string][]Letter{
		"one missing":         read[1:],
		"one twice":           append(slices.Clone(read), read[0]),
		"another reason":      tampered(func(l *Letter) { l.Reason = "invalid_id" }),
		"another place":       tampered(func(l *Letter) { l.Offset += 1_000_000 }),
		"another key":         tampered(func(l *Letter) { l.Key = append(slices.Clone(l.Key), 0) }),
		"no key":              tampered(func(l *Letter) { l.Key = nil }),
		"another value":       tampered(func(l *Letter) { l.Value = append(slices.Clone(l.Value), ' ') }),
		"a header missing":    tampered(func(l *Letter) { l.Headers = l.Headers[1:] }),
		"headers swapped":     tampered(func(l *Letter) { slices.Reverse(l.Headers) }),
		"a header emptied":    tampered(func(l *Letter) { l.Headers[0].Value = nil }),
		"no error":            tampered(func(l *Letter) { delete(l.Said, "dlq.error") }),
		"no time":             tampered(func(l *Letter) { delete(l.Said, "dlq.failed_at") }),
		"another event id":    tampered(func(l *Letter) { l.Said["dlq.event_id"] = "x" }),
		"another correlation": tampered(func(l *Letter) { l.Said["dlq.correlation_id"] = "x" }),
	} {
		if len(CompareLetters(records, places, got, false)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	if differences := CompareLetters(records, places, append(slices.Clone(read), read...), true); len(differences) > 0 {
		t.Errorf("letters written twice were allowed, yet %v", differences)
	}
}

// handwritten is the letter of a bad record as it should be, ready to publish
// under the dead-letter topic's name as prefix.
func handwritten(r Record, at Place) Record {
	ev, _ := Read(r)
	id := ev.EventID
	if id == "" {
		id = fmt.Sprintf("%s/%d/%d", at.Topic, at.Partition, at.Offset)
	}
	headers := slices.Clone(r.Headers)
	for name, value := range map[string]string{
		"reason": r.Reason, "error": r.Rule, "topic": at.Topic, "partition": fmt.Sprint(at.Partition), "offset": fmt.Sprint(at.Offset),
		"timestamp": fmt.Sprint(r.Timestamp), "event_id": id, "correlation_id": ev.Correlation, "failed_at": "2024-05-01T10:00:00Z",
	} {
		headers = append(headers, Header{"dlq." + name, []byte(value)})
	}
	return Record{Partition: int32(at.Offset % 3), Timestamp: r.Timestamp, Key: r.Key, Value: r.Value, Headers: headers}
}
