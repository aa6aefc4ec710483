package index

import (
	"context"
	"strconv"

	"github.com/search-indexer/search-indexer/internal/document"
)

// AmendKind is what an [Amendment] does.
type AmendKind uint8

// What an Amendment can do. Each holds only while the document is as the one who
// asks has seen it.
const (
	Replace AmendKind = iota // put State in the place of what SeqNo and PrimaryTerm name
	Create                   // write State where there is no document
	Remove                   // remove what SeqNo and PrimaryTerm name, leaving no tombstone
)

// Amendment puts one document right whatever a join would say of it: a join can't
// undo a value that was altered at its own order, nor remove a document. Where
// somebody wrote the document since it was read, nothing is done.
type Amendment struct {
	document.Key
	Kind  AmendKind
	State document.State // of Replace and Create
	// SeqNo and PrimaryTerm are those of the [Stored] that was judged; Create has none.
	SeqNo, PrimaryTerm int64
}

// Amend sends a list of amendments to an index as one bulk request and returns
// exactly one outcome for each, in their order: Written or Deleted (done), Rejected
// (refused for the State's own contents), or Retry: read the document again, and
// judge again. That goes for every reason of a Retry: with ReasonConflict somebody
// wrote first, and after a lost answer that may have been this very request. With
// another reason, wait before that.
//
// A request too large as a whole is split, as in [Writer.Write]. The index has to
// exist: OpenSearch would make a missing one for a Create.
func (c *Client) Amend(ctx context.Context, index string, list []Amendment) []Outcome {
	actions := make([]Action, len(list)) // what the writer tells a write from a delete by
	for i := range list {
		actions[i] = Action{Key: list[i].Key, State: list[i].State.Pack()}
	}
	b := c.newBody(actions)
	for i := range list {
		b.end(list[i].append(b.lines, index))
	}
	return NewWriterTo(c, nil).write(ctx, "amend", b, actions)
}

// append writes the lines of one amendment. Each says itself that it goes to an
// index: what it says counts more than the request's require_alias (3.8.0).
func (a *Amendment) append(dst []byte, index string) []byte {
	operation := [...]string{Replace: "index", Create: "create", Remove: "delete"}[a.Kind]
	dst = append(append(dst, `{"`...), operation...)
	dst = append(append(dst, `":{"_index":"`...), index...)
	dst = appendID(append(dst, `","_id":`...), a.ID)
	if a.Kind != Create {
		dst = strconv.AppendInt(append(dst, `,"if_seq_no":`...), a.SeqNo, 10)
		dst = strconv.AppendInt(append(dst, `,"if_primary_term":`...), a.PrimaryTerm, 10)
	}
	dst = append(dst, `,"require_alias":false}}`+"\n"...)
	if a.Kind == Remove {
		return dst
	}
	return append(a.State.AppendSource(dst), '\n')
}
