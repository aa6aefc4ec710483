package handlers

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

// recordTime is the timestamp of the records in these tests, in milliseconds:
// 2025-12-31T00:00:00Z.
const recordTime = 1767139200000

// testCase is one record and what becomes of it.
type testCase struct {
	name    string
	topic   string // post.updated where empty
	value   string
	headers []record.Header
	noTime  bool // the record has no timestamp

	want   string // "upsert post/1 v2 @<microseconds> {fields}" of a good event
	reason Reason // of a bad one
	event  Event  // compared where it is not the zero Event

	// blind marks an event that a JSON Schema judges otherwise: it sees neither
	// topics and records nor how a value is written.
	blind bool
}

func (c testCase) record() *record.Record {
	r := &record.Record{
		Partition: record.Partition{Topic: "post.updated", ID: 3}, Offset: 42,
		Timestamp: recordTime, Value: []byte(c.value), Headers: c.headers,
	}
	if c.topic != "" {
		r.Topic = c.topic
	}
	if c.noTime {
		r.Timestamp = -1
	}
	return r
}

// summary writes a change as the tables have it.
func summary(c Change) string {
	if s := c.State.Unpack(); !s.Floor.IsZero() {
		return fmt.Sprintf("delete %s v%d @%d at %d", c.Key, s.Floor.Version, s.Floor.Time, s.DeletedAt)
	}
	var fields []string
	for _, f := range c.State.Unpack().Fields {
		fields = append(fields, fmt.Sprintf("%q:%s", f.Name, f.Value))
	}
	return fmt.Sprintf("upsert %s v%d @%d {%s}", c.Key, c.State.Head().Seen.Version, c.State.Head().Seen.Time, strings.Join(fields, ","))
}

func TestDecode(t *testing.T) {
	mux := NewMux("")
	for _, c := range slices.Concat(routeCases(), idCases(), tracingCases(), timestampCases(), versionCases(),
		shapeCases(), jsonCases(), valueCases(), nameCases(), kindCases()) {
		t.Run(c.name, func(t *testing.T) {
			r := c.record()
			event, change, rejection := mux.Decode(r)
			switch {
			case rejection == nil && c.reason != "":
				t.Errorf("got %s, want it rejected as %s", summary(change), c.reason)
			case rejection != nil && rejection.Reason != c.reason:
				t.Errorf("got %v, want %q (%s)", rejection, c.reason, c.want)
			case rejection == nil && c.want != "" && summary(change) != c.want:
				t.Errorf("got  %s\nwant %s", summary(change), c.want)
			}
			if string(r.Value) != c.value {
				t.Errorf("the record's value was changed to %q", r.Value)
			}
			if entity, _, typed := strings.Cut(c.event.Type, "."); typed {
				c.event.Entity = document.Entity(entity)
			}
			if diff := cmp.Diff(c.event, event); c.event != (Event{}) && diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

// at is recordTime in microseconds, which stands in for an absent timestamp.
const at = "@1767139200000000"

func routeCases() []testCase {
	ok := `{"post_id":"1"}`
	return []testCase{
		{name: "event_type routes, not the topic", topic: "post.deleted", value: `{"event_type":"artist.created","data":{"artist_id":"a"}}`, want: `upsert artist/a v0 ` + at + ` {"artist_id":"a"}`, blind: true},
		{name: "event_type in a topic of any name", topic: "legacy", value: `{"event_type":"post.updated","post_id":"1"}`, want: `upsert post/1 v0 ` + at + ` {"post_id":"1"}`},
		{name: "event_type written with escapes", value: `{"event_type":"post\u002eupdated","post_id":"1"}`},
		{name: "the topic routes", topic: "post.created", value: ok, event: Event{ID: "post.created/3/42", Type: "post.created"}},
		{name: "artist.updated", topic: "artist.updated", value: `{"artist_id":"1"}`},
		{name: "artist.deleted is known", topic: "artist.deleted", value: `{"artist_id":"1"}`, want: "delete artist/1 v9223372036854775807 " + at + " at 1767139200000"},
		{name: "event_type null is absent", value: `{"event_type":null,"post_id":"1"}`},
		{name: "event_type unknown", value: `{"event_type":"post.liked","post_id":"1"}`, reason: UnknownEventType, event: Event{ID: "post.updated/3/42"}},
		{name: "event_type empty", value: `{"event_type":"","post_id":"1"}`, reason: UnknownEventType},
		{name: "event_type in capitals", value: `{"event_type":"Post.Updated","post_id":"1"}`, reason: UnknownEventType},
		{name: "event_type not a text", value: `{"event_type":7,"post_id":"1"}`, reason: UnknownEventType},
		{name: "event_type a list", value: `{"event_type":["post.updated"],"post_id":"1"}`, reason: UnknownEventType},
		{name: "a topic that is no event type", topic: "comments", value: ok, reason: UnknownEventType},
		{name: "tracing of an unknown event", topic: "comments", value: `{"data":{"post_id":"1"},"correlation_id":"c","event_id":"e"}`, reason: UnknownEventType, event: Event{ID: "e", CorrelationID: "c"}},
	}
}

func TestDecodeWithTopicPrefix(t *testing.T) {
	mux := NewMux("stage.")
	for topic, want := range map[string]Reason{"stage.post.updated": "", "post.updated": UnknownEventType, "stage.": UnknownEventType} {
		event, _, rejection := mux.Decode(testCase{topic: topic, value: `{"post_id":"1"}`}.record())
		if got := reasonOf(rejection); got != want {
			t.Errorf("%s: got reason %q, want %q", topic, got, want)
		}
		if want == "" && event.Type != "post.updated" {
			t.Errorf("%s: got type %q", topic, event.Type)
		}
	}
}

func reasonOf(r *Rejection) Reason {
	if r == nil {
		return ""
	}
	return r.Reason
}

func idCases() []testCase {
	id := func(raw string) string { return `{"data":{"post_id":` + raw + `}}` }
	text := func(n int, s string) string { return `"` + strings.Repeat(s, n) + `"` }
	return []testCase{
		{name: "id a text", value: id(`"x"`), want: `upsert post/x v0 ` + at + ` {"post_id":"x"}`},
		{name: "id with escapes", value: id(`"\u0070\n"`), want: "upsert post/p\n v0 " + at + ` {"post_id":"\u0070\n"}`},
		{name: "id an integer", value: id(`17`), want: `upsert post/17 v0 ` + at + ` {"post_id":17}`},
		{name: "id a negative integer", value: id(`-17`), want: `upsert post/-17 v0 ` + at + ` {"post_id":-17}`},
		{name: "id minus zero", value: id(`-0`), want: `upsert post/0 v0 ` + at + ` {"post_id":-0}`},
		{name: "id an integer beyond 64 bits", value: id(`123456789012345678901234567890`), want: `upsert post/123456789012345678901234567890 v0 ` + at + ` {"post_id":123456789012345678901234567890}`},
		{name: "id of 512 bytes", value: id(text(512, "a"))},
		{name: "id of 513 bytes", value: id(text(513, "a")), reason: InvalidID},
		{name: "id of 512 bytes of Cyrillic", value: id(text(256, "я"))},
		{name: "id of 514 bytes of Cyrillic", value: id(text(257, "я")), reason: InvalidID, blind: true},
		{name: "id of 512 digits", value: id(strings.Repeat("7", 512))},
		{name: "id of 513 digits", value: id(strings.Repeat("7", 513)), reason: InvalidID, blind: true},
		{name: "id empty", value: id(`""`), reason: InvalidID},
		{name: "id null", value: id(`null`), reason: InvalidID},
		{name: "id with an exponent", value: id(`1e3`), reason: InvalidID, blind: true},
		{name: "id with a fraction", value: id(`1.0`), reason: InvalidID, blind: true},
		{name: "id a half", value: id(`1.5`), reason: InvalidID},
		{name: "id a boolean", value: id(`true`), reason: InvalidID},
		{name: "id a list", value: id(`["1"]`), reason: InvalidID},
		{name: "id an object", value: id(`{}`), reason: InvalidID},
		{name: "id absent", value: `{"data":{"title":"x"}}`, reason: InvalidID},
		{name: "id of the other entity", value: `{"data":{"artist_id":"1"}}`, reason: InvalidID},
		{name: "id outside of the data", value: `{"post_id":"1","data":{"title":"x"}}`, reason: InvalidID},
		{name: "id absent in a bare payload", value: `{}`, reason: InvalidID},
		{name: "the artist of a post is a field", value: `{"post_id":"1","artist_id":"a"}`, want: `upsert post/1 v0 ` + at + ` {"artist_id":"a","post_id":"1"}`},
	}
}

func tracingCases() []testCase {
	event := func(members string) string { return `{` + members + `,"data":{"post_id":"1"}}` }
	header := func(key, value string) record.Header { return record.Header{Key: key, Value: []byte(value)} }
	place := "post.updated/3/42"
	ev := func(id, correlation string) Event {
		return Event{ID: id, CorrelationID: correlation, Type: "post.updated"}
	}
	long := strings.Repeat("я", 200)
	return []testCase{
		{name: "event_id", value: event(`"event_id":"e-1"`), event: ev("e-1", "")},
		{name: "event_id of 1 byte", value: event(`"event_id":"e"`), event: ev("e", "")},
		{name: "event_id of 128 bytes", value: event(`"event_id":"` + strings.Repeat("e", 128) + `"`), event: ev(strings.Repeat("e", 128), "")},
		{name: "event_id of 129 bytes", value: event(`"event_id":"` + strings.Repeat("e", 129) + `"`), reason: InvalidEvent, event: ev(place, "")},
		{name: "event_id empty", value: event(`"event_id":""`), reason: InvalidEvent, event: ev(place, "")},
		{name: "event_id a number", value: event(`"event_id":1`), reason: InvalidEvent},
		{name: "event_id null", value: event(`"event_id":null`), event: ev(place, "")},
		{name: "correlation_id a text", value: event(`"correlation_id":"request-123"`), event: ev(place, "request-123")},
		{name: "correlation_id a number as written", value: event(`"correlation_id":1.50`), event: ev(place, "1.50")},
		{name: "correlation_id a boolean", value: event(`"correlation_id":true`), event: ev(place, "true")},
		{name: "correlation_id before headers", value: event(`"correlation_id":"body"`), headers: []record.Header{header("correlation-id", "head")}, event: ev(place, "body")},
		{name: "correlation_id null", value: event(`"correlation_id":null`), headers: []record.Header{header("correlation-id", "head")}, event: ev(place, "head")},
		{name: "correlation_id empty", value: event(`"correlation_id":""`), headers: []record.Header{header("X-Correlation-ID", "head")}, event: ev(place, "head")},
		{name: "header in other letters", value: `{"post_id":"1"}`, headers: []record.Header{header("x-correlation-id", "x")}, event: ev(place, "x")},
		{name: "an empty header counts as none", value: `{"post_id":"1"}`, headers: []record.Header{header("X-Correlation-ID", "x"), header("correlation-id", "")}, event: ev(place, "x")},
		{name: "header not UTF-8", value: `{"post_id":"1"}`, headers: []record.Header{header("correlation-id", "a\xffb")}, event: ev(place, "a\uFFFDb")},
		{name: "correlation_id is cut on a rune", value: event(`"correlation_id":"x` + long + `"`), event: ev(place, "x"+strings.Repeat("я", 127))},
		{name: "header is cut on a rune", value: `{"post_id":"1"}`, headers: []record.Header{header("correlation-id", long)}, event: ev(place, strings.Repeat("я", 128))},
		{name: "correlation_id an object", value: event(`"correlation_id":{}`), headers: []record.Header{header("correlation-id", "head")}, reason: InvalidEvent, event: ev(place, "head")},
		{name: "correlation_id a list", value: event(`"correlation_id":["x"]`), reason: InvalidEvent},
		{name: "correlation_id after the fault", value: `{"data":{"post_id":""},"event_id":"e","correlation_id":"c"}`, reason: InvalidID, event: ev("e", "c")},
		{name: "no tracing but headers in what is no JSON", value: `{broken`, headers: []record.Header{header("correlation-id", "head")}, reason: InvalidJSON, event: ev(place, "head"), blind: true},
		{name: "tracing before the text breaks off", value: `{"event_type":"post.created","event_id":"e","correlation_id":"c","data":{"post_id":"1","title":"brok`, reason: InvalidJSON, event: Event{ID: "e", CorrelationID: "c", Type: "post.created"}, blind: true},
		{name: "tracing behind a key that comes twice", value: `{"data":{"post_id":"1","a":1,"a":2},"event_id":"e","correlation_id":"c"}`, reason: InvalidEvent, event: ev("e", "c"), blind: true},
	}
}

func timestampCases() []testCase {
	event := func(timestamp string) string { return `{"timestamp":` + timestamp + `,"data":{"post_id":"1"}}` }
	good := func(name, text string, micros int64) testCase {
		return testCase{name: "timestamp " + name, value: event(`"` + text + `"`), want: fmt.Sprintf(`upsert post/1 v0 @%d {"post_id":"1"}`, micros)}
	}
	bad := func(name, raw string) testCase {
		return testCase{name: "timestamp " + name, value: event(raw), reason: InvalidTimestamp}
	}
	seen := func(c testCase) testCase { c.blind = true; return c }
	const second = int64(1704164645)
	ahead := time.UnixMilli(recordTime).UTC().Add(24 * time.Hour)
	micro := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.999999Z") }
	return []testCase{
		good("UTC", "2024-01-02T03:04:05Z", second*1e6),
		good("small letters", "2024-01-02t03:04:05z", second*1e6),
		good("with a space", "2024-01-02 03:04:05Z", second*1e6),
		good("naive", "2024-01-02T03:04:05", second*1e6),
		good("of Python", "2024-01-02T03:04:05.123456", second*1e6+123456),
		good("with a zone", "2024-01-02T03:04:05+03:00", (second-3*3600)*1e6),
		good("west", "2024-01-02T03:04:05-09:30", (second+9*3600+1800)*1e6),
		good("zone at its end", "2024-01-02T03:04:05+23:59", (second-23*3600-59*60)*1e6),
		good("minus zero zone", "2024-01-02T03:04:05-00:00", second*1e6),
		good("1 digit", "2024-01-02T03:04:05.5Z", second*1e6+500000),
		good("cut to microseconds", "2024-01-02T03:04:05.1234569999999999999Z", second*1e6+123456),
		good("before 1970, cut down", "1969-12-31T23:59:59.9999999Z", -1),
		good("leap day", "2024-02-29T00:00:00Z", 1709164800*1e6),
		good("year 0", "0000-02-29T00:00:00Z", -62162121600*1e6),
		{name: "timestamp absent", value: `{"post_id":"1"}`, want: `upsert post/1 v0 ` + at + ` {"post_id":"1"}`},
		{name: "timestamp null", value: event(`null`), want: `upsert post/1 v0 ` + at + ` {"post_id":"1"}`},
		{name: "timestamp absent in event and record", value: `{"post_id":"1"}`, noTime: true, want: `upsert post/1 v0 @0 {"post_id":"1"}`},
		good("24 h ahead", micro(ahead), ahead.UnixMicro()),
		seen(bad("over 24 h ahead", `"`+micro(ahead.Add(time.Microsecond))+`"`)),
		{name: "timestamp far ahead of no record's", value: event(`"9999-12-31T23:59:59Z"`), noTime: true, want: `upsert post/1 v0 @253402300799000000 {"post_id":"1"}`},
		bad("a number", `1704164645000`), bad("empty", `""`), bad("an object", `{}`), bad("a word", `"yesterday"`),
		bad("without time", `"2024-01-02"`), bad("without seconds", `"2024-01-02T03:04Z"`), bad("without digits after the point", `"2024-01-02T03:04:05.Z"`),
		bad("with a comma", `"2024-01-02T03:04:05,5Z"`), bad("another separator", `"2024-01-02_03:04:05Z"`), bad("zone without colon", `"2024-01-02T03:04:05+0300"`),
		bad("zone of 24 h", `"2024-01-02T03:04:05+24:00"`), bad("zone of 60 min", `"2024-01-02T03:04:05+00:60"`), bad("a named zone", `"2024-01-02T03:04:05 UTC"`),
		bad("hour 24", `"2024-01-02T24:00:00Z"`), bad("minute 60", `"2024-01-02T03:60:00Z"`), bad("a leap second", `"2016-12-31T23:59:60Z"`),
		bad("month 13", `"2024-13-01T00:00:00Z"`), bad("month 0", `"2024-00-01T00:00:00Z"`), bad("day 0", `"2024-01-00T00:00:00Z"`),
		seen(bad("30 February", `"2024-02-30T00:00:00Z"`)), seen(bad("29 February of another year", `"2023-02-29T00:00:00Z"`)),
		bad("a year of 5 digits", `"12024-01-02T03:04:05Z"`), bad("a sign", `"+024-01-02T03:04:05Z"`), bad("spaces around", `" 2024-01-02T03:04:05Z "`),
	}
}

func versionCases() []testCase {
	event := func(envelope, data string) string {
		return `{` + envelope + `"data":{"post_id":"1"` + data + `}}`
	}
	want := func(version string) string { return `upsert post/1 v` + version + ` ` + at + ` {"post_id":"1"}` }
	bad := func(raw string) testCase {
		return testCase{name: "version " + raw, value: event(`"version":`+raw+`,`, ``), reason: InvalidVersion}
	}
	written := func(c testCase) testCase { c.blind = true; return c }
	const last, beyond = "9223372036854775806", "9223372036854775807"
	return []testCase{
		{name: "version of the envelope", value: event(`"version":2,`, ``), want: want("2")},
		{name: "version 0", value: event(`"version":0,`, ``), want: want("0")},
		{name: "version minus zero", value: event(`"version":-0,`, ``), want: want("0")},
		{name: "version 2^63-2", value: event(`"version":`+last+`,`, ``), want: want(last)},
		{name: "version of the data", value: event(``, `,"version":3`), want: want("3")},
		{name: "version of the data, the envelope's null", value: event(`"version":null,`, `,"version":3`), want: want("3")},
		{name: "version of the data ignored", value: event(`"version":2,`, `,"version":3`), want: want("2")},
		{name: "version of the data ignored whatever it is", value: event(`"version":2,`, `,"version":{"a":"b"}`), want: want("2")},
		{name: "version of the data null", value: event(``, `,"version":null`), want: want("0")},
		{name: "version of the data bad", value: event(``, `,"version":"3"`), reason: InvalidVersion},
		{name: "version null", value: event(`"version":null,`, ``), want: want("0")},
		{name: "version behind the data", value: `{"data":{"version":"x","post_id":"1"},"version":4}`, want: want("4")},
		{name: "no version", value: event(``, ``), want: want("0")},
		{name: "a delete without version is final", topic: "post.deleted", value: event(``, ``), want: `delete post/1 v9223372036854775807 ` + at + ` at 1767139200000`},
		{name: "a delete with a version", topic: "post.deleted", value: event(`"version":6,`, `,"title":"gone"`), want: `delete post/1 v6 ` + at + ` at 1767139200000`},
		{name: "a delete with the version of the data", topic: "post.deleted", value: event(``, `,"version":0`), want: `delete post/1 v0 ` + at + ` at 1767139200000`},
		{name: "a delete on a record without time", topic: "post.deleted", value: event(`"version":6,`, ``), noTime: true, want: `delete post/1 v6 @0 at 0`},
		{name: "a delete with a bad field", topic: "post.deleted", value: event(``, `,"title":{}`), reason: InvalidField},
		bad(`-1`), bad(beyond), bad(`99999999999999999999`), written(bad(`2.0`)), bad(`1.5`), written(bad(`2e0`)), bad(`"2"`), bad(`true`), bad(`[2]`), bad(`{}`), bad(`""`),
	}
}

func shapeCases() []testCase {
	framed := func(s string) string { return "\x00\x00\x00\x00\x07" + s }
	return []testCase{
		{name: "bare payload", value: `{"post_id":"123","version":2,"title":"New Title"}`, want: `upsert post/123 v2 ` + at + ` {"post_id":"123","title":"New Title"}`},
		{name: "bare payload with an envelope's names", value: `{"event_id":"e","event_type":"post.created","correlation_id":"c","timestamp":"2024-01-02T03:04:05Z","version":2,"data":null,"post_id":"1","title":"x"}`, want: `upsert post/1 v2 @1704164645000000 {"post_id":"1","title":"x"}`, event: Event{ID: "e", CorrelationID: "c", Type: "post.created"}, blind: true},
		{name: "an envelope's names in data are fields", value: `{"data":{"post_id":"1","event_id":1,"timestamp":[],"data":null,"event_type":"x"}}`, want: `upsert post/1 v0 ` + at + ` {"data":null,"event_id":1,"event_type":"x","post_id":"1","timestamp":[]}`},
		{name: "other members of an envelope are ignored", value: `{"source":"cms","_id":1,"title":{},"data":{"post_id":"1"},"schema":3}`, want: `upsert post/1 v0 ` + at + ` {"post_id":"1"}`},
		{name: "fields before the data are ignored too", value: `{"post_id":"2","data":{"post_id":"1"}}`, want: `upsert post/1 v0 ` + at + ` {"post_id":"1"}`},
		{name: "data a text", value: `{"data":"x","post_id":"1"}`, reason: InvalidEvent},
		{name: "data a list", value: `{"data":[{"post_id":"1"}]}`, reason: InvalidEvent},
		{name: "data false", value: `{"data":false}`, reason: InvalidEvent},
		{name: "data empty", value: `{"data":{},"post_id":"1"}`, reason: InvalidID},
		{name: "framed by Confluent's serializer", value: framed(`{"post_id":"1"}`), want: `upsert post/1 v0 ` + at + ` {"post_id":"1"}`, blind: true},
		{name: "framed, no JSON", value: framed("\x02ab"), reason: InvalidJSON, blind: true},
		{name: "framed, nothing behind", value: framed(""), reason: EmptyValue, blind: true},
		{name: "half a frame", value: "\x00\x00\x00", reason: InvalidJSON, blind: true},
		{name: "no value", value: "", reason: EmptyValue, event: Event{ID: "post.updated/3/42", Type: "post.updated"}, blind: true},
		{name: "not an object: null", value: `null`, reason: InvalidEvent},
		{name: "not an object: list", value: ` [{"post_id":"1"}]`, reason: InvalidEvent},
		{name: "not an object: text", value: `"{}"`, reason: InvalidEvent},
		{name: "not an object: number", value: `1`, reason: InvalidEvent},
		{name: "white space", value: "\r\n {\t\"post_id\" : \"1\" ,\n\"tags\" : [ \"a b\",\r\n\"c\" ], \"deep\":{ \"x\" : [ ] } }\n", want: `upsert post/1 v0 ` + at + ` {"deep":{"x":[]},"post_id":"1","tags":["a b","c"]}`},
	}
}

func jsonCases() []testCase {
	var cases []testCase
	for name, value := range map[string]string{
		"broken": `{broken`, "words": `hello`, "only white space": " \n", "cut off": `{"post_id":"1"`, "cut off in data": `{"data":{"post_id":"1"}`,
		"two values": `{"post_id":"1"}{"post_id":"2"}`, "two lines": "{\"post_id\":\"1\"}\n{\"post_id\":\"2\"}", "a brace too many": `{"post_id":"1"}}`, "a comma at the end": `{"post_id":"1",}`,
		"single quotes": `{'post_id':'1'}`, "a key without quotes": `{post_id:"1"}`, "a number as key": `{1:"1"}`, "NaN": `{"post_id":"1","rating":NaN}`,
		"a leading zero": `{"post_id":01}`, "a byte order mark": "\uFEFF" + `{"post_id":"1"}`, "a line break in a text": "{\"post_id\":\"1\n\"}", "an unknown escape": `{"post_id":"\x31"}`,
		"not UTF-8": "{\"post_id\":\"1\",\"title\":\"\xff\"}", "Latin-1": "{\"post_id\":\"caf\xe9\"}", "a surrogate in UTF-8": "{\"post_id\":\"\xed\xa0\x80\"}", "UTF-16": "\xff\xfe{\x00}\x00",
		"Avro": "\x00\x00\x00\x00\x01\x06abc", "twice, then cut off": `{"a":1,"a":2`, "a surrogate, then garbage": `{"a":"\ud800"} x`, "too deep, then cut off": `{"post_id":"1","a":` + strings.Repeat("[", 40),
	} {
		cases = append(cases, testCase{name: "no JSON: " + name, value: value, reason: InvalidJSON, blind: true})
	}
	for name, value := range map[string]string{
		"a key twice": `{"post_id":"1","title":"a","title":"b"}`, "a key twice, once escaped": `{"post_id":"1","title":"a","titl\u0065":"b"}`,
		"a key twice in data": `{"data":{"post_id":"1","a":1,"a":1}}`, "a key twice deep inside": `{"post_id":"1","a":[{"b":{"c":1,"c":2}}]}`, "a key twice in the envelope": `{"event_id":"a","event_id":"b","data":{"post_id":"1"}}`,
		"a key twice in what is ignored": `{"other":{"a":1,"a":2},"data":{"post_id":"1"}}`, "a key twice in a list": `[{"a":1,"a":2}]`,
		"a high surrogate alone": `{"post_id":"1","title":"\ud83c"}`, "a low surrogate alone": `{"post_id":"1","title":"\udfb8"}`, "surrogates in the wrong turn": `{"post_id":"1","title":"\udfb8\ud83c"}`,
		"a lone surrogate in a key": `{"post_id":"1","\ud83c":1}`, "a lone surrogate in what is ignored": `{"x":"\ud83c","data":{"post_id":"1"}}`,
		"deeper than the parser goes": `{"post_id":"1","a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
	} {
		cases = append(cases, testCase{name: name, value: value, reason: InvalidEvent, blind: true})
	}
	slices.SortFunc(cases, func(a, b testCase) int { return strings.Compare(a.name, b.name) })
	return cases
}

func valueCases() []testCase {
	field := func(raw string) string { return `{"data":{"post_id":"1","x":` + raw + `}}` }
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	digits := func(n int) string { return strings.Repeat("7", n) }
	stored := func(name, raw string) testCase {
		return testCase{name: name, value: field(raw), want: `upsert post/1 v0 ` + at + ` {"post_id":"1","x":` + raw + `}`}
	}
	bad := func(name, raw string) testCase {
		return testCase{name: name, value: field(raw), reason: InvalidEvent, blind: true}
	}
	return []testCase{
		stored("null is a value", `null`), stored("any value in a field of no schema", `{"a":[1,{"b":null}],"c":"d"}`),
		stored("text as it came", `"<b>&amp; \u2028 \u00e9 \ud83c\udfb8 🎸 \/"`), stored("line separators as they came", "\"\u2028\u2029\""),
		stored("16 deep", deep(16)), bad("17 deep", deep(17)), stored("16 objects deep", objects(16)), bad("17 objects deep", objects(17)),
		bad("17 deep in a known field", deep(17)),
		{name: "17 deep in what is ignored", value: `{"x":` + deep(17) + `,"data":{"post_id":"1"}}`},
		{name: "17 deep in a bare payload", value: `{"post_id":"1","x":` + deep(17) + `}`, reason: InvalidEvent, blind: true},
		bad("an empty key inside", `{"":1}`), bad("an empty key deep inside", `[{"a":{"" : 1}}]`), stored("an empty text is no key", `{"a":"","b":[""]}`), stored("a blank key inside", `{" ":1,".":2}`),
		stored("an integer of 1,000 digits", digits(1000)), bad("an integer of 1,001 digits", digits(1001)),
		stored("a negative integer of 1,000 digits", `-`+digits(1000)), bad("digits inside", `{"a":[`+digits(1001)+`]}`),
		stored("a decimal of 1,000 digits", `7.`+digits(999)), bad("a decimal of 1,001 digits", `7.`+digits(1000)), bad("an exponent counts", `7.`+digits(990)+`e-0000000001`),
		stored("an integer beyond a double", digits(400)), bad("a decimal beyond a double", digits(400)+`.5`), bad("an exponent beyond a double", `1e400`), bad("minus an exponent beyond a double", `[-1E400]`), bad("an exponent beyond any number", `1e99999999999999999999`),
		stored("the greatest double", `1.7976931348623157e308`), bad("above the greatest double", `1.7976931348623159e308`), stored("close to zero", `1e-400`), stored("zero with an exponent", `0e400`),
		stored("a key of 50,000 bytes inside", `{"`+strings.Repeat("k", 50_000)+`":1}`), bad("a key of 50,001 bytes inside", `{"`+strings.Repeat("k", 50_001)+`":1}`),
		stored("a key of 9,000 runes written as escapes", `{"`+strings.Repeat(`\u044f`, 9_000)+`":1}`),
	}
}

func nameCases() []testCase {
	name := func(raw string) string { return `{"data":{"post_id":"1",` + raw + `:1}}` }
	var cases []testCase
	add := func(reason Reason, names ...string) {
		for _, n := range names {
			cases = append(cases, testCase{name: "key " + excerpt(n), value: name(n), reason: reason, blind: strings.Contains(n, `\u00`) && reason == InvalidEvent})
		}
	}
	add(InvalidEvent, `""`, `"."`, `".."`, `".a"`, `"a."`, `"a..b"`, `" "`, `"a. "`, `"a. .b"`, `"\t"`, `"a.\n.b"`, `"\u00a0"`, `"a.\u00a0"`, `"\u001c"`, `"title."`, `"_id..x"`)
	add(ReservedField, `"_sync"`, `"_sync.orders"`, `"_id"`, `"_id.x"`, `"_index"`, `"_routing"`, `"_source"`, `"_source.x.y"`, `"_type"`, `"_field_names"`, `"_ignored"`, `"_nested_path"`,
		`"_seq_no"`, `"_version"`, `"_version.x"`, `"_doc_count"`, `"_size"`, `"_feature"`, `"_data_stream_timestamp"`, `"version.x"`, `"\u005fid"`)
	add(InvalidField, `"title.x"`, `"title.raw"`, `"slug.x.y"`, `"created_at.x"`, `"rating.x"`, `"artist_id.x"`)
	add("", `"_"`, `"_x"`, `"_id2"`, `"id._id"`, `"Title.x"`, `"titles.x"`, `"a.b.c"`, `"a.title"`, `"post_id.x"`, `"versions"`, `"_primary_term"`, `"name.x"`, `"event_type.x"`, `"🎸"`, `"\u0000"`, `"a b"`, `"\u200b"`, `"*"`, `"a\"b"`)
	long := strings.Repeat("k", 50_000)
	return append(cases,
		testCase{name: "key of 50,000 bytes", value: name(`"` + long + `"`)},
		testCase{name: "key of 50,001 bytes", value: name(`"k` + long + `"`), reason: InvalidEvent},
		testCase{name: "reserved key in a bare payload", value: `{"post_id":"1","_id":"2"}`, reason: ReservedField},
		testCase{name: "the first bad field is told", value: `{"post_id":"1","rating":"high","_id":"2"}`, reason: InvalidField},
		testCase{name: "a field of the other entity", topic: "artist.created", value: `{"artist_id":"1","title":{"a":1},"title.x":1}`, want: `upsert artist/1 v0 ` + at + ` {"artist_id":"1","title":{"a":1},"title.x":1}`},
		testCase{name: "a field of this entity", topic: "artist.created", value: `{"artist_id":"1","name":{"a":1}}`, reason: InvalidField},
	)
}

func kindCases() []testCase {
	var cases []testCase
	add := func(reason Reason, field string, values ...string) {
		for _, v := range values {
			cases = append(cases, testCase{name: field + " " + excerpt(v), value: `{"post_id":"1","` + field + `":` + v + `}`, reason: reason})
		}
	}
	written := func() { cases[len(cases)-1].blind = true }
	for _, field := range []string{"title", "tags"} {
		add("", field, `"x"`, `""`, `1`, `-1.5`, `true`, `null`, `[]`, `["a",1,true,null]`, `[ "a" ]`)
		add(InvalidField, field, `{}`, `{"a":1}`, `[[]]`, `[{}]`, `["a",["b"]]`, `["a",{"b":1}]`)
	}
	add("", "rating", `0`, `-0`, `4.5`, `1e3`, `1.7976931348623157e308`, `null`, strings.Repeat("9", 308))
	add(InvalidField, "rating", `"4.5"`, `true`, `[]`, `[1]`, `{}`, `""`, strings.Repeat("9", 309))
	add(InvalidEvent, "rating", `1e400`)
	add("", "created_at", `null`, `0`, `-1`, `-0`, `2024`, `1704164645123`, `9223372036854775807`, `-9223372036854775807`,
		`"2024-01-02"`, `"0000-01-01"`, `"9999-12-31"`, `"2024-01-02T03:04:05Z"`, `"2024-01-02t03:04:05z"`, `"2024-01-02 03:04:05"`, `"2024-01-02T03:04:05.123456789+18:00"`, `"2024-01-02T03:04:05-18:00"`, `"2024\u002d01-02"`)
	add(InvalidField, "created_at", `9223372036854775808`, `-9223372036854775808`, `1.5`, `true`, `[]`, `["2024-01-02"]`, `{}`, `""`, `"2024"`, `"2024-01"`, `"20240102"`, `"1704164645123"`, `"now"`,
		`"2024-01-02T"`, `"2024-01-02T03:04Z"`, `"2024-01-02Z"`, `"2024-01-02T03:04:05.1234567890Z"`, `"2024-01-02T03:04:05+18:01"`, `"2024-01-02T03:04:05-23:59"`, `"2024-01-02T03:04:05+03"`, `"2016-12-31T23:59:60Z"`, `"+2024-01-02"`)
	add(InvalidField, "created_at", `"2023-02-29"`)
	written()
	add(InvalidField, "created_at", `1e3`)
	written()
	add(InvalidField, "created_at", `1704164645000.0`)
	written()
	cases[slices.IndexFunc(cases, func(c testCase) bool { return c.reason == InvalidEvent })].blind = false
	return cases
}

func TestOrderHoldsTheDigestOfTheData(t *testing.T) {
	data := `{"post_id":"1", "title":"x"}`
	_, enveloped, _ := NewMux("").Decode(testCase{value: `{"data":` + data + ` ,"version":7}`}.record())
	_, bare, _ := NewMux("").Decode(testCase{value: ` ` + data + "\n"}.record())
	want := document.Digest([]byte(data))
	if enveloped.State.Head().Seen.Digest != want || bare.State.Head().Seen.Digest != want {
		t.Errorf("got %d in an envelope and %d bare, want %d", enveloped.State.Head().Seen.Digest, bare.State.Head().Seen.Digest, want)
	}
	_, gone, _ := NewMux("").Decode(testCase{topic: "post.deleted", value: data}.record())
	if gone.State.Head().Floor.Digest != math.MaxInt64 {
		t.Errorf("a delete has digest %d, want the greatest", gone.State.Head().Floor.Digest)
	}
}

// TestChangeDigest holds that the digest is that of what an event does: what is
// only for tracing takes no part, all else does.
func TestChangeDigest(t *testing.T) {
	digest := func(topic, value string, timestamp int64) [16]byte {
		r := testCase{topic: topic, value: value}.record()
		r.Timestamp = timestamp
		_, change, rejection := NewMux("").Decode(r)
		if rejection != nil {
			t.Fatalf("%s: %v", value, rejection)
		}
		return change.Digest
	}
	const event = `{"event_id":"a","timestamp":"2024-01-02T03:04:05Z","version":2,"data":{"post_id":"1","title":"x"}}`
	first := digest("post.created", event, recordTime)
	same := digest("post.updated", strings.Replace(event, `"a"`, `"b"`, 1), recordTime+1)
	if first != same {
		t.Error("event id, type of write and record time change the digest")
	}
	others := map[string][16]byte{
		"first":       first,
		"version":     digest("post.created", strings.Replace(event, `n":2`, `n":3`, 1), recordTime),
		"timestamp":   digest("post.created", strings.Replace(event, `05Z`, `06Z`, 1), recordTime),
		"data":        digest("post.created", strings.Replace(event, `"x"`, `"y"`, 1), recordTime),
		"id":          digest("post.created", strings.Replace(event, `"1"`, `"2"`, 1), recordTime),
		"delete":      digest("post.deleted", event, recordTime),
		"later purge": digest("post.deleted", event, recordTime+1),
		"enveloped":   digest("post.created", `{"version":2,"timestamp":"2024-01-02T03:04:05Z","data":{"version":2,"post_id":"1","timestamp":"2024-01-02T03:04:05Z"}}`, recordTime),
		"bare":        digest("post.created", `{"version":2,"post_id":"1","timestamp":"2024-01-02T03:04:05Z"}`, recordTime),
		"artist":      digest("artist.created", `{"version":2,"timestamp":"2024-01-02T03:04:05Z","data":{"artist_id":"1","post_id":"1"}}`, recordTime),
		"post":        digest("post.created", `{"version":2,"timestamp":"2024-01-02T03:04:05Z","data":{"artist_id":"1","post_id":"1"}}`, recordTime),
	}
	seen := make(map[[16]byte]string)
	for name, d := range others {
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
	}
}
