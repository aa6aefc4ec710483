package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// Each case is a history and what must come of it, by the letter of the merge
// rule.
func TestFold(t *testing.T) {
	const created, updated, deleted = "post.created", "post.updated", "post.deleted"
	type step struct{ topic, value string }
	cases := map[string]struct {
		history []step
		visible bool
		version int64
		fields  map[string]string // JSON
	}{
		"partial updates merge": {
			[]step{{created, `{"version":1,"data":{"post_id":1,"title":"a","slug":"s"}}`}, {updated, `{"version":2,"data":{"post_id":1,"title":"b"}}`}},
			true, 2,
			map[string]string{"post_id": `1`, "title": `"b"`, "slug": `"s"`},
		},
		"an update that comes first": {
			[]step{{updated, `{"version":2,"data":{"post_id":"1","title":"b"}}`}, {created, `{"version":1,"data":{"post_id":"1","title":"a","slug":"s"}}`}},
			true, 2,
			map[string]string{"post_id": `"1"`, "title": `"b"`, "slug": `"s"`},
		},
		"null clears": {
			[]step{{created, `{"version":1,"data":{"post_id":1,"title":"a"}}`}, {updated, `{"version":2,"data":{"post_id":1,"title":null}}`}},
			true, 2,
			map[string]string{"post_id": `1`, "title": `null`},
		},
		"a late create stays hidden": {
			[]step{{deleted, `{"version":6,"data":{"post_id":1}}`}, {created, `{"version":5,"data":{"post_id":1,"title":"a"}}`}},
			false, 6, nil,
		},
		"a restore brings its own fields only": {
			[]step{{created, `{"version":1,"data":{"post_id":1,"title":"a","slug":"s"}}`}, {deleted, `{"version":2,"data":{"post_id":1}}`}, {created, `{"version":3,"data":{"post_id":1,"title":"c"}}`}},
			true, 3,
			map[string]string{"post_id": `1`, "title": `"c"`},
		},
		"a delete without a version is final": {
			[]step{{deleted, `{"post_id":1}`}, {created, `{"version":9223372036854775806,"post_id":1,"timestamp":"2030-01-01 00:00:00"}`}},
			false, 0, nil,
		},
		"without versions, time decides": {
			[]step{{updated, `{"post_id":1,"title":"late","timestamp":"2024-05-01T10:00:00.000002"}`}, {updated, `{"post_id":1,"title":"early","timestamp":"2024-05-01t13:00:00.000001+03:00"}`}},
			true, 0,
			map[string]string{"post_id": `1`, "title": `"late"`},
		},
		"at the same version and time, a delete wins": {
			[]step{{deleted, `{"post_id":1,"version":4,"timestamp":"2024-05-01T10:00:00Z"}`}, {updated, `{"post_id":1,"version":4,"timestamp":"2024-05-01 10:00:00","title":"x"}`}},
			false, 4, nil,
		},
		"event_type overrules the topic": {
			[]step{{created, `{"post_id":1,"version":1,"title":"x"}`}, {created, `{"event_type":"post.deleted","post_id":1,"version":2}`}},
			false, 2, nil,
		},
		"data.version beside the envelope's is ignored": {
			[]step{{created, `{"version":2,"data":{"post_id":1,"version":"seven"}}`}},
			true, 2,
			map[string]string{"post_id": `1`},
		},
		"without time, the record's counts": {
			[]step{{updated, `{"post_id":1,"title":"record"}`}, {updated, `{"post_id":1,"title":"earlier","timestamp":"2033-05-18T03:33:19Z"}`}},
			true, 0,
			map[string]string{"post_id": `1`, "title": `"record"`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var events []Event
			for _, s := range c.history {
				ev, err := Read(Record{Topic: s.topic, Value: []byte(s.value), Timestamp: 2_000_000_000_000})
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, ev)
			}
			want := Document{Visible: c.visible, Version: c.version, Fields: map[string][]any{}}
			for field, text := range c.fields {
				want.Fields[field] = []any{decode(t, text)}
			}
			got := Fold(events)[Key{"post", "1"}]
			got.DeletedAt = 0
			if !sameDocument(want, got) {
				t.Errorf("want %+v, got %+v", want, got)
			}
		})
	}
}

func TestTiesGiveEveryCandidate(t *testing.T) {
	var events []Event
	for _, value := range []string{
		`{"version":1,"timestamp":"2024-05-01T10:00:00Z","post_id":1,"title":"a","slug":"s"}`,
		`{"version":1,"timestamp":"2024-05-01T10:00:00.0000009Z","post_id":1,"title":"b"}`,
	} {
		ev, err := Read(Record{Topic: "post.updated", Value: []byte(value), Timestamp: 2_000_000_000_000})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	d := Fold(events)[Key{"post", "1"}]
	if len(d.Fields["title"]) != 2 || len(d.Fields["slug"]) != 1 {
		t.Errorf("want two titles and a slug, got %v", d.Fields)
	}
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
