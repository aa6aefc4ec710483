package pipeline

// tracker follows the offsets of one partition from the moment a record arrives
// until it has ended, in whatever order records end. Offsets may have holes
// (transaction markers, compaction), so it counts records, not offsets.
type tracker struct {
	slots []slot // in offset order; the first is the oldest that has not ended
	first int64  // number of slots[0] since the tracker was made
	next  int64  // the offset after the last record that ended without a gap before it
	moved bool   // next has moved since the last taken()
}

// slot is one record. Its item is nil once it has ended, since what is behind a
// record that can't end may be a whole log, and must keep no contents in memory.
type slot struct {
	item  *item
	after int64 // the offset after it
}

const slotSize = 16

func newTracker(start int64) tracker { return tracker{next: start} }

// begin follows an item and returns its number, which end wants back.
func (t *tracker) begin(it *item) int64 {
	t.slots = append(t.slots, slot{item: it, after: it.offset + 1})
	return t.first + int64(len(t.slots)) - 1
}

// end notes that the item with that number needs no more work.
func (t *tracker) end(number int64) {
	t.slots[number-t.first].item = nil
	n := 0
	for n < len(t.slots) && t.slots[n].item == nil {
		t.next = t.slots[n].after
		n++
	}
	if n > 0 {
		t.slots, t.first, t.moved = t.slots[n:], t.first+int64(n), true
	}
}

// oldest returns the first item that has not ended, nil where there is none.
func (t *tracker) oldest() *item {
	if len(t.slots) == 0 {
		return nil
	}
	return t.slots[0].item
}

// taken returns the offset to commit, and whether it moved since the last call.
func (t *tracker) taken() (next int64, moved bool) {
	moved, t.moved = t.moved, false
	return t.next, moved
}
