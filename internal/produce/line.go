// Package produce publishes events to Kafka: it reads them from NDJSON or
// invents them, sends them, and measures how that went. It is for trying the
// indexer out and for loads; it is no part of the indexer's own data path, and
// it does not judge events (broken ones are worth publishing too).
package produce

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/internal/record"
)

// member is one member of a JSON object, its value as written.
type member struct {
	name  string
	value jsontext.Value
}

// parseLine returns the record that one line describes. A line with a member
// "topic" is a record in full; any other object is an event, published as it is
// written to topic, or where that is empty to its event_type. Topics get prefix.
func parseLine(line []byte, prefix, topic string) (*record.Record, error) {
	members, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	if _, ok := find(members, "topic"); ok {
		return parseRecord(members, prefix)
	}
	if topic == "" {
		eventType, err := text(members, "event_type")
		if err != nil || eventType == "" {
			return nil, errors.New(`the event has no "event_type": add one, or name the topic with --topic`)
		}
		topic = eventType
	}
	rec := newRecord(prefix + topic)
	rec.Key, rec.Value = entityKey(line, topic), bytes.Clone(line)
	return rec, nil
}

// newRecord returns a record that is stamped when it is sent, to the partition
// that its key decides.
func newRecord(topic string) *record.Record {
	return &record.Record{Partition: record.Partition{Topic: topic, ID: -1}, Timestamp: -1}
}

// parseRecord reads {"topic", "key", "headers", "value" | "value_text" |
// "value_base64"}. Other members are refused rather than dropped.
func parseRecord(members []member, prefix string) (*record.Record, error) {
	for i, m := range members {
		switch m.name {
		case "topic", "key", "headers", "value", "value_text", "value_base64":
		default:
			return nil, fmt.Errorf("a line with a \"topic\" can't have %q: use topic, key, headers, and one of value, value_text, value_base64", m.name)
		}
		if _, again := find(members[:i], m.name); again {
			return nil, fmt.Errorf("%q stands twice", m.name)
		}
	}
	topic, err := text(members, "topic")
	if err != nil {
		return nil, err
	}
	if topic == "" {
		return nil, errors.New(`"topic" must not be empty`)
	}
	rec := newRecord(prefix + topic)
	if rec.Value, err = value(members); err != nil {
		return nil, err
	}
	if rec.Headers, err = headers(members); err != nil {
		return nil, err
	}
	switch key, ok := find(members, "key"); {
	case !ok:
		rec.Key = entityKey(rec.Value, topic)
	case key.Kind() != 'n':
		k, err := text(members, "key")
		if err != nil {
			return nil, err
		}
		rec.Key = []byte(k)
	}
	return rec, nil
}

// value returns the record's value, nil for a JSON null.
func value(members []member) ([]byte, error) {
	var found [][]byte
	if v, ok := find(members, "value"); ok {
		if v.Kind() == 'n' {
			v = nil
		}
		found = append(found, v)
	}
	if _, ok := find(members, "value_text"); ok {
		v, err := text(members, "value_text")
		if err != nil {
			return nil, err
		}
		found = append(found, []byte(v))
	}
	if v, ok := find(members, "value_base64"); ok {
		raw := []byte{}
		if err := json.Unmarshal(v, &raw); err != nil || v.Kind() != '"' {
			return nil, errors.New(`"value_base64" must be a text in base64`)
		}
		found = append(found, raw)
	}
	if len(found) != 1 {
		return nil, errors.New(`give one of "value", "value_text" and "value_base64"`)
	}
	return found[0], nil
}

func headers(members []member) ([]record.Header, error) {
	v, ok := find(members, "headers")
	if !ok || v.Kind() == 'n' {
		return nil, nil
	}
	inner, err := parseObject(v)
	if err != nil {
		return nil, fmt.Errorf(`read "headers": %w`, err)
	}
	all := make([]record.Header, 0, len(inner))
	for i, m := range inner {
		s, err := text(inner[i:], m.name)
		if err != nil {
			return nil, fmt.Errorf(`read "headers": %w`, err)
		}
		all = append(all, record.Header{Key: m.name, Value: []byte(s)})
	}
	return all, nil
}

// entityKey returns the entity id of an event, so that the events of one entity
// share a partition; nil where there is none, which lets the client choose.
func entityKey(event []byte, topic string) []byte {
	name := "post_id"
	members, err := parseObject(event)
	if err != nil {
		return nil
	}
	eventType, err := text(members, "event_type")
	if err != nil || eventType == "" {
		eventType = topic
	}
	if strings.HasPrefix(eventType, "artist.") {
		name = "artist_id"
	}
	if data, ok := find(members, "data"); ok && data.Kind() == '{' {
		if members, err = parseObject(data); err != nil {
			return nil
		}
	}
	id, ok := find(members, name)
	switch {
	case ok && id.Kind() == '"':
		s, err := text(members, name)
		if err != nil {
			return nil
		}
		return []byte(s)
	case ok && id.Kind() == '0':
		return bytes.Clone(id)
	}
	return nil
}

// parseObject returns the members of the JSON object raw in their order, a name
// that stands twice both times: whether that is an event is for others to say.
func parseObject(raw []byte) ([]member, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	} else if token.Kind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	var members []member
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		m := member{name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		m.value = value.Clone()
		members = append(members, m)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value on the line")
	}
	return members, nil
}

func find(members []member, name string) (jsontext.Value, bool) {
	for _, m := range members {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// text returns the text of a member, "" where it is absent.
func text(members []member, name string) (string, error) {
	v, ok := find(members, name)
	if !ok {
		return "", nil
	}
	if v.Kind() != '"' {
		return "", fmt.Errorf("%q must be a text", name)
	}
	raw, err := jsontext.AppendUnquote(nil, v)
	return string(raw), err
}
