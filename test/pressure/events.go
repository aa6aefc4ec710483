package main

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
)

// event is one record to publish.
type event struct {
	topic string
	key   string
	value []byte
}

// prose cuts texts out of a book of invented words, each elsewhere: one text over
// and over again would be packed to next to nothing, and a fetch of a few MiB unpack
// to what no real topic holds.
type prose struct {
	book   string
	random *rand.Rand
}

func newProse() *prose {
	random := rand.New(rand.NewPCG(1, 2)) // the same each time
	var book strings.Builder
	for book.Len() < 4<<20 {
		for range 2 + random.IntN(9) {
			book.WriteByte("etaoinshrdlucmfwypvbgkqjxz"[min(random.IntN(26), random.IntN(26))])
		}
		book.WriteByte(' ')
	}
	return &prose{book.String(), random}
}

// text returns size bytes.
func (p *prose) text(size int) string {
	var text strings.Builder
	for text.Len() < size {
		from := p.random.IntN(len(p.book))
		text.WriteString(p.book[from:min(from+size-text.Len(), len(p.book))])
	}
	return text.String()
}

func (p *prose) post(topic, id string, version, size int) event {
	return event{topic, id, fmt.Appendf(nil, `{"event_type":%q,"version":%d,"data":{"post_id":%q,"title":"Post %s","content":%q}}`,
		topic, version, id, id, p.text(size))}
}

const textSize = 1000 // bytes

// posts yields n new posts; each tenth is updated too.
func (p *prose) posts(n int, want map[string]int64) iter.Seq[event] {
	return func(yield func(event) bool) {
		for i := range n {
			id := fmt.Sprintf("p%d", i)
			want[id] = 1
			if !yield(p.post("post.created", id, 1, textSize)) {
				return
			}
			if i%10 == 9 {
				want[id] = 2
				if !yield(p.post("post.updated", id, 2, textSize)) {
					return
				}
			}
		}
	}
}

func (p *prose) artist(id string, want map[string]int64) event {
	want[id] = 1
	return event{"artist.created", id, fmt.Appendf(nil, `{"version":1,"data":{"artist_id":%q,"bio":%q}}`, id, p.text(70))}
}
