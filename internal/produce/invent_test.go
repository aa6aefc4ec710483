package produce

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/search-indexer/search-indexer/internal/record"
)

// clock ticks a millisecond an event.
func clock() func() time.Time {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(time.Millisecond); return now }
}

func invented(t *testing.T, seed uint64, count int) []*record.Record {
	t.Helper()
	var all []*record.Record
	for rec, err := range (Invention{Seed: seed, Count: count, Prefix: "p.", Now: clock()}).Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
	if len(all) != count {
		t.Fatalf("%d records, want %d", len(all), count)
	}
	return all
}

func TestSeedDecidesAll(t *testing.T) {
	a, b, c := invented(t, 7, 500), invented(t, 7, 500), invented(t, 8, 500)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed gives different records")
	}
	keys := map[string]bool{}
	for _, rec := range a {
		keys[string(rec.Key)] = true
	}
	for _, rec := range c {
		if keys[string(rec.Key)] {
			t.Fatalf("seeds 7 and 8 share the entity %s", rec.Key)
		}
	}
}

func TestInventedEventsAreHistories(t *testing.T) {
	const count = 5000
	versions := map[string]int64{}
	deleted := map[string]bool{}
	topics := map[string]int{}
	bytesInAll, russian := 0, 0
	for i, rec := range invented(t, 1, count) {
		var e struct {
			EventID   string `json:"event_id"`
			EventType string `json:"event_type"`
			Timestamp string `json:"timestamp"`
			Version   int64  `json:"version"`
			Data      map[string]any
		}
		if err := json.Unmarshal(rec.Value, &e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		idName := strings.SplitN(e.EventType, ".", 2)[0] + "_id"
		id, _ := e.Data[idName].(string)
		switch {
		case e.EventID == "" || rec.Topic != "p."+e.EventType || id == "" || id != string(rec.Key):
			t.Fatalf("event %d in %s, key %s: %s", i, rec.Topic, rec.Key, rec.Value)
		case e.Version != versions[id]+1 || deleted[id]:
			t.Fatalf("event %d has version %d after %d (deleted: %v)", i, e.Version, versions[id], deleted[id])
		case strings.HasSuffix(e.EventType, ".created") != (e.Version == 1):
			t.Fatalf("event %d is %s with version %d", i, e.EventType, e.Version)
		case !utf8.Valid(rec.Value) || bytes.Contains(rec.Value, []byte("$")):
			t.Fatalf("event %d: %s", i, rec.Value)
		}
		if _, err := time.Parse(time.RFC3339Nano, e.Timestamp); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		versions[id] = e.Version
		deleted[id] = strings.HasSuffix(e.EventType, ".deleted")
		topics[e.EventType]++
		bytesInAll += len(rec.Value)
		if bytes.ContainsRune(rec.Value, 'е') {
			russian++
		}
	}
	for topic, least := range map[string]int{"post.created": 2500, "post.updated": 1300, "post.deleted": 150, "artist.created": 150, "artist.updated": 50} {
		if topics[topic] < least {
			t.Errorf("%d events %s, want at least %d", topics[topic], topic, least)
		}
	}
	if mean := bytesInAll / count; mean < 850 || mean > 1150 {
		t.Errorf("%d bytes an event, want about 1 KB", mean)
	}
	if russian < count/3 || russian > count*3/4 {
		t.Errorf("%d of %d events are in Russian", russian, count)
	}
}

func BenchmarkInvent(b *testing.B) {
	n := 0
	for rec, err := range (Invention{Seed: 1, Count: b.N, Now: clock()}).Records() {
		if err != nil {
			b.Fatal(err)
		}
		n += len(rec.Value)
	}
	b.SetBytes(int64(n / b.N))
}
