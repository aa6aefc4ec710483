package fold

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/search-indexer/search-indexer/internal/document"
)

// markPrefix stands in front of the keys of marked documents. No entity begins so.
const markPrefix = 0xff

// Mark remembers that documents were met, on disk where they are many.
func (f *Fold) Mark(keys []document.Key) error {
	batch := f.db.NewBatch()
	for _, key := range keys {
		if err := batch.Set(appendKey([]byte{markPrefix}, key), nil, nil); err != nil {
			return fmt.Errorf("mark a document: %w", errors.Join(err, batch.Close()))
		}
	}
	if err := errors.Join(f.db.Apply(batch, pebble.NoSync), batch.Close()); err != nil {
		return fmt.Errorf("mark documents: %w", err)
	}
	return nil
}

// Unmark forgets all marks.
func (f *Fold) Unmark() error {
	if err := f.db.DeleteRange([]byte{markPrefix}, []byte{markPrefix, markPrefix}, pebble.NoSync); err != nil {
		return fmt.Errorf("forget the marks of documents: %w", err)
	}
	return nil
}

// EachUnmarked is [Fold.Each] for the documents that have no mark.
func (f *Fold) EachUnmarked(ctx context.Context, entity document.Entity, fn func(document.Key, document.State) error) error {
	first, end := bounds(entity)
	marks, err := f.db.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: append([]byte{markPrefix}, first...), UpperBound: append([]byte{markPrefix}, end...),
	})
	if err != nil {
		return fmt.Errorf("read the marks of documents: %w", err)
	}
	marked := marks.First() // both are in the order of ids
	prefix := 1 + len(first)
	err = f.each(ctx, entity, func(id []byte) bool {
		for marked && bytes.Compare(marks.Key()[prefix:], id) < 0 {
			marked = marks.Next()
		}
		return !marked || !bytes.Equal(marks.Key()[prefix:], id)
	}, fn)
	return errors.Join(err, marks.Error(), marks.Close())
}
