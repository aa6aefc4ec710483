package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/search-indexer/search-indexer/internal/produce"
)

// event is an event of a post as publishers send it.
type event struct {
	ID            string       `json:"event_id,omitzero"`
	Type          string       `json:"event_type"`
	CorrelationID string       `json:"correlation_id,omitzero"`
	Timestamp     string       `json:"timestamp"`
	Version       int          `json:"version"`
	Data          produce.Post `json:"data"`

	key string // of the record; empty for the post's id
}

// inventor makes events of posts that look as those of `produce --count` do, each
// of about the same size: their contents are cut out of what that invents. It does
// so faster than a worker takes them.
type inventor struct {
	size   int // bytes of an event
	chance *rand.Rand
	posts  []produce.Post
	book   string   // their contents in a row
	at     int      // where the next content begins
	ids    []string // of all posts so far
	clock  time.Time
}

// models is how many posts are invented to begin with.
const models = 2000

// newInventor returns an inventor that makes the same events for the same seed.
func newInventor(seed uint64, size int) (*inventor, error) {
	v := &inventor{
		size: size, chance: rand.New(rand.NewPCG(seed, 0)), clock: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
	}
	var book strings.Builder
	now := func() time.Time { return v.clock }
	for r, err := range (produce.Invention{Seed: seed, Count: 4 * models, Now: now}).Records() {
		var e event
		if err != nil {
			return nil, err
		}
		if r.Topic != "post.created" {
			continue
		}
		if err := json.Unmarshal(r.Value, &e); err != nil {
			return nil, fmt.Errorf("read an invented event: %w", err)
		}
		book.WriteString(e.Data.Content + " ")
		e.Data.Content = ""
		v.posts = append(v.posts, e.Data)
	}
	if v.book = book.String(); len(v.posts) < models/2 {
		return nil, errors.New("the inventor has made too few posts")
	}
	return v, nil
}

// created is an event that sets all fields of a post.
func (v *inventor) created(id string) event { return v.full("post.created", id, 1) }

// updated is a later event that sets all fields anew.
func (v *inventor) updated(id string, version int) event { return v.full("post.updated", id, version) }

// retitled is a later event that sets the title alone.
func (v *inventor) retitled(id string, version int) event {
	e := v.event("post.updated", id, version)
	e.Data.Title = fmt.Sprintf("%s (%d)", v.model().Title, v.chance.IntN(1000))
	return e
}

func (v *inventor) deleted(id string, version int) event { return v.event("post.deleted", id, version) }

// event is one with no more than its id.
func (v *inventor) event(kind, id string, version int) event {
	v.clock = v.clock.Add(time.Millisecond)
	return event{
		ID: v.uuid(), Type: kind, CorrelationID: "request-" + strconv.Itoa(v.chance.IntN(1_000_000)),
		Timestamp: v.clock.Format("2006-01-02T15:04:05.000000Z"), Version: version, Data: produce.Post{ID: id},
	}
}

func (v *inventor) model() produce.Post { return v.posts[v.chance.IntN(len(v.posts))] }

// full sets all fields, and the content to what is left of the size. A size that
// leaves no room for them is that of an event with a title alone.
func (v *inventor) full(kind, id string, version int) event {
	e := v.event(kind, id, version)
	bare := e
	e.Data = v.model()
	e.Data.ID, e.Data.Slug = id, "post-"+id
	e.Data.CreatedAt, e.Data.UpdatedAt, e.Data.PublishedAt = e.Timestamp, e.Timestamp, e.Timestamp
	const frame = `,"content":""`
	if left := v.size - sizeOf(e) - len(frame); left > 0 {
		e.Data.Content = v.text(left)
		return e
	}
	bare.ID, bare.CorrelationID = "", ""
	bare.Data.Title = v.text(max(v.size-sizeOf(bare)-len(frame), 1))
	return bare
}

func sizeOf(e event) int {
	text, _ := json.Marshal(e) // texts and numbers only
	return len(text)
}

// text cuts about size bytes out of the book, elsewhere each time.
func (v *inventor) text(size int) string {
	var text strings.Builder
	for text.Len() < size {
		if v.at >= len(v.book) {
			v.at = 0
		}
		end := min(v.at+size-text.Len(), len(v.book))
		for end < len(v.book) && !utf8.RuneStart(v.book[end]) {
			end++
		}
		text.WriteString(v.book[v.at:end])
		v.at = end
	}
	return text.String()
}

// id is that of a new post.
func (v *inventor) id() string {
	id := v.uuid()
	v.ids = append(v.ids, id)
	return id
}

func (v *inventor) uuid() string {
	return fmt.Sprintf("%016x-%016x", v.chance.Uint64(), v.chance.Uint64())
}
