package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// event is one line of the samples.
type event struct {
	line    []byte // as `indexer produce` takes it
	topic   string
	id      string
	version int
	value   []byte         // of the record
	data    map[string]any // nil where there is no envelope
}

// samples are the events of testdata/events. Those that show something by coming
// when they do are kept apart from the first act.
type samples struct {
	first       []event
	repeat      event   // byte for byte one of the first
	late        event   // below the version that post-102 has by then
	deletion    event   // of post-104
	lateCreated event   // of post-104, below the version of its deletion
	erasure     event   // the deletion of post-105
	restore     event   // of post-105, above the version of its deletion
	bare        event   // without an envelope; among the first
	broken      []event // those of the first that no index takes
}

// loadSamples reads every file of the folder. It names each event that the story
// needs and that is not there any more.
func loadSamples(folder string) (*samples, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.ndjson"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("find samples in %s: %w", folder, errors.Join(err, os.ErrNotExist))
	}
	s := &samples{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read samples: %w", err)
		}
		for line := range bytes.Lines(text) {
			e, err := parseEvent(bytes.TrimSpace(line))
			if err != nil {
				return nil, fmt.Errorf("read samples: %s: %w", file, err)
			}
			s.first = append(s.first, e)
			if filepath.Base(file) == "broken.ndjson" {
				s.broken = append(s.broken, e)
			}
		}
	}
	return s, errors.Join(
		s.take(&s.repeat, "post.updated", "post-101", 2),
		s.take(&s.late, "post.updated", "post-102", 2),
		s.take(&s.deletion, "post.deleted", "post-104", 3),
		s.take(&s.lateCreated, "post.created", "post-104", 2),
		s.take(&s.erasure, "post.deleted", "post-105", 2),
		s.take(&s.restore, "post.created", "post-105", 3),
		s.find(&s.bare, "post.updated", "123", 2),
	)
}

// take moves an event from the first act to its own.
func (s *samples) take(to *event, topic, id string, version int) error {
	err := s.find(to, topic, id, version)
	if err == nil {
		i := slices.IndexFunc(s.first, func(e event) bool { return bytes.Equal(e.line, to.line) })
		s.first = slices.Delete(s.first, i, i+1)
	}
	return err
}

func (s *samples) find(to *event, topic, id string, version int) error {
	i := slices.IndexFunc(s.first, func(e event) bool { return e.topic == topic && e.id == id && e.version == version })
	if i < 0 {
		return fmt.Errorf("the samples hold no %s of %s with version %d, which the demo shows", topic, id, version)
	}
	*to = s.first[i]
	return nil
}

// parseEvent reads what the story needs of a line. Broken events are among the
// samples on purpose: what is no JSON has no version and no data.
func parseEvent(line []byte) (event, error) {
	var l struct {
		Topic, Key string
		Value      json.RawMessage
		ValueText  *string `json:"value_text"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return event{}, err
	}
	e := event{line: line, topic: l.Topic, id: l.Key, value: l.Value}
	switch {
	case l.ValueText != nil:
		e.value = []byte(*l.ValueText)
		return e, nil
	case l.Value == nil:
		e.value = line // the line is the event itself
	}
	var value struct {
		Version int
		Data    map[string]any
	}
	if err := json.Unmarshal(e.value, &value); err != nil {
		return event{}, err
	}
	e.version, e.data = value.Version, value.Data
	return e, nil
}

// total is the number of events in the samples.
func (s *samples) total() int {
	const apart = 6 // those that take moves
	return len(s.first) + apart
}
