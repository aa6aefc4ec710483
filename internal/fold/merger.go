package fold

import (
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/search-indexer/search-indexer/internal/document"
)

// joining is Pebble's merge of the States of one document. As a join takes them in
// any order, newer and older are the same to it.
type joining struct {
	state document.State
}

func newMerger() *pebble.Merger {
	return &pebble.Merger{
		Name: "search-indexer.document.Join",
		Merge: func(_, value []byte) (pebble.ValueMerger, error) {
			j := &joining{}
			err := j.take(value)
			return j, err
		},
	}
}

// take joins one operand. Pebble keeps its bytes, and a State shares memory with
// what it was read from.
func (j *joining) take(value []byte) error {
	state, err := document.ParseBinary(append([]byte(nil), value...))
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
	return j.state.AppendBinary(make([]byte, 0, j.state.Size())), nil, nil
}
