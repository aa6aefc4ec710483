package fold

import (
	"context"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

// lane decodes records and joins their events in memory, which it hands to Pebble
// when it is full: a document that is changed often is written seldom.
type lane struct {
	*reading

	chunk  []record.Record // being gathered by the reading goroutine
	size   int             // bytes of chunk
	chunks chan []record.Record

	// states has the State of each document by its key in Pebble.
	states map[string]document.Packed
	held   int // bytes that states take in memory
	limit  int
	key    []byte // reused
}

// Bounds of a chunk of records, which spares the lanes a turn for each.
const (
	chunkRecords = 256
	chunkBytes   = 256 << 10
)

// take adds a record to the chunk; for the reading goroutine.
func (l *lane) take(ctx context.Context, rec record.Record, size int) error {
	l.chunk, l.size = append(l.chunk, rec), l.size+size
	if len(l.chunk) < chunkRecords && l.size < chunkBytes {
		return nil
	}
	return l.send(ctx)
}

func (l *lane) send(ctx context.Context) error {
	select {
	case l.chunks <- l.chunk:
		l.chunk, l.size = make([]record.Record, 0, chunkRecords), 0
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run joins the chunks until there are no more.
func (l *lane) run(ctx context.Context) error {
	for chunk := range l.chunks {
		for i := range chunk {
			if err := l.join(&chunk[i]); err != nil {
				return err
			}
		}
		if l.held >= l.limit {
			if err := l.spill(); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err // there were more
	}
	return l.spill()
}

// join decodes a record and joins its event.
func (l *lane) join(rec *record.Record) error {
	event, change, rejection := l.decoder.Decode(rec)
	switch {
	case !l.wants(event.Entity):
		l.fold.other.Add(1)
	case rejection != nil:
		l.fold.bad.Add(1)
		if l.options.Bad != nil {
			l.bad.Lock()
			l.options.Bad(rec, rejection)
			l.bad.Unlock()
		}
	default:
		l.fold.events.Add(1)
		l.add(change.Key, change.State)
	}
	return nil
}

// add joins what is known of a document with what this lane holds of it.
func (l *lane) add(key document.Key, state document.Packed) {
	const overhead = 96 // of an entry of the map, about
	l.key = appendKey(l.key[:0], key)
	before, known := l.states[string(l.key)]
	if known {
		state = before.Join(state)
	} else {
		l.held += len(l.key) + overhead
	}
	l.states[string(l.key)] = state
	l.held += cap(state) - cap(before)
}

// spill hands all states to Pebble.
func (l *lane) spill() error {
	if err := l.fold.scratch.checkRoom(l.held); err != nil {
		return err
	}
	w := writer{db: l.fold.db}
	for key, value := range l.states {
		if err := w.add([]byte(key), value); err != nil {
			return err
		}
	}
	clear(l.states)
	l.held = 0
	return w.flush()
}
