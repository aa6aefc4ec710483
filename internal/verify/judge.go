package verify

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// Class says how a document differs from what the log says of it.
type Class string

// The ways in which a document can differ.
const (
	Right     Class = ""
	Missing   Class = "missing"   // the index does not have it
	Undeleted Class = "undeleted" // it was deleted, but is found, or has lost its tombstone
	Stale     Class = "stale"     // it lacks events, and holds nothing but events
	Orphaned  Class = "orphaned"  // no event made it
	Differing Class = "differing" // it holds what no event says
	// Unknown is an Orphaned one where the log does not hold everything: an event
	// may have made it that is gone. It counts as no difference.
	Unknown Class = "unknown"
)

// Classes returns what counts as a difference, in the order in which it is reported.
func Classes() []Class { return []Class{Missing, Undeleted, Stale, Orphaned, Differing} }

// suspect is a document that is not plainly what the fold says: as the index held
// it, and what the log says of it.
type suspect struct {
	index.Stored

	folded    document.State // events that must be in it
	held      document.State // of the events that may be in it, those that are
	deletes   document.State // of the events that may be in it, deletes that need no tombstone any more
	published document.State // of the events that may be in it, all but those with a dead letter
	letter    bool           // it has an open dead letter
}

// consider takes in an event that may be in the document. Tombstones of deletes
// before expired, in milliseconds since 1970, may have been purged.
func (s *suspect) consider(event document.State, letter bool, expired int64) {
	if document.Equal(document.Join(s.State, event), s.State) {
		s.held = document.Join(s.held, event)
	}
	if letter {
		return
	}
	s.published = document.Join(s.published, event)
	if !event.Floor.IsZero() && event.DeletedAt < expired {
		s.deletes = document.Join(s.deletes, event)
	}
}

// rule is what a judgement needs to know beside the document.
type rule struct {
	complete bool  // the log holds every event that was ever published
	expired  int64 // tombstones of deletes before it, in ms since 1970, may be gone
}

// judge tells how the document differs, and in which of its members.
func (r rule) judge(s *suspect) (Class, []string) {
	want := r.want(s, document.Join(s.folded, s.held))
	if isSame(s.Stored, want) || isSame(s.Stored, r.purged(s)) {
		return Right, nil
	}
	switch {
	case want.IsZero() && !r.complete:
		return Unknown, nil
	case want.IsZero() && s.published.IsZero() && !s.letter:
		return Orphaned, nil
	case !want.Visible() && !want.IsZero() && (!s.Found || s.State.Visible()):
		return Undeleted, nil
	case !s.Found:
		return Missing, nil
	}
	fields := differences(s.Source, want.AppendSource(nil))
	if s.Err == nil && isSource(s.Source, document.Join(s.State, document.State{})) && isSource(want.AppendSource(nil), document.Join(s.State, want)) {
		return Stale, fields
	}
	return Differing, fields
}

// purged is what the document should be where its tombstone was purged before the
// last events came.
func (r rule) purged(s *suspect) document.State {
	before := document.Join(s.folded, s.deletes)
	if before.Floor.IsZero() || before.DeletedAt >= r.expired {
		return document.Join(s.folded, s.held)
	}
	before.Floor, before.DeletedAt = document.Order{}, 0
	return r.want(s, document.Join(before, s.held))
}

// want adds what a document holds of events that a cut log no longer has: all whose
// order is that of none of the events it has.
func (r rule) want(s *suspect, known document.State) document.State {
	if r.complete || s.Err != nil || known.IsZero() {
		return known
	}
	orders := []document.Order{known.Seen, known.Floor}
	for _, f := range known.Fields {
		orders = append(orders, f.Order)
	}
	older := document.State{DeletedAt: s.State.DeletedAt}
	for _, f := range s.State.Fields {
		if !slices.Contains(orders, f.Order) {
			older.Fields = append(older.Fields, f)
		}
	}
	if !slices.Contains(orders, s.State.Seen) {
		older.Seen = s.State.Seen
	}
	if !slices.Contains(orders, s.State.Floor) {
		older.Floor = s.State.Floor
	}
	return document.Join(known, older)
}

// mended is what the document has to become: all that was published, with which
// nothing is lost that workers have written meanwhile. The zero State says that it
// has to go.
func (r rule) mended(s *suspect) document.State {
	state := r.want(s, document.Join(document.Join(s.folded, s.held), s.published))
	if !state.Visible() && state.DeletedAt < r.expired {
		return document.State{}
	}
	return state
}

// isSame tells whether the index holds exactly a State; the zero State is no
// document.
func isSame(stored index.Stored, want document.State) bool {
	if !stored.Found || want.IsZero() {
		return !stored.Found && want.IsZero()
	}
	return isSource(stored.Source, want)
}

// isSource tells whether source says the same as a State, as JSON: OpenSearch and
// its script may have written it anew.
func isSource(source []byte, want document.State) bool {
	plain := want.AppendSource(make([]byte, 0, len(source)))
	if bytes.Equal(source, plain) {
		return true
	}
	a, b := jsontext.Value(bytes.Clone(source)), jsontext.Value(plain)
	return canonicalize(&a) == nil && canonicalize(&b) == nil && bytes.Equal(a, b)
}

// canonicalize gives all that mean the same one form: integers by every digit,
// decimals as doubles, members sorted, texts in their shortest spelling.
func canonicalize(value *jsontext.Value) error {
	return value.Canonicalize(jsontext.CanonicalizeRawInts(false))
}

// differences names the members in which two sources differ, sorted. Our own one is
// named where it is alone.
func differences(a, b []byte) []string {
	left, right := members(a), members(b)
	var names []string
	for name, value := range left {
		if other, ok := right[name]; !ok || !bytes.Equal(value, other) {
			names = append(names, name)
		}
	}
	for name := range right {
		if _, ok := left[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == document.SyncField })
	if len(others) > 0 {
		return others
	}
	return names
}

// members returns the canonical value of each member of an object; none of what is
// no object.
func members(source []byte) map[string]jsontext.Value {
	values := map[string]jsontext.Value{}
	dec := jsontext.NewDecoder(bytes.NewReader(source))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return values
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return values
		}
		key := name.String()
		raw, err := dec.ReadValue()
		if err != nil {
			return values
		}
		value := raw.Clone()
		if canonicalize(&value) != nil {
			return values
		}
		values[key] = value
	}
	return values
}
