package fold

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/search-indexer/search-indexer/internal/document"
)

// appendKey writes a key so that the documents of an entity stand together, by id.
func appendKey(dst []byte, key document.Key) []byte {
	return append(append(append(dst, key.Entity...), 0), key.ID...)
}

// bounds returns the first key that an entity could have and the one behind its last.
func bounds(entity document.Entity) (first, end []byte) {
	return append([]byte(entity), 0), append([]byte(entity), 1)
}

// writer gathers encoded States and hands them to Pebble in batches.
type writer struct {
	db    *pebble.DB
	batch *pebble.Batch
}

// batchBytes is what a batch takes before it is written.
const batchBytes = 1 << 20

// add takes a copy of key and value.
func (w *writer) add(key, value []byte) error {
	if w.batch == nil {
		w.batch = w.db.NewBatchWithSize(batchBytes)
	}
	if err := w.batch.Merge(key, value, nil); err != nil {
		return fmt.Errorf("write the state of a document: %w", err)
	}
	if w.batch.Len() >= batchBytes {
		return w.flush()
	}
	return nil
}

func (w *writer) flush() error {
	if w.batch == nil {
		return nil
	}
	err := errors.Join(w.db.Apply(w.batch, pebble.NoSync), w.batch.Close())
	w.batch = nil
	if err != nil {
		return fmt.Errorf("write the states of documents: %w", err)
	}
	return nil
}
