package simulate

import (
	"fmt"
	"maps"

	"github.com/search-indexer/search-indexer/internal/document"
)

// expected is what must come of one document's events. It is folded the slow way,
// by rules written down anew, so that it shares no mistake with the program.
type expected struct {
	visible   bool
	version   int64
	deletedAt int64
	fields    map[string]string
}

// compare folds a history and says where what is stored differs. An event that the
// index refuses on its own may still be taken where another of its batch erased the
// bad value, so a history with one may end in two ways.
func compare(history []*entry, stored document.State) string {
	var without []*entry
	for _, e := range history {
		if e.nature == good {
			without = append(without, e)
		}
	}
	got := stateOf(stored)
	want := fold(without)
	if equal(got, want) || len(without) < len(history) && anyPoison(history, got) {
		return ""
	}
	return fmt.Sprintf("stored %+v, want %+v", got, want)
}

// anyPoison reports whether some of the refused events, taken, explain got.
func anyPoison(history []*entry, got expected) bool {
	var bad []int
	for i, e := range history {
		if e.nature == poison {
			bad = append(bad, i)
		}
	}
	for taken := range 1 << min(len(bad), 10) {
		var chosen []*entry
		for i, e := range history {
			if e.nature == good {
				chosen = append(chosen, e)
			}
			for n, at := range bad {
				if at == i && taken&(1<<n) != 0 {
					chosen = append(chosen, e)
				}
			}
		}
		if equal(got, fold(chosen)) {
			return true
		}
	}
	return false
}

func stateOf(s document.State) expected {
	got := expected{visible: s.Visible(), version: s.Version(), deletedAt: s.DeletedAt, fields: map[string]string{}}
	for _, f := range s.Fields {
		got.fields[f.Name] = string(f.Value)
	}
	return got
}

func equal(a, b expected) bool {
	return a.visible == b.visible && a.version == b.version && a.deletedAt == b.deletedAt && maps.Equal(a.fields, b.fields)
}

// beats tells which of two events of a document counts. Times are unique here, so
// there are no ties but of an event with itself.
func (e *entry) beats(o *entry) bool {
	switch {
	case o == nil:
		return true
	case e.deletes && !e.versioned && !(o.deletes && !o.versioned):
		return true
	case o.deletes && !o.versioned && !(e.deletes && !e.versioned):
		return false
	case e.number() != o.number():
		return e.number() > o.number()
	}
	return e.time() > o.time()
}

func (e *entry) number() int64 {
	if e.versioned {
		return e.version
	}
	return 0
}

func (e *entry) time() int64 {
	if e.micros != 0 {
		return e.micros
	}
	return e.timestamp * 1000
}

func fold(history []*entry) expected {
	want := expected{fields: map[string]string{}}
	var deleted, written *entry
	setBy := map[string]*entry{}
	for _, e := range history {
		switch {
		case e.deletes:
			want.deletedAt = max(want.deletedAt, e.timestamp)
			if e.beats(deleted) {
				deleted = e
			}
		case e.beats(written):
			written = e
		}
	}
	for _, e := range history {
		if e.deletes || deleted != nil && !e.beats(deleted) {
			continue
		}
		for name, value := range e.fields {
			if e.beats(setBy[name]) {
				setBy[name], want.fields[name] = e, value
			}
		}
	}
	want.visible = written != nil && (deleted == nil || written.beats(deleted))
	switch { // what stands highest says it; a delete without a version has none to say
	case want.visible:
		want.version = written.number()
	case deleted != nil && deleted.versioned:
		want.version = deleted.version
	}
	return want
}
