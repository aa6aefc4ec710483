package index

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/internal/document"
)

// retryOnConflict is how often a node repeats an update that another one of the
// same document overtook between its read and its write. It is cheaper than a
// round trip; a document that still conflicts comes back as Retry.
const retryOnConflict = 3

// Action is one document's State to be joined into what is stored.
type Action struct {
	document.Key
	State document.Packed
}

// Size is about the bytes that the action takes in a request.
func (a Action) Size() int {
	const frame = 320 // the lines without id, alias and fields
	return frame + len(a.ID) + len(a.State)
}

// encoding appends the two lines of one action to dst.
type encoding func(dst []byte, a *Action) []byte

// body is the NDJSON of a bulk request. Action i ends at ends[i], and the first one
// begins at from, so a part of the request is a part of the same bytes.
type body struct {
	lines []byte
	from  int
	ends  []int
}

// spareBodies are bodies that nobody reads any more. A sync.Pool loses what it has as
// garbage is collected, which a busy worker does some times between two requests.
type spareBodies chan *body

const (
	mostSpare    = 8       // as many requests as are usually under way, and more
	largestSpare = 8 << 20 // bytes; what is larger, as with a large BATCH_MAX_BYTES, is made anew
)

func (s spareBodies) get() *body {
	select {
	case b := <-s:
		return b
	default:
		return &body{}
	}
}

func (s spareBodies) put(b *body) {
	if cap(b.lines) > largestSpare {
		return
	}
	select {
	case s <- b:
	default:
	}
}

// newBody returns a body with room for what the actions are likely to take.
func (c *Client) newBody(actions []Action) *body {
	b := c.bodies.get()
	size := 0
	for i := range actions {
		size += actions[i].Size()
	}
	b.lines, b.ends = slices.Grow(b.lines[:0], size), slices.Grow(b.ends[:0], len(actions))
	return b
}

// encode returns the bulk request of the actions, all in the same way.
func (c *Client) encode(actions []Action, lines encoding) *body {
	b := c.newBody(actions)
	for i := range actions {
		b.add(lines, &actions[i])
	}
	return b
}

// add appends an action.
func (b *body) add(lines encoding, a *Action) { b.end(lines(b.lines, a)) }

// end takes the lines with those of one more action.
func (b *body) end(lines []byte) {
	b.lines = lines
	b.ends = append(b.ends, len(lines))
}

// updates joins each action into the stored document, through the aliases of its
// entity:
//
//	{"update":{"_index":ALIAS,"_id":ID,"retry_on_conflict":3}}
//	{"script":{"id":SCRIPT,"params":{"doc":SOURCE}},"scripted_upsert":true,"upsert":{}}
//
// An update whose document does not exist runs the script on the empty upsert.
func updates(aliases map[document.Entity]string, scriptID string) encoding {
	return func(dst []byte, a *Action) []byte {
		dst = append(append(dst, `{"update":{"_index":"`...), aliases[a.Entity]...)
		dst = appendID(append(dst, `","_id":`...), a.ID)
		dst = strconv.AppendInt(append(dst, `,"retry_on_conflict":`...), retryOnConflict, 10)
		dst = append(append(dst, "}}\n"+`{"script":{"id":"`...), scriptID...)
		dst = a.State.AppendSource(append(dst, `","params":{"doc":`...))
		return append(dst, `}},"scripted_upsert":true,"upsert":{}}`+"\n"...)
	}
}

// creates writes each action as it is, where its document does not exist:
//
//	{"create":{"_index":ALIAS,"_id":ID}}
//	SOURCE
func creates(aliases map[document.Entity]string) encoding {
	return func(dst []byte, a *Action) []byte {
		dst = append(append(dst, `{"create":{"_index":"`...), aliases[a.Entity]...)
		dst = append(appendID(append(dst, `","_id":`...), a.ID), "}}\n"...)
		return append(a.State.AppendSource(dst), '\n')
	}
}

func appendID(dst []byte, id string) []byte {
	dst, err := jsontext.AppendQuote(dst, id)
	if err != nil {
		panic("index: document id is not UTF-8, which handlers refuse: " + err.Error())
	}
	return dst
}

// count returns the number of actions in b.
func (b *body) count() int { return len(b.ends) }

// part returns the actions from and up to, but not including, to.
func (b *body) part(from, to int) *body {
	begin := b.from
	if from > 0 {
		begin = b.ends[from-1]
	}
	return &body{lines: b.lines, from: begin, ends: b.ends[from:to]}
}

// bytes returns what is sent.
func (b *body) bytes() []byte { return b.lines[b.from:b.ends[len(b.ends)-1]] }
