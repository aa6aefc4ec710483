package fold

import (
	"bytes"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/search-indexer/search-indexer/internal/document"
)

// joining is Pebble's merge of the States of one document. As a join takes them in
// any order, newer and older are the same to it.
type joining struct {
	// only is the first State, encoded, as long as there is no second: Pebble asks
	// for the merge of each document when it writes a file, most of them of one.
	only  []byte
	state document.State
}

func newMerger() *pebble.Merger {
	return &pebble.Merger{
		Name: "search-indexer.document.Join",
		Merge: func(_, value []byte) (pebble.ValueMerger, error) {
			return &joining{only: bytes.Clone(value)}, nil
		},
	}
}

// take joins one more. Pebble keeps its bytes, and a State shares memory with what
// it was read from.
func (j *joining) take(value []byte) (err error) {
	if j.only != nil {
		if j.state, err = document.ParseBinary(j.only); err != nil {
			return err
		}
		j.only = nil
	}
	state, err := document.ParseBinary(bytes.Clone(value))
	if err != nil {
		return err
	}
	j.state = document.Join(j.state, state)
	return nil
}

// MergeNewer joins an operand.
func (j *joining) MergeNewer(value []byte) error { return j.take(value) }

// MergeOlder joins an operand.
func (j *joining) MergeOlder(value []byte) error { return j.take(value) }

// Finish returns the join.
func (j *joining) Finish(bool) ([]byte, io.Closer, error) {
	if j.only != nil {
		return j.only, nil, nil
	}
	return j.state.AppendBinary(make([]byte, 0, j.state.Size())), nil, nil
}
