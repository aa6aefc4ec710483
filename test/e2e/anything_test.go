package e2e

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Any record whatever ends, on any topic: it is written or a dead letter, and holds
// up nobody. Which of both it is to be the decoder says, whose own tests say that it
// is right.
func TestAnyRecordEnds(t *testing.T) {
	t.Parallel()
	const seed, count = 51, 4000
	records := anything(t, seed, count)
	x := newIndexer(t)
	x.setup()
	places := x.publish(records)
	changes := decodeAll(x.prefix, records, places)
	w := x.start()
	x.awaitReady(w)
	x.awaitCommitted(places)
	x.awaitIdle(w)
	if report := Report("documents", CompareRuns(joined(t, changes), x.snapshot())); report != "" {
		t.Error(report)
	}
	var wrong []string
	for _, d := range CompareLetters(records, places, x.letters(), false) {
		if !strings.Contains(d, "correlation id:") && !strings.Contains(d, "event id:") { // the reference reads good events alone
			wrong = append(wrong, d)
		}
	}
	if report := Report("dead letters", wrong); report != "" {
		t.Error(report)
	}
	checkCounts(t, w.books.now(), &stream{records: records})
	w.stop()
	t.Logf("%d records: %d letters, the others make %d documents", count, len(bads(records)), len(x.snapshot()))
}

// awaitIdle waits until nothing is in flight.
func (x *indexer) awaitIdle(w *worker) {
	x.t.Helper()
	x.await(func() bool {
		w.alive()
		return w.books.now().Sum("indexer_in_flight_events") == 0
	}, func() string { return "nothing to be in flight\n" + w.tail() })
}

// decodeAll labels the records with the reasons that their letters must have, and
// returns what the others change.
func decodeAll(prefix string, records []Record, places []Place) (changes []handlers.Change) {
	mux := handlers.NewMux(prefix)
	for i := range records {
		r := &records[i]
		at := record.Record{
			Partition: record.Partition{Topic: places[i].Topic, ID: places[i].Partition}, Offset: places[i].Offset,
			Timestamp: r.Timestamp, Key: r.Key, Value: r.Value,
		}
		for _, h := range r.Headers {
			at.Headers = append(at.Headers, record.Header{Key: h.Key, Value: h.Value})
		}
		_, change, rejection := mux.Decode(&at)
		if rejection != nil {
			r.Rule, r.Reason = "anything", string(rejection.Reason)
			continue
		}
		changes = append(changes, change)
	}
	return changes
}

// anything returns records of a seed: bytes that the fuzzers found worth keeping,
// good events as they are and spoiled here and there, and noise; with any keys and
// headers, on any topic.
func anything(t *testing.T, seed uint64, count int) []Record {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	var values [][]byte
	for _, target := range []string{"FuzzDecode", "FuzzFraming"} {
		values = append(values, corpus(t, "../../internal/handlers/testdata/fuzz/"+target)...)
	}
	good := Generate(smallPlan(seed))
	records := make([]Record, count)
	for i := range records {
		r := &records[i]
		*r = good[rng.IntN(len(good))]
		switch i % 4 {
		case 0:
			r.Value = noise(rng, rng.IntN(300))
		case 1:
			r.Value = values[rng.IntN(len(values))]
		case 2:
			r.Value = mutate(rng, r.Value, good[rng.IntN(len(good))].Value)
		}
		r.Rule, r.Reason = "", ""
		r.Topic = Topics[rng.IntN(len(Topics))]
		r.Partition = rng.Int32N(partitions)
		if rng.IntN(2) == 0 {
			r.Key = noise(rng, rng.IntN(40))
		}
		for range rng.IntN(4) {
			name := bytes.ReplaceAll(noise(rng, rng.IntN(20)), []byte{0}, nil) // the Kafka client ends names there
			r.Headers = append(slices.Clip(r.Headers), Header{string(name), noise(rng, rng.IntN(40))})
		}
	}
	return records
}

// corpus reads the inputs of a fuzz target, as far as they are bytes.
func corpus(t *testing.T, folder string) (values [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", folder, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			quoted, isBytes := strings.CutPrefix(strings.TrimSpace(line), "[]byte(")
			if !isBytes {
				continue
			}
			value, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			values = append(values, []byte(value))
		}
	}
	return values
}

// noise returns n random bytes, or none at all.
func noise(rng *rand.Rand, n int) []byte {
	if rng.IntN(10) == 0 {
		return nil
	}
	random := make([]byte, n)
	for i := range random {
		random[i] = byte(rng.IntN(256))
	}
	return random
}

// mutate spoils value in up to three places; other is what it may be crossed with.
func mutate(rng *rand.Rand, value, other []byte) []byte {
	value = slices.Clone(value)
	for range 1 + rng.IntN(3) {
		if len(value) == 0 {
			return value
		}
		at := rng.IntN(len(value))
		end := min(len(value), at+1+rng.IntN(20))
		switch rng.IntN(7) {
		case 0:
			value[at] ^= 1 << rng.IntN(8)
		case 1:
			value = slices.Delete(value, at, end)
		case 2:
			value = slices.Insert(value, at, noise(rng, 3)...)
		case 3:
			value = slices.Insert(value, at, value[at:end]...)
		case 4:
			value = value[:at]
		case 5:
			value = append(value[:at], other[min(at, len(other)):]...)
		case 6:
			tokens := []string{"null", `""`, "1e400", `{}`, `[[[`, `"\ud800"`, "-0", `,"_id":1`, "\x00\x00\x00\x00\x01", strings.Repeat("9", 1100), `"version":`}
			value = slices.Insert(value, at, []byte(tokens[rng.IntN(len(tokens))])...)
		}
	}
	return value
}
