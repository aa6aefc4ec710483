package produce

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Invention says which events to invent.
type Invention struct {
	Seed   uint64 // the same seed and clock give the same bytes
	Count  int
	Prefix string           // goes in front of every topic
	Now    func() time.Time // stamps each event
}

// Records yields the events of a made-up music community: posts in Russian and
// English and their artists, created, updated (a few fields each) and deleted,
// around 1 KB each, keyed by entity id. Every update and delete follows its
// create and carries the next version.
func (v Invention) Records() iter.Seq2[*record.Record, error] {
	return func(yield func(*record.Record, error) bool) {
		w := newWriter(v)
		for range v.Count {
			rec, err := w.next()
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// event is the envelope that publishers use.
type event struct {
	ID            string `json:"event_id"`
	Type          string `json:"event_type"`
	CorrelationID string `json:"correlation_id"`
	Timestamp     string `json:"timestamp"`
	Version       int64  `json:"version"`
	Data          any    `json:"data"`
}

// Post is the data of a post's event as publishers send it. Times are in the form of
// RFC 3339; what is empty is not sent.
type Post struct {
	ID          string   `json:"post_id"`
	Title       string   `json:"title,omitzero"`
	Content     string   `json:"content,omitzero"`
	Summary     string   `json:"summary,omitzero"`
	Slug        string   `json:"slug,omitzero"`
	AuthorID    string   `json:"author_id,omitzero"`
	ArtistID    string   `json:"artist_id,omitzero"`
	Status      string   `json:"status,omitzero"`
	Language    string   `json:"language,omitzero"`
	Tags        []string `json:"tags,omitzero"`
	Rating      float64  `json:"rating,omitzero"`
	CreatedAt   string   `json:"created_at,omitzero"`
	UpdatedAt   string   `json:"updated_at,omitzero"`
	PublishedAt string   `json:"published_at,omitzero"`
}

type artist struct {
	ID        string   `json:"artist_id"`
	Name      string   `json:"name,omitzero"`
	Bio       string   `json:"bio,omitzero"`
	Slug      string   `json:"slug,omitzero"`
	Country   string   `json:"country,omitzero"`
	Genres    []string `json:"genres,omitzero"`
	ImageURL  string   `json:"image_url,omitzero"`
	CreatedAt string   `json:"created_at,omitzero"`
	UpdatedAt string   `json:"updated_at,omitzero"`
}

// entity is what is remembered of one that was created, as later events name it.
type entity struct {
	id      uuid.UUID
	version int64
	russian bool
}

// writer invents one event after the other.
type writer struct {
	v              Invention
	chance         *rand.Rand
	posts, artists []entity
	ru, en         phrases
	names, cities  []string
	genres, lands  []string
}

func newWriter(v Invention) *writer {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], v.Seed)
	return &writer{
		v: v, chance: rand.New(rand.NewChaCha8(seed)), //nolint:gosec // to be repeatable, not secret
		ru: russian(), en: english(), names: artistNames(), cities: cities(), genres: genres(), lands: countries(),
	}
}

// next invents an event: of 100, 7 are of artists; of posts 60 create, 35 update
// and 5 delete.
func (w *writer) next() (*record.Record, error) {
	now := w.v.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	percent := w.chance.IntN(100)
	if len(w.artists) == 0 || percent < 7 {
		return w.artistEvent(now)
	}
	switch percent = w.chance.IntN(100); {
	case len(w.posts) == 0 || percent < 60:
		made := entity{id: w.uuid(), russian: w.chance.IntN(2) == 0}
		w.posts = append(w.posts, made)
		return w.record("post.created", now, made, w.newPost(made, now))
	case percent < 95:
		changed := w.again(w.posts)
		return w.record("post.updated", now, changed, w.postUpdate(changed, now))
	default:
		i := w.chance.IntN(len(w.posts))
		gone := w.posts[i]
		gone.version++
		w.posts[i] = w.posts[len(w.posts)-1] // ids are never used again
		w.posts = w.posts[:len(w.posts)-1]
		return w.record("post.deleted", now, gone, Post{ID: gone.id.String()})
	}
}

func (w *writer) artistEvent(now string) (*record.Record, error) {
	if len(w.artists) == 0 || w.chance.IntN(3) > 0 {
		made := entity{id: w.uuid(), russian: w.chance.IntN(2) == 0}
		w.artists = append(w.artists, made)
		return w.record("artist.created", now, made, w.newArtist(made, now))
	}
	changed := w.again(w.artists)
	bio := w.fill(pick(w, w.phrases(changed).bios), w.phrases(changed))
	return w.record("artist.updated", now, changed, artist{ID: changed.id.String(), Bio: bio, Genres: w.some(w.genres), UpdatedAt: now})
}

// again picks one of what was created and counts its version up.
func (w *writer) again(made []entity) entity {
	e := &made[w.chance.IntN(len(made))]
	e.version++
	return *e
}

func (w *writer) newPost(e entity, now string) Post {
	p := w.phrases(e)
	return Post{
		ID: e.id.String(), Title: w.fill(pick(w, p.titles), p), Content: w.prose(p, 4), Summary: w.prose(p, 1),
		Slug: "post-" + e.id.String()[:13], AuthorID: fmt.Sprintf("user-%d", w.chance.IntN(20_000)),
		ArtistID: pick(w, w.artists).id.String(), Status: pick(w, []string{"published", "published", "draft"}),
		Language: p.language, Tags: w.some(w.genres), Rating: float64(10+w.chance.IntN(41)) / 10,
		CreatedAt: now, UpdatedAt: now, PublishedAt: now,
	}
}

// postUpdate carries what an editor changed: the text, the title, or a mark.
func (w *writer) postUpdate(e entity, now string) Post {
	p := w.phrases(e)
	changed := Post{ID: e.id.String(), UpdatedAt: now}
	switch w.chance.IntN(4) {
	case 0:
		changed.Title = w.fill(pick(w, p.titles), p)
		changed.Tags = w.some(w.genres)
	case 1:
		changed.Rating = float64(10+w.chance.IntN(41)) / 10
		changed.Status = "published"
		changed.PublishedAt = now
	default:
		changed.Content = w.prose(p, 5)
		changed.Summary = w.prose(p, 1)
	}
	return changed
}

func (w *writer) newArtist(e entity, now string) artist {
	p := w.phrases(e)
	return artist{
		ID: e.id.String(), Name: pick(w, w.names), Bio: w.fill(strings.Join(p.bios, " "), p) + " " + w.prose(p, 3),
		Slug: "artist-" + e.id.String()[:13], Country: pick(w, w.lands), Genres: w.some(w.genres),
		ImageURL: "https://img.example.org/artists/" + e.id.String() + ".jpg", CreatedAt: now, UpdatedAt: now,
	}
}

func (w *writer) record(topic, now string, e entity, data any) (*record.Record, error) {
	value, err := json.Marshal(event{
		ID: w.uuid().String(), Type: topic, CorrelationID: fmt.Sprintf("request-%d", w.chance.IntN(1_000_000)),
		Timestamp: now, Version: e.version + 1, Data: data,
	})
	if err != nil {
		return nil, fmt.Errorf("invent %s: %w", topic, err)
	}
	rec := newRecord(w.v.Prefix + topic)
	rec.Key, rec.Value = []byte(e.id.String()), value
	return rec, nil
}

func (w *writer) phrases(e entity) phrases {
	if e.russian {
		return w.ru
	}
	return w.en
}

// prose returns n sentences.
func (w *writer) prose(p phrases, n int) string {
	sentences := make([]string, n)
	for i := range sentences {
		sentences[i] = w.fill(pick(w, p.sentences), p)
	}
	return strings.Join(sentences, " ")
}

func (w *writer) fill(text string, p phrases) string {
	return os.Expand(text, func(slot string) string {
		switch slot {
		case "artist":
			return pick(w, w.names)
		case "album":
			return pick(w, p.albums)
		case "city":
			return pick(w, w.cities)
		default:
			return pick(w, w.genres)
		}
	})
}

// some returns one to three of all, none twice.
func (w *writer) some(all []string) []string {
	chosen := make([]string, 1+w.chance.IntN(3))
	for i, at := range w.chance.Perm(len(all))[:len(chosen)] {
		chosen[i] = all[at]
	}
	return chosen
}

func (w *writer) uuid() uuid.UUID {
	var id uuid.UUID
	binary.LittleEndian.PutUint64(id[:8], w.chance.Uint64())
	binary.LittleEndian.PutUint64(id[8:], w.chance.Uint64())
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80
	return id
}

func pick[T any](w *writer, from []T) T { return from[w.chance.IntN(len(from))] }
