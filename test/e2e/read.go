package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is a good record as the reference reads it.
type Event struct {
	Entity, ID  string
	Delete      bool
	Version     int64 // final for a delete without one
	Micros      int64
	RecordTime  int64 // milliseconds
	Fields      map[string]any
	EventID     string // empty where the record has none
	Correlation string // likewise
}

const final = math.MaxInt64

// bad is the error of a record that the description of events forbids.
type bad struct{ reason, detail string }

func (b bad) Error() string { return b.reason + ": " + b.detail }

func refuse(reason, format string, args ...any) error {
	return bad{reason, fmt.Sprintf(format, args...)}
}

// Read says what a record means, or the reason why it is bad. What could be read
// of a bad one is in the Event.
func Read(r Record) (Event, error) {
	ev := Event{RecordTime: r.Timestamp}
	for _, h := range r.Headers {
		if name := strings.ToLower(h.Key); name == "correlation-id" || name == "x-correlation-id" {
			ev.Correlation = string(h.Value)
		}
	}
	if r.Value == nil {
		return ev, refuse("empty_value", "null")
	}
	text := r.Value
	if len(text) >= 5 && text[0] == 0 {
		text = text[5:]
	}
	if !utf8.Valid(text) || !json.Valid(text) {
		return ev, refuse("invalid_json", "%.40q", text)
	}
	if err := checkSurrogates(string(text)); err != nil {
		return ev, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	value, err := readValue(dec)
	if err != nil {
		return ev, err
	}
	envelope, ok := value.(map[string]any)
	if !ok {
		return ev, refuse("invalid_event", "not an object")
	}
	err = ev.read(r.Topic, envelope)
	return ev, err
}

// read takes the parts in no special order: a record breaks one rule at most.
func (ev *Event) read(topic string, envelope map[string]any) error {
	own := []string{"event_id", "event_type", "correlation_id", "timestamp", "version", "data"}
	data, ok := envelope["data"].(map[string]any)
	if envelope["data"] == nil {
		data, ok = make(map[string]any), true
		for name, v := range envelope {
			if !slices.Contains(own, name) {
				data[name] = v
			}
		}
	}
	if !ok {
		return refuse("invalid_event", "data is not an object")
	}
	if err := ev.readTracing(envelope); err != nil {
		return err
	}
	eventType := topic
	if t := envelope["event_type"]; t != nil {
		eventType, _ = t.(string)
	}
	kinds := map[string]bool{"created": false, "updated": false, "deleted": true}
	entity, kind, _ := strings.Cut(eventType, ".")
	if ev.Delete, ok = kinds[kind]; !ok || entity != "post" && entity != "artist" {
		return refuse("unknown_event_type", "%q", eventType)
	}
	ev.Entity = entity
	if err := ev.readID(data); err != nil {
		return err
	}
	if err := ev.readVersion(envelope, data); err != nil {
		return err
	}
	if err := ev.readTime(envelope["timestamp"]); err != nil {
		return err
	}
	delete(data, "version")
	ev.Fields = data
	return checkFields(entity, data)
}

func (ev *Event) readTracing(envelope map[string]any) error {
	switch id := envelope["event_id"].(type) {
	case nil:
	case string:
		if len(id) == 0 || len(id) > 128 {
			return refuse("invalid_event", "event_id of %d bytes", len(id))
		}
		ev.EventID = id
	default:
		return refuse("invalid_event", "event_id %v", id)
	}
	if c := envelope["correlation_id"]; c != nil {
		ev.Correlation = fmt.Sprint(c)
	}
	return nil
}

func (ev *Event) readID(data map[string]any) error {
	switch id := data[ev.Entity+"_id"].(type) {
	case string:
		ev.ID = id
	case json.Number:
		if isInteger(id) {
			ev.ID = id.String()
		}
	}
	if ev.ID == "" || len(ev.ID) > 512 {
		return refuse("invalid_id", "%.40v", data[ev.Entity+"_id"])
	}
	return nil
}

func (ev *Event) readVersion(envelope, data map[string]any) error {
	v := envelope["version"]
	if v == nil {
		v = data["version"]
	}
	if v == nil {
		if ev.Delete {
			ev.Version = final
		}
		return nil
	}
	n, _ := v.(json.Number)
	version, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || version < 0 || version == math.MaxInt64 {
		return refuse("invalid_version", "%v", v)
	}
	ev.Version = version
	return nil
}

var rfc3339 = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)?$`)

func (ev *Event) readTime(v any) error {
	if v == nil {
		ev.Micros = ev.RecordTime * 1000
		return nil
	}
	s, _ := v.(string)
	part := rfc3339.FindStringSubmatch(s)
	if part == nil {
		return refuse("invalid_timestamp", "%v", v)
	}
	zone := strings.ToUpper(part[4])
	if zone == "" {
		zone = "Z"
	}
	seconds, err := time.Parse("2006-01-02T15:04:05Z07:00", part[1]+"T"+part[2]+zone)
	if err != nil {
		return refuse("invalid_timestamp", "%v", err)
	}
	fraction := (strings.TrimPrefix(part[3], ".") + "000000")[:6]
	micros, err := strconv.ParseInt(fraction, 10, 64)
	if err != nil {
		return refuse("invalid_timestamp", "%v", err)
	}
	ev.Micros = seconds.Unix()*1_000_000 + micros
	if ev.Micros > ev.RecordTime*1000+24*3600*1_000_000 {
		return refuse("invalid_timestamp", "%s is too far ahead", s)
	}
	return nil
}

// readValue reads one value token by token, since a map would hide a key that
// stands twice.
func readValue(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, refuse("invalid_event", "%v", err)
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := readValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, refuse("invalid_event", "%v", err)
			}
			v, err := readValue(dec)
			if err != nil {
				return nil, err
			}
			if _, twice := object[name.(string)]; twice || name == "" {
				return nil, refuse("invalid_event", "key %q", name)
			}
			object[name.(string)] = v
		}
		_, err = dec.Token()
		return object, err
	}
	if n, ok := token.(json.Number); ok {
		return n, checkNumber(n)
	}
	return token, nil
}

func isInteger(n json.Number) bool { return !strings.ContainsAny(n.String(), ".eE") }

func checkNumber(n json.Number) error {
	if isInteger(n) {
		if len(strings.TrimPrefix(n.String(), "-")) > 1000 {
			return refuse("invalid_event", "a number of %d digits", len(n))
		}
	} else if _, err := n.Float64(); err != nil {
		return refuse("invalid_event", "a number past a double: %v", n)
	}
	return nil
}

var escape = regexp.MustCompile(`\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)`)

// checkSurrogates looks at each escape in turn: pairs are taken together, so a
// surrogate that is left stands alone.
func checkSurrogates(text string) error {
	if !strings.Contains(text, `\ud`) && !strings.Contains(text, `\uD`) {
		return nil
	}
	for _, e := range escape.FindAllString(text, -1) {
		if len(e) == 6 && strings.ContainsAny(e[2:3], "dD") && e[3] >= '8' {
			return refuse("invalid_event", "lone surrogate %s", e)
		}
	}
	return nil
}
