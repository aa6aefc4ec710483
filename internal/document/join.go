package document

import "strings"

// Join returns what is known when both a and b are. It is the merge rule:
//
//   - the highest delete is the floor, the highest created or updated event is
//     seen, the latest deletion time stays;
//   - each field has the value of its highest order;
//   - what is at or below the floor is erased: a field, and seen too, so that an
//     event from before a delete changes nothing.
//
// For States made of events, Join is commutative, associative and idempotent.
// Two fields of equal order come from the same event bytes, because the order
// holds their digest, so which of them is taken makes no difference. Where somebody
// has altered a document in the index it does: that of a is taken.
func Join(a, b State) State {
	joined := State{
		Seen:      later(a.Seen, b.Seen),
		Floor:     later(a.Floor, b.Floor),
		DeletedAt: max(a.DeletedAt, b.DeletedAt),
	}
	if !joined.Visible() {
		joined.Seen = Order{}
	}
	joined.Fields = joinFields(a.Fields, b.Fields, joined.Floor)
	return joined
}

// joinFields merges two lists that are sorted by name. Where the result is one of
// them, as it is where a newer event sets all that an older one did, it is that one
// and not a copy.
func joinFields(a, b []Field, floor Order) []Field {
	switch {
	case covers(a, b, floor):
		return a
	case covers(b, a, floor):
		return b
	}
	var joined []Field
	for most := max(len(a), len(b)); len(a) > 0 || len(b) > 0; {
		var f *Field
		switch side := nextName(a, b); {
		case side < 0:
			f, a = &a[0], a[1:]
		case side > 0:
			f, b = &b[0], b[1:]
		default:
			f = &a[0]
			if b[0].Order.Above(f.Order) {
				f = &b[0]
			}
			a, b = a[1:], b[1:]
		}
		if !f.survives(floor) {
			continue
		}
		if joined == nil {
			joined = make([]Field, 0, most)
		}
		joined = append(joined, *f)
	}
	return joined
}

// covers reports whether joining b with a leaves a as it is, wherever each stands:
// each field of a survives the floor, and each of b is in a with a higher order.
func covers(a, b []Field, floor Order) bool {
	if len(a) == 0 || len(b) > len(a) {
		return false
	}
	for i := range a {
		f := &a[i]
		if !f.survives(floor) {
			return false
		}
		if len(b) > 0 && b[0].Name == f.Name {
			if !f.Order.Above(b[0].Order) {
				return false
			}
			b = b[1:]
		}
	}
	return len(b) == 0
}

func (f *Field) survives(floor Order) bool { return floor.IsZero() || f.Order.Above(floor) }

// nextName tells which list has the next name: a (-1), b (+1) or both (0).
func nextName(a, b []Field) int {
	switch {
	case len(b) == 0:
		return -1
	case len(a) == 0:
		return 1
	}
	return strings.Compare(a[0].Name, b[0].Name)
}
