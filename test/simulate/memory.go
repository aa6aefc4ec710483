package simulate

import (
	"context"
	"errors"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/pipeline"
)

// redis is one Redis that all processes use. It may lose marks, take them late, or
// forget everything.
type redis struct {
	world *world
	marks map[dedup.Entry]bool
	down  bool
}

func newRedis(w *world) *redis { return &redis{world: w, marks: map[dedup.Entry]bool{}} }

// memory is the side of one process, as internal/dedup has it.
type memory struct{ world *world }

// Seen answers false where Redis does not.
func (m memory) Seen(ctx context.Context, entries []dedup.Entry) []bool {
	w := m.world
	seen := make([]bool, len(entries))
	if !await(ctx, func(resume func()) {
		w.after(w.faults.delay(redisCall), func() {
			if !w.redis.down && !w.faults.hits(w.faults.RedisFails) {
				for i, e := range entries {
					seen[i] = e.Space != "" && w.redis.marks[e]
				}
			}
			w.after(w.faults.delay(redisCall), resume)
		})
	}) {
		return make([]bool, len(entries))
	}
	return seen
}

// Mark is not waited for longer than its request may take; what is on its way may
// arrive long after, also when the process is no more.
func (m memory) Mark(ctx context.Context, entries []dedup.Entry) {
	w := m.world
	await(ctx, func(resume func()) {
		there := w.faults.delay(redisCall)
		if w.faults.hits(w.faults.MarkLate) {
			there = w.upTo(w.faults.end)
		}
		w.after(there, func() {
			for _, e := range entries {
				if e.Space != "" && !w.redis.down && !w.faults.hits(w.faults.RedisFails) {
					w.redis.marks[e] = true
				}
			}
		})
		w.after(w.faults.delay(redisCall), resume)
	})
}

// letters is the dead-letter topic.
type letters struct {
	world *world
	count map[*entry]int
	down  bool
}

func newLetters(w *world) *letters { return &letters{world: w, count: map[*entry]int{}} }

var errRefused = errors.New("the broker refuses the letter")

// send writes a letter, refuses it, or writes it and seems to refuse it.
func (l *letters) send(letter pipeline.Letter, answer func(error)) {
	w := l.world
	refuse, liar := w.faults.hits(w.faults.LetterFails), w.faults.hits(w.faults.LetterLies)
	w.after(w.faults.delay(letterCall), func() {
		err := errRefused
		if !refuse && !l.down {
			err = nil
			e := w.log.all[string(letter.Record.Key)]
			l.count[e]++
			w.checks.letter(e, letter)
		}
		if err == nil && liar {
			err = errRefused
		}
		if err != nil {
			w.checks.count("letters refused")
		}
		w.after(w.faults.delay(letterCall), func() { answer(err) })
	})
}
