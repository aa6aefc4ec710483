package dlq

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/record"
)

var anyHeader = rapid.Custom(func(t *rapid.T) record.Header {
	names := []string{"trace", "dlq.reason", "dlq.failed_at", "dlq.topic", "DLQ.offset", ""}
	value := rapid.SliceOf(rapid.Byte()).Draw(t, "value")
	if rapid.Bool().Draw(t, "null") {
		value = nil
	}
	return record.Header{Key: rapid.SampledFrom(names).Draw(t, "name"), Value: value}
})

// Whatever a publisher put into its headers, the record comes back as it was.
func TestALetterComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 50, 200)
		want := Letter{
			Record: &record.Record{
				Partition: record.Partition{Topic: "post.created", ID: rapid.Int32Range(0, 1<<30).Draw(t, "partition")},
				Offset:    rapid.Int64Range(0, 1<<60).Draw(t, "offset"),
				Timestamp: rapid.Int64Range(-1, 1<<50).Draw(t, "timestamp"),
				Key:       rapid.SampledFrom([][]byte{nil, {}, []byte("key")}).Draw(t, "key"),
				Value:     rapid.SampledFrom([][]byte{nil, {}, []byte("{\xff")}).Draw(t, "value"),
			},
			Reason: rapid.SampledFrom([]string{"invalid_json", "a reason of tomorrow"}).Draw(t, "reason"),
			Error:  text.Draw(t, "error"), EventID: text.Draw(t, "event id"), CorrelationID: text.Draw(t, "correlation id"),
			FailedAt: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
		}
		if headers := rapid.SliceOfN(anyHeader, 0, 12).Draw(t, "headers"); len(headers) > 0 {
			want.Record.Headers = headers
		}
		got, err := Parse(want.record("dead"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWhatIsNoLetterIsAnError(t *testing.T) {
	good := func() *record.Record {
		return Letter{Record: &record.Record{Partition: record.Partition{Topic: "t"}}, FailedAt: time.Unix(1, 0)}.record("dead")
	}
	if _, err := Parse(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(r *record.Record){
		"no headers":         func(r *record.Record) { r.Headers = nil },
		"one is missing":     func(r *record.Record) { r.Headers = r.Headers[1:] },
		"one stands twice":   func(r *record.Record) { r.Headers[0].Key = HeaderError },
		"another at the end": func(r *record.Record) { r.Headers = append(r.Headers, record.Header{Key: "more"}) },
		"partition":          func(r *record.Record) { r.Headers[3].Value = []byte("9999999999") },
		"offset":             func(r *record.Record) { r.Headers[4].Value = []byte("x") },
		"timestamp":          func(r *record.Record) { r.Headers[5].Value = nil },
		"failed at":          func(r *record.Record) { r.Headers[8].Value = []byte("today") },
	} {
		r := good()
		spoil(r)
		if l, err := Parse(r); err == nil {
			t.Errorf("%s: read as %+v", name, l)
		}
	}
}

// Names are equal for copies alone: the same place in a topic that was made again
// holds another record.
func TestNamesTellRecordsApart(t *testing.T) {
	base := record.Record{Partition: record.Partition{Topic: "t", ID: 1}, Offset: 2, Timestamp: 3, Key: []byte("ab"), Value: []byte("c")}
	again := base
	again.Headers = []record.Header{{Key: "trace"}}
	if NameOf(&base) != NameOf(&again) {
		t.Error("copies have two names")
	}
	for name, change := range map[string]func(r *record.Record){
		"topic":         func(r *record.Record) { r.Topic = "u" },
		"partition":     func(r *record.Record) { r.ID = 2 },
		"offset":        func(r *record.Record) { r.Offset = 3 },
		"timestamp":     func(r *record.Record) { r.Timestamp = 4 },
		"value":         func(r *record.Record) { r.Value = []byte("d") },
		"key and value": func(r *record.Record) { r.Key, r.Value = []byte("a"), []byte("bc") },
	} {
		other := base
		change(&other)
		if NameOf(&base).String() == NameOf(&other).String() {
			t.Errorf("%s: the same name", name)
		}
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]string{
		"3/17": "dead/3/17", "post.created/0/421": "post.created/0/421",
		"": "", "3": "", "a/b": "", "/1/2": "", "-1/2": "", "1/-2": "", "a/b/c/d": "", "t/9999999999/1": "",
	} {
		got, err := ParsePlace(text, "dead")
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
