package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// letterOf takes a record of the dead-letter topic apart.
func letterOf(m *kafka.Message) Letter {
	l := Letter{Key: m.Key, Value: m.Value, Said: make(map[string]string)}
	for _, h := range m.Headers {
		if strings.HasPrefix(h.Key, "dlq.") {
			l.Said[h.Key] = string(h.Value)
		} else {
			l.Headers = append(l.Headers, Header{h.Key, h.Value})
		}
	}
	l.Reason = l.Said["dlq.reason"]
	partition, _ := strconv.ParseInt(l.Said["dlq.partition"], 10, 32) // 0 shows as a difference
	offset, err := strconv.ParseInt(l.Said["dlq.offset"], 10, 64)
	if err != nil {
		offset = -1
	}
	l.Place = Place{l.Said["dlq.topic"], int32(partition), offset}
	return l
}

// CompareLetters names every way in which the dead letters are not those of the
// bad ones among records, each of which stands at the place of its index. Where a
// topic was deleted and made again, several records stand at one place. A crash
// may write a letter twice: repeats says whether that is allowed.
func CompareLetters(records []Record, places []Place, got []Letter, repeats bool) []string {
	want := make(map[Place][]int) // indices of records
	for i, r := range records {
		if r.Reason != "" {
			want[places[i]] = append(want[places[i]], i)
		}
	}
	var differences []string
	seen := make(map[int]bool)
	for _, l := range got {
		candidates := want[l.Place]
		if len(candidates) == 0 {
			differences = append(differences, fmt.Sprintf("%v: %s, but the record is good (or none): %s: %.300q", l.Place, l.Reason, l.Said["dlq.error"], l.Value))
			continue
		}
		i := slices.MinFunc(candidates, func(a, b int) int {
			return cmp.Compare(len(compareLetter(records[a], l)), len(compareLetter(records[b], l)))
		})
		if seen[i] && !repeats {
			differences = append(differences, fmt.Sprintf("%v: written twice", l.Place))
		}
		seen[i] = true
		for _, d := range compareLetter(records[i], l) {
			differences = append(differences, fmt.Sprintf("%v, rule %q: %s", l.Place, records[i].Rule, d))
		}
	}
	for i, r := range records {
		if r.Reason != "" && !seen[i] {
			differences = append(differences, fmt.Sprintf("%v, rule %q: no letter (want %s): %.300q", places[i], r.Rule, r.Reason, r.Value))
		}
	}
	slices.Sort(differences)
	return differences
}

func compareLetter(r Record, l Letter) []string {
	var differences []string
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	if l.Reason != r.Reason {
		differ("reason: want %s, got %s (%s)", r.Reason, l.Reason, l.Said["dlq.error"])
	}
	if !sameBytes(r.Key, l.Key) {
		differ("key: want %q, got %q", r.Key, l.Key)
	}
	if !sameBytes(r.Value, l.Value) {
		differ("value: want %.300q, got %.300q", r.Value, l.Value)
	}
	if !slices.EqualFunc(r.Headers, l.Headers, func(a, b Header) bool { return a.Key == b.Key && sameBytes(a.Value, b.Value) }) {
		differ("headers: want %q, got %q", r.Headers, l.Headers)
	}
	for _, name := range []string{"dlq.error", "dlq.timestamp", "dlq.event_id", "dlq.failed_at"} {
		if l.Said[name] == "" {
			differ("header %s is missing", name)
		}
	}
	if n := len(l.Said["dlq.error"]); n > 4096 {
		differ("dlq.error has %d bytes", n)
	}
	return append(differences, compareTracing(r, l)...)
}

// compareTracing looks at what is said of the event where it could be read.
func compareTracing(r Record, l Letter) []string {
	if r.Reason == "invalid_json" || r.Reason == "invalid_event" {
		return nil
	}
	var differences []string
	ev, _ := Read(r) // it is bad, as its reason says
	if ev.Correlation != l.Said["dlq.correlation_id"] {
		differences = append(differences, fmt.Sprintf("correlation id: want %q, got %q", ev.Correlation, l.Said["dlq.correlation_id"]))
	}
	want := ev.EventID
	if want == "" {
		want = fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset)
	}
	if got := l.Said["dlq.event_id"]; got != want {
		differences = append(differences, fmt.Sprintf("event id: want %q, got %q", want, got))
	}
	return differences
}

// sameBytes tells none (null in Kafka) from empty.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
