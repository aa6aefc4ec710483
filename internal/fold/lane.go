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

	states map[document.Key]document.State
	held   int // bytes that states keep in memory, at most
	limit  int
	writer writer
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
			l.join(&chunk[i])
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
func (l *lane) join(rec *record.Record) {
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
		state, known := l.states[change.Key]
		if known {
			change.State = document.Join(state, change.State)
		}
		l.states[change.Key] = change.State
		l.held += rec.Size() + change.State.Size() // the fields share memory with the record
	}
}

// spill hands all states to Pebble.
func (l *lane) spill() error {
	for key, state := range l.states {
		if err := l.writer.add(key, state); err != nil {
			return err
		}
	}
	clear(l.states)
	l.held = 0
	return l.writer.flush()
}
