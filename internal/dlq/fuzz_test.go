package dlq

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/record"
)

// headersOf reads lines of "name: value"; a line without a colon has no value.
func headersOf(lines []byte) (headers []record.Header) {
	for line := range bytes.Lines(lines) {
		name, value, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		h := record.Header{Key: string(name)}
		if found {
			h.Value = value
		}
		headers = append(headers, h)
	}
	return headers
}

// linesOf is the inverse of headersOf.
func linesOf(headers []record.Header) []byte {
	var lines bytes.Buffer
	for _, h := range headers {
		lines.WriteString(h.Key)
		if h.Value != nil {
			lines.WriteString(": " + string(h.Value))
		}
		lines.WriteString("\n")
	}
	return lines.Bytes()
}

// FuzzLetter makes a letter of any record and reads it back, and reads any record
// as if it were a letter.
func FuzzLetter(f *testing.F) {
	letter := rejected(keyed(post(1, `{"post_id":"1"}`), "1")).record("dead")
	f.Add([]byte("key"), []byte(`{"post_id":"1"}`), []byte("trace: 1\ndlq.reason: mine\nnull"), "invalid_json", "why", int64(17), uint8(0))
	f.Add([]byte(nil), []byte(nil), linesOf(letter.Headers), "", "\xff", int64(-1), uint8(3))
	f.Add(letter.Key, letter.Value, append(linesOf(letter.Headers), "after: us\n"...), "too_large", "", int64(1)<<62, uint8(1))
	f.Fuzz(func(t *testing.T, key, value, headerLines []byte, reason, words string, number int64, nulls uint8) {
		const seconds = 1 << 33 // the year 2242
		r := record.Record{
			Partition: record.Partition{Topic: "post.created", ID: int32(number)}, Offset: number, Timestamp: -number,
			Key: key, Value: value, Headers: headersOf(headerLines),
		}
		if nulls&1 > 0 {
			r.Key = nil
		}
		if nulls&2 > 0 {
			r.Value = nil
		}
		want := Letter{
			Record: &r, Reason: reason, Error: words, EventID: reason, CorrelationID: words,
			FailedAt: time.Unix(number%seconds, number%1000).UTC(),
		}
		got, err := Parse(want.record("dead"))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Error) > MaxError || !strings.HasPrefix(words, got.Error) {
			t.Errorf("%q became %q", words, got.Error)
		}
		if want.Error = got.Error; len(words) <= MaxError {
			want.Error = words
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}

		read, err := Parse(&r)
		if err != nil {
			return
		}
		again, err := Parse(read.record("dead"))
		read.Error, again.Error = cut(read.Error, MaxError), cut(again.Error, MaxError)
		if diff := cmp.Diff(read, again); diff != "" || err != nil {
			t.Errorf("read again: %v\n%s", err, diff)
		}
	})
}

// topicsOf reads records that are apart by an empty line: the key, headers as
// headersOf reads them, the value. Those whose key begins with "done:" are of the
// topic of acknowledgements.
func topicsOf(text []byte) *broker {
	b := newBroker()
	b.topics[DoneTopic("dead")] = &[2][]record.Record{}
	for i, part := range bytes.Split(text, []byte("\n\n")) {
		lines := bytes.Split(part, []byte("\n"))
		last := max(len(lines)-1, 1)
		r := record.Record{
			Partition: record.Partition{Topic: "dead", ID: int32(i % 2)}, Timestamp: int64(i),
			Key: lines[0], Headers: headersOf(bytes.Join(lines[1:last], []byte("\n"))),
		}
		if last < len(lines) {
			r.Value = lines[last]
		}
		if key, done := bytes.CutPrefix(r.Key, []byte("done:")); done {
			r.Partition, r.Key = record.Partition{Topic: DoneTopic("dead")}, key
		}
		_ = b.Send(context.Background(), &r, func(int32, int64, error) {})
	}
	return b
}

func textOf(records ...*record.Record) []byte {
	var parts [][]byte
	for _, r := range records {
		parts = append(parts, slices.Concat(r.Key, []byte("\n"), linesOf(r.Headers), r.Value))
	}
	return bytes.Join(parts, []byte("\n\n"))
}

// FuzzRead fills the dead-letter topic and its acknowledgements with any records:
// all are listed, as letters or as none, and can be found, replayed and purged.
func FuzzRead(f *testing.F) {
	good := rejected(keyed(post(1, `{"post_id":"1","version":1,"title":"one"}`), "1"))
	broken := Letter{Record: keyed(post(2, `{`), "2"), Reason: "invalid_json", FailedAt: noon}
	gone := rejected(keyed(post(3, `{"event_type":"post.deleted","data":{"post_id":"1"}}`), "1"))
	ack := &record.Record{Key: []byte("done:" + NameOf(good.Record).String()), Value: []byte(`{"failed_at":"2026-01-01T12:00:01Z","acknowledged_at":"2026-01-01T13:00:00Z","result":"indexed"}`)}
	f.Add(textOf(good.record("dead"), broken.record("dead"), gone.record("dead"), broken.record("dead")))
	f.Add(textOf(good.record("dead"), ack, gone.record("dead")))
	f.Add([]byte("a stranger\n\n\n\n{\"post_id\":1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := topicsOf(text)
		listing, err := b.reader().List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		copies := len(listing.Strangers)
		for _, e := range listing.Letters {
			copies += len(e.Copies)
			for _, place := range append(e.Copies, e.Place) {
				found := listing.Find(place)
				if len(found) == 0 || place != e.Place && (len(found) != 1 || found[0] != e) {
					t.Errorf("%d letters at %s", len(found), place)
				}
			}
		}
		if copies != b.count() {
			t.Fatalf("%d letters and strangers of %d records", copies, b.count())
		}
		checkReplay(t, b, listing)
		plan := listing.PlanPurge(func(*Entry) bool { return true }, func(Stranger) bool { return true })
		if plan.Goes != len(listing.Letters) || plan.Strangers != len(listing.Strangers) || plan.Behind > 0 {
			t.Errorf("a purge of all: %+v", plan)
		}
		if err := b.reader().Purge(t.Context(), plan, b, b); err != nil || b.count() > 0 {
			t.Errorf("%d records are left: %v", b.count(), err)
		}
	})
}

// checkReplay replays the open letters twice: what is indexed once is done.
func checkReplay(t *testing.T, b *broker, listing *Listing) {
	t.Helper()
	open := listing.Matching(Filter{}, false)
	good, failing, err := b.reader().Preview(t.Context(), open)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster()
	report, err := b.replay(c).Run(t.Context(), open)
	if err != nil {
		t.Fatal(err)
	}
	if report.Left+report.Unmarked > 0 || report.Indexed+report.Deleted+report.Stale != good || report.Failed != len(open)-good {
		t.Errorf("%d letters, %d of them good: %+v", len(open), good, report)
	}
	want(t, b.run(t, c), Report{Letters: report.Failed, Failed: report.Failed, Reasons: failing})
}
