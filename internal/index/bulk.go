package index

import (
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
	State document.State
}

// body is the NDJSON of a bulk request. starts[i] is where the lines of action i
// begin, and one more entry holds the end, so a part of the request is a part of
// the same bytes.
type body struct {
	lines  []byte
	starts []int
}

// encoding appends the two lines of one action to dst.
type encoding func(dst []byte, a *Action) []byte

// encode returns the bulk request of the actions.
func encode(actions []Action, lines encoding) body {
	const frame = 192 // the lines without id, alias and source
	size := 0
	for i := range actions {
		size += actions[i].State.Size() + len(actions[i].ID) + frame
	}
	b := body{lines: make([]byte, 0, size), starts: make([]int, 0, len(actions)+1)}
	for i := range actions {
		b.starts = append(b.starts, len(b.lines))
		b.lines = lines(b.lines, &actions[i])
	}
	b.starts = append(b.starts, len(b.lines))
	return b
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
func creates(alias string) encoding {
	return func(dst []byte, a *Action) []byte {
		dst = append(append(dst, `{"create":{"_index":"`...), alias...)
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
func (b body) count() int { return len(b.starts) - 1 }

// part returns the actions from and up to, but not including, to.
func (b body) part(from, to int) body { return body{lines: b.lines, starts: b.starts[from : to+1]} }

// bytes returns what is sent.
func (b body) bytes() []byte { return b.lines[b.starts[0]:b.starts[len(b.starts)-1]] }
