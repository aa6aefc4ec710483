package document

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Names of the members of a document that are ours, not the publisher's.
const (
	VersionField = "version"
	SyncField    = "_sync"
)

// Format is the number of the encoding of _sync. A document with a higher one
// was written by a newer program and is refused instead of guessed at.
const Format = 1

// ErrNewer is why a document can't be read that a newer program wrote.
var ErrNewer = errors.New("written by a newer program, update this one")

// AppendSource appends s as an OpenSearch _source: the fields as published,
// "version", and "_sync" with all that a later Join needs:
//
//	format      the number of this encoding
//	seen        [version, microseconds, digest] of the highest created or updated event
//	orders      the same for each field whose order is not seen
//	floor       the same of the highest deleted event
//	deleted_at  milliseconds, the latest Kafka timestamp of a deleted event
//	deleted     true for a tombstone; what the read alias filters by
//
// Members that would say "none" are left out. Equal states give equal bytes.
func (s State) AppendSource(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range s.Fields {
		dst = appendName(dst, s.Fields[i].Name)
		dst = append(append(dst, s.Fields[i].Value...), ',')
	}
	return append(s.appendOurs(dst), '}')
}

// appendOurs appends the members that are ours.
func (s State) appendOurs(dst []byte) []byte {
	dst = append(dst, `"version":`...)
	dst = strconv.AppendInt(dst, s.Version(), 10)
	dst = append(dst, `,"_sync":`...)
	return s.appendSync(dst)
}

func (s State) appendSync(dst []byte) []byte {
	dst = append(dst, `{"format":`...)
	dst = strconv.AppendInt(dst, Format, 10)
	if !s.Seen.IsZero() {
		dst = s.Seen.append(append(dst, `,"seen":`...))
	}
	if !s.Floor.IsZero() {
		dst = s.Floor.append(append(dst, `,"floor":`...))
		dst = strconv.AppendInt(append(dst, `,"deleted_at":`...), s.DeletedAt, 10)
		if !s.Visible() {
			dst = append(dst, `,"deleted":true`...)
		}
	}
	return append(s.appendOrders(dst), '}')
}

func (s State) appendOrders(dst []byte) []byte {
	open := false
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.Order == s.Seen {
			continue
		}
		if !open {
			dst, open = append(dst, `,"orders":{`...), true
		} else {
			dst = append(dst, ',')
		}
		dst = f.Order.append(appendName(dst, f.Name))
	}
	if open {
		dst = append(dst, '}')
	}
	return dst
}

// appendName appends a name as JSON, with the colon behind it.
func appendName(dst []byte, name string) []byte {
	if isPlain(name) {
		return append(append(append(dst, '"'), name...), `":`...)
	}
	dst, err := jsontext.AppendQuote(dst, name)
	if err != nil {
		panic("document: field name is not UTF-8, which handlers refuse: " + err.Error())
	}
	return append(dst, ':')
}

// parseName undoes appendName.
func parseName(text []byte) (name []byte, err error) {
	quoted, ok := bytes.CutSuffix(text, []byte(":"))
	if n := len(quoted) - 1; ok && n > 0 && quoted[0] == '"' && quoted[n] == '"' && isPlain(quoted[1:n]) {
		return quoted[1:n], nil
	}
	return jsontext.AppendUnquote(nil, quoted)
}

// isPlain reports whether a text is the same in JSON but for its quotes.
func isPlain[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// syncMember is the shape of _sync in a document.
type syncMember struct {
	Format    int64            `json:"format"`
	Seen      Order            `json:"seen"`
	Floor     Order            `json:"floor"`
	DeletedAt int64            `json:"deleted_at"`
	Deleted   bool             `json:"deleted"`
	Orders    map[string]Order `json:"orders"`
}

// UnmarshalJSON reads [version,time,digest].
func (o *Order) UnmarshalJSON(raw []byte) error {
	var parts []int64
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("an order has 3 numbers, not %d", len(parts))
	}
	*o = Order{Version: parts[0], Time: parts[1], Digest: parts[2]}
	return nil
}

// ParseSource reads what AppendSource wrote, also after OpenSearch or its script
// wrote it anew. A document without _sync is not of this program: its fields
// have the zero order, so that any event overrides them.
func ParseSource(source []byte) (State, error) {
	var s State
	var meta syncMember
	dec := jsontext.NewDecoder(bytes.NewReader(source))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return State{}, errors.Join(errors.New("document is not a JSON object"), err)
	}
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return State{}, fmt.Errorf("read document: %w", err)
		}
		name := tok.String()
		raw, err := dec.ReadValue()
		if err != nil {
			return State{}, fmt.Errorf("read document field %q: %w", name, err)
		}
		switch name {
		case VersionField: // follows from _sync
		case SyncField:
			if err := json.Unmarshal(raw, &meta); err != nil {
				return State{}, fmt.Errorf("read %s: %w", SyncField, err)
			}
		default:
			value := raw.Clone()
			if err := value.Compact(); err != nil {
				return State{}, fmt.Errorf("read document field %q: %w", name, err)
			}
			s.Fields = append(s.Fields, Field{Name: name, Value: value})
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return State{}, fmt.Errorf("read document: %w", err)
	}
	return s.withSync(meta)
}

func (s State) withSync(meta syncMember) (State, error) {
	if meta.Format > Format {
		return State{}, fmt.Errorf("%w: %s has format %d, this one knows up to %d", ErrNewer, SyncField, meta.Format, Format)
	}
	s.Seen, s.Floor, s.DeletedAt = meta.Seen, meta.Floor, meta.DeletedAt
	for i := range s.Fields {
		s.Fields[i].Order = meta.Seen
		if o, ok := meta.Orders[s.Fields[i].Name]; ok {
			s.Fields[i].Order = o
		}
	}
	slices.SortFunc(s.Fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}
