package main

import (
	"context"
	"fmt"
	"time"
)

// story is one showing of the demo.
type story struct {
	*stage
	page      *page
	samples   *samples
	publisher *process // `indexer produce`, reading lines from us
	worker    *worker  // `indexer run`
	published int      // events so far
	ended     outcomes // of these
}

// step is one numbered part. show returns an error where the story can't go on;
// what is merely not so is a cross on the page.
type step struct {
	title string
	show  func(ctx context.Context) error
}

func (s *story) steps() []step {
	return []step{
		{"Events go in", s.showIndexing},
		{"Searches find words in any form, in Russian and in English", s.showSearches},
		{"An event that comes twice counts once", s.showRepeat},
		{"An update that comes late does not undo a newer one", s.showLateUpdate},
		{"What is deleted stays deleted", s.showDeletion},
		{"What is restored comes back new", s.showRestore},
		{"Other shapes of events", s.showShapes},
		{"Broken events become dead letters", s.showLetters},
		{"From publishing to being found", s.showLatency},
		{"The books balance", s.showBooks},
	}
}

// publish hands events to `indexer produce`, waits until the worker has settled
// them, and returns how these ended.
func (s *story) publish(ctx context.Context, events ...event) (outcomes, error) {
	for _, e := range events {
		if err := s.send(e.line); err != nil {
			return nil, err
		}
	}
	all, err := s.worker.settle(ctx, s.published)
	if err != nil {
		return nil, err
	}
	added := all.minus(s.ended)
	s.ended = all
	return added, nil
}

func (s *story) send(line []byte) error {
	if _, err := s.publisher.stdin.Write(append(line[:len(line):len(line)], '\n')); err != nil {
		if over := s.publisher.over(); over != nil {
			err = over
		}
		return fmt.Errorf("publish an event: %w%s", err, s.publisher.lastWords())
	}
	s.published++
	return nil
}

// stopAll ends what a story that broke off has left running.
func (s *story) stopAll() {
	if s.publisher != nil {
		_ = s.publisher.stdin.Close()
		_ = s.publisher.stop(patience) // the reason why it broke off has been told
	}
	if s.worker != nil {
		_ = s.worker.stop(patience)
	}
}

// unless returns the problem where something is not so.
func unless(so bool, problem string, args ...any) string {
	if so {
		return ""
	}
	return fmt.Sprintf(problem, args...)
}

// differs returns the problem where a value is not the expected one.
func differs(what, want, got string) string {
	return unless(want == got, "%s is %q instead of %q", what, got, want)
}

// first returns the first problem of several, "" where there is none.
func first(problems ...string) string {
	for _, problem := range problems {
		if problem != "" {
			return problem
		}
	}
	return ""
}

func seconds(since time.Time) string { return fmt.Sprintf("%.1f s", time.Since(since).Seconds()) }
