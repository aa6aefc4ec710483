package handlers

import (
	"bytes"
	"encoding/binary"
	stdjson "encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

// FuzzDecode holds what is true of every record, whatever it holds.
func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.Topic, s.Value, []byte("request-1"), s.Timestamp)
	}
	for _, c := range slices.Concat(routeCases(), idCases(), tracingCases(), timestampCases(), versionCases(),
		shapeCases(), jsonCases(), valueCases(), nameCases(), kindCases()) {
		r := c.record()
		if len(r.Value) > 4096 {
			continue // mutations of these take the time of a hundred others
		}
		f.Add(r.Topic, r.Value, []byte("request-1"), r.Timestamp)
	}
	mux := NewMux("")
	f.Fuzz(func(t *testing.T, topic string, value, header []byte, timestamp int64) {
		r := &record.Record{
			Partition: record.Partition{Topic: topic}, Timestamp: timestamp, Value: bytes.Clone(value),
			Headers: []record.Header{{Key: "correlation-id", Value: header}},
		}
		event, change, rejection := mux.Decode(r)
		if !bytes.Equal(r.Value, value) {
			t.Fatal("the record's value was changed")
		}
		checkEvent(t, event)
		if rejection != nil {
			checkRejection(t, rejection, value)
		} else {
			checkChange(t, change)
		}
		againEvent, againChange, againRejection := mux.Decode(r)
		if diff := cmp.Diff([]any{event, change, rejection}, []any{againEvent, againChange, againRejection}); diff != "" {
			t.Errorf("decoded again (-first +second):\n%s", diff)
		}
		checkIsJSON(t, value, rejection)
	})
}

func checkEvent(t *testing.T, event Event) {
	t.Helper()
	if event.ID == "" || !utf8.ValidString(event.CorrelationID) || len(event.CorrelationID) > maxCorrelationID {
		t.Errorf("bad event %+v", event)
	}
}

func checkChange(t *testing.T, change Change) {
	t.Helper()
	if change.ID == "" || len(change.ID) > maxEntityID || !utf8.ValidString(change.ID) {
		t.Errorf("bad id %q", change.ID)
	}
	state := change.State.Unpack()
	for i, field := range state.Fields {
		if i > 0 && state.Fields[i-1].Name >= field.Name {
			t.Errorf("field %q comes behind %q", field.Name, state.Fields[i-1].Name)
		}
	}
	source := state.AppendSource(nil)
	if !jsontext.Value(source).IsValid() || bytes.ContainsAny(source, "\r\n") {
		t.Errorf("the source is not JSON on one line: %s", source)
	}
	back, err := document.ParseSource(source)
	if err != nil || !document.Equal(state, back) {
		t.Errorf("the source comes back as\n%s, not\n%s (%v)", back, source, err)
	}
}

func checkRejection(t *testing.T, rejection *Rejection, value []byte) {
	t.Helper()
	known := []Reason{InvalidJSON, EmptyValue, InvalidEvent, UnknownEventType, InvalidID, InvalidTimestamp, InvalidVersion, ReservedField, InvalidField}
	if !slices.Contains(known, rejection.Reason) || !utf8.ValidString(rejection.Detail) || strings.ContainsAny(rejection.Detail, "\x00") {
		t.Errorf("bad rejection %q: %q", rejection.Reason, rejection.Detail)
	}
	const told = maxExcerpt + 2 // the quotes around it may look like those in the value
	for i := 0; i+told < len(value); i++ {
		if strings.Contains(rejection.Detail, string(value[i:i+told+1])) {
			t.Fatalf("over 64 bytes of the value are told: %q", rejection.Detail)
		}
	}
}

// checkIsJSON compares with the standard library, which takes lone surrogates,
// keys that come twice and bytes that are not UTF-8. Both parsers stop at 10,000
// levels.
func checkIsJSON(t *testing.T, value []byte, rejection *Rejection) {
	t.Helper()
	value = unframed(value)
	if len(value) == 0 || bytes.Count(value, []byte("["))+bytes.Count(value, []byte("{")) >= 10_000 {
		return
	}
	isJSON := utf8.Valid(value) && stdjson.Valid(value)
	if isJSON == (reasonOf(rejection) == InvalidJSON) {
		t.Errorf("valid JSON: %v, but decoded to %v", isJSON, rejection)
	}
}

// FuzzFraming holds that the schema registry's header changes nothing, and that a
// part of one is no header.
func FuzzFraming(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.Topic, s.Value, uint32(1), uint8(2))
	}
	f.Add("post.created", []byte{0, 0, 0, 0, 7, '{', '}'}, uint32(1<<31), uint8(4))
	f.Add("post.created", []byte{0}, uint32(0), uint8(0))
	f.Add("post.created", []byte{}, uint32(0), uint8(5))
	mux := NewMux("")
	decode := func(topic string, value []byte) (Event, Change, *Rejection) {
		return mux.Decode(&record.Record{Partition: record.Partition{Topic: topic}, Timestamp: 1_717_236_000_000, Value: value})
	}
	f.Fuzz(func(t *testing.T, topic string, value []byte, schema uint32, length uint8) {
		header := binary.BigEndian.AppendUint32([]byte{0}, schema)
		event, change, rejection := decode(topic, slices.Concat(header, value))
		plainEvent, plainChange, plainRejection := decode(topic, value)
		if len(value) > 0 && value[0] == 0 { // a header in a header
			if reasonOf(rejection) != InvalidJSON {
				t.Errorf("a zero byte behind the header is decoded to %v", rejection)
			}
		} else if diff := cmp.Diff([]any{plainEvent, plainChange, plainRejection}, []any{event, change, rejection}); diff != "" {
			t.Errorf("without header and with one (-without +with):\n%s", diff)
		}
		if part := header[:int(length)%len(header)]; len(part) > 0 {
			if _, _, rejection := decode(topic, part); reasonOf(rejection) != InvalidJSON {
				t.Errorf("%x is decoded to %v", part, rejection)
			}
		}
	})
}
