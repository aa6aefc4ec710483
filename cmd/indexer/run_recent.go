package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/pipeline"
)

// latest keeps the last few of what it is given. It is safe for concurrent use.
type latest[T any] struct {
	mu   sync.Mutex
	kept []T
}

const latestKept = 20

func (l *latest[T]) add(one T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, one)
	l.kept = l.kept[max(0, len(l.kept)-latestKept):]
}

// all returns them, the latest first.
func (l *latest[T]) all() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.kept)
	slices.Reverse(list)
	return list
}

// letterPlace is a dead letter as /status shows it: nothing of its contents.
type letterPlace struct {
	At        time.Time `json:"at"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Reason    string    `json:"reason"`
}

func letterPlaceOf(e pipeline.Ending) letterPlace {
	return letterPlace{
		At: time.Now().UTC(), Topic: e.Record.Topic, Partition: e.Record.ID, Offset: e.Record.Offset, Reason: e.Reason,
	}
}

// loggedError is a line of the log from warn on, as /status shows it.
type loggedError struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}

// errorLog keeps what is logged from warn on. It is a writer beside the log's own.
type errorLog struct{ latest[loggedError] }

// Write is never called by zerolog, which knows WriteLevel.
func (*errorLog) Write(line []byte) (int, error) { return len(line), nil }

// WriteLevel implements [zerolog.LevelWriter].
func (l *errorLog) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	if level < zerolog.WarnLevel || level > zerolog.PanicLevel {
		return len(line), nil
	}
	var said struct {
		Message string `json:"message"`
		Error   string `json:"error"`
		Problem string `json:"problem"`
		Why     string `json:"why"`
		Reason  string `json:"reason"`
	}
	if err := json.Unmarshal(line, &said); err != nil {
		said.Message = "a line that is no JSON"
	}
	text := said.Message
	if detail := cmp.Or(said.Error, said.Problem, said.Why, said.Reason); detail != "" {
		text += ": " + detail
	}
	l.add(loggedError{At: time.Now().UTC(), Level: level.String(), Text: text})
	return len(line), nil
}
