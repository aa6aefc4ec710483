package produce

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/record"
)

func rec(topic string, key, value []byte, headers ...record.Header) *record.Record {
	return &record.Record{Partition: record.Partition{Topic: topic, ID: -1}, Timestamp: -1, Key: key, Value: value, Headers: headers}
}

func TestLinesBecomeRecords(t *testing.T) {
	for name, c := range map[string]struct {
		line, topic string
		want        *record.Record
	}{
		"event, verbatim": {
			line: ` { "event_type":"post.created", "data":{"post_id":"p-1","title":"Ёлка <&>"}, "x": 1.0 }  `,
			want: rec("pre.post.created", []byte("p-1"), []byte(`{ "event_type":"post.created", "data":{"post_id":"p-1","title":"Ёлка <&>"}, "x": 1.0 }`)),
		},
		"event of an artist, integer id": {
			line: `{"event_type":"artist.updated","data":{"artist_id":7,"post_id":"no"}}`,
			want: rec("pre.artist.updated", []byte("7"), []byte(`{"event_type":"artist.updated","data":{"artist_id":7,"post_id":"no"}}`)),
		},
		"bare payload": {
			line: `{"post_id":"1","version":2}`, topic: "post.updated",
			want: rec("pre.post.updated", []byte("1"), []byte(`{"post_id":"1","version":2}`)),
		},
		"no id, no key": {
			line: `{"event_type":"post.created","data":{"post_id":true}}`,
			want: rec("pre.post.created", nil, []byte(`{"event_type":"post.created","data":{"post_id":true}}`)),
		},
		"record with headers": {
			line: `{"topic":"post.created","key":"k","headers":{"a":"1","b":"ё","a":"2"},"value":{"x":[1, 2]}}`,
			want: rec("pre.post.created", []byte("k"), []byte(`{"x":[1, 2]}`),
				record.Header{Key: "a", Value: []byte("1")}, record.Header{Key: "b", Value: []byte("ё")}, record.Header{Key: "a", Value: []byte("2")}),
		},
		"record keyed by its value": {
			line: `{"topic":"post.deleted","value":{"data":{"post_id":"p"}}}`,
			want: rec("pre.post.deleted", []byte("p"), []byte(`{"data":{"post_id":"p"}}`)),
		},
		"key null":           {line: `{"topic":"t","key":null,"value":{"post_id":"p"}}`, want: rec("pre.t", nil, []byte(`{"post_id":"p"}`))},
		"key empty":          {line: `{"topic":"t","key":"","value":1}`, want: rec("pre.t", []byte{}, []byte(`1`))},
		"value null":         {line: `{"topic":"t","value":null}`, want: rec("pre.t", nil, nil)},
		"value null as text": {line: `{"topic":"t","value_text":"null"}`, want: rec("pre.t", nil, []byte("null"))},
		"empty text":         {line: `{"topic":"t","value_text":""}`, want: rec("pre.t", nil, []byte{})},
		"broken JSON":        {line: `{"topic":"t","value_text":"{\"a\":"}`, want: rec("pre.t", nil, []byte(`{"a":`))},
		"bytes":              {line: `{"topic":"t","value_base64":"AAAAAAH/"}`, want: rec("pre.t", nil, []byte{0, 0, 0, 0, 1, 255})},
		"a key twice in the value is the indexer's business": {
			line: `{"topic":"t","value":{"a":1,"a":"\ud800"}}`, want: rec("pre.t", nil, []byte(`{"a":1,"a":"\ud800"}`)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			source := Source{Name: "in", Prefix: "pre.", Topic: c.topic}
			n := 0
			for got, err := range source.Records(strings.NewReader("\n" + c.line + "\r\n\n")) {
				n++
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			}
			if n != 1 {
				t.Errorf("%d records, want 1", n)
			}
		})
	}
}

func TestWrongLinesAreNamedAndReadingGoesOn(t *testing.T) {
	wrong := []struct{ line, says string }{
		{`not json`, "not JSON"},
		{`[1]`, "not a JSON object"},
		{`{"event_type":"post.created"`, "not JSON"},
		{`{"event_type":"a"} {"event_type":"b"}`, "more than one value"},
		{`{"data":{"post_id":"1"}}`, "--topic"},
		{`{"event_type":5}`, "--topic"},
		{`{"topic":"","value":1}`, "must not be empty"},
		{`{"topic":5,"value":1}`, "must be a text"},
		{`{"topic":"t"}`, "give one of"},
		{`{"topic":"t","value":1,"value_text":"1"}`, "give one of"},
		{`{"topic":"t","value":1,"value":2}`, "stands twice"},
		{`{"topic":"t","value_base64":"%"}`, "base64"},
		{`{"topic":"t","value_base64":[1]}`, "base64"},
		{`{"topic":"t","value":1,"header":{}}`, `can't have "header"`},
		{`{"topic":"t","value":1,"headers":{"a":1}}`, `"a" must be a text`},
		{`{"topic":"t","value":1,"headers":[]}`, "headers"},
		{`{"topic":"t","value":1,"key":5}`, `"key" must be a text`},
	}
	var in strings.Builder
	for _, w := range wrong {
		in.WriteString(w.line + "\n" + `{"event_type":"post.created"}` + "\n")
	}
	good, i := 0, 0
	for _, err := range (Source{Name: "in"}).Records(strings.NewReader(in.String())) {
		if err == nil {
			good++
			continue
		}
		var at *LineError
		if !errors.As(err, &at) || at.Line != 2*i+1 || at.Input != "in" || !strings.Contains(err.Error(), wrong[i].says) {
			t.Errorf("%s: error %v, want line %d saying %q", wrong[i].line, err, 2*i+1, wrong[i].says)
		}
		i++
	}
	if good != len(wrong) || i != len(wrong) {
		t.Errorf("%d good and %d wrong lines, want %d each", good, i, len(wrong))
	}
}

func TestInputTroubleEndsReading(t *testing.T) {
	broken := errors.New("disk gone")
	var last error
	for _, err := range (Source{Name: "in"}).Records(errReader{broken}) {
		last = err
	}
	var at *LineError
	if !errors.Is(last, broken) || errors.As(last, &at) {
		t.Errorf("error %v", last)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"topic":"t","headers":{"a":"b"},"value_base64":"AA=="}`))
	f.Add([]byte(`{"event_type":"artist.created","data":{"artist_id":1e3}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := parseLine(line, "p.", "")
		if (got == nil) != (err != nil) {
			t.Fatalf("record %v, error %v", got, err)
		}
		if err == nil && !strings.HasPrefix(got.Topic, "p.") {
			t.Fatalf("topic %q", got.Topic)
		}
	})
}
