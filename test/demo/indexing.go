package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// showIndexing is the first act: setup, the publisher, the worker, and all events
// but those that are to surprise it later.
func (s *story) showIndexing(ctx context.Context) error {
	s.page.say("Posts and artists, created, updated and deleted, in six topics; two of the events are broken.")
	began := time.Now()
	setup, err := s.start("setup", "--partitions", "3")
	if err != nil {
		return err
	}
	if err := setup.wait(ctx); err != nil {
		return err
	}
	made := func(kind string) int { return strings.Count(setup.stdout.String(), fmt.Sprintf("%-9s created ", kind)) }
	s.page.check(fmt.Sprintf("indexer setup    made %d topics and %d indices (%s)", made("topic"), made("index"), seconds(began)),
		unless(made("topic") == 7 && made("index") == 2, "6 topics, that of the dead letters and 2 indices were expected"))

	if s.publisher, err = s.start("produce", "--json"); err != nil {
		return err
	}
	if s.worker, err = s.startWorker(ctx); err != nil {
		return err
	}
	began = time.Now()
	ended, err := s.publish(ctx, s.samples.first...)
	if err != nil {
		return err
	}
	s.page.check(fmt.Sprintf("indexer produce  published %d of the %d events in testdata/events", len(s.samples.first), s.samples.total()), "")
	s.page.check(fmt.Sprintf("indexer run      settled them: %s (%s)", ended, seconds(began)),
		unless(ended["dead"] == len(s.samples.broken) && ended["abandoned"] == 0, "%d dead letters were expected and nothing abandoned", len(s.samples.broken)))
	return nil
}

// showSearches looks for words in other forms than the titles have them.
func (s *story) showSearches(ctx context.Context) error {
	const columns = "%-8s  finds  %-8s  in  %-33s %s"
	for _, c := range []struct{ entity, field, word, title, note string }{
		{"post", "title", "гитару", "Как подружиться с гитарой", ""},
		{"post", "title", "hearing", "Six concerts to hear this winter", ""},
		{"post", "title", "елки", "Ёлка, свечи и виолончель", "ё = е"},
		{"artist", "name", "берега", "Северный берег", "an artist"},
	} {
		docs, err := s.search(ctx, c.entity, byWords(c.field, c.word))
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			s.page.check(fmt.Sprintf("%-8s  finds nothing", c.word), "it should find "+c.title)
			continue
		}
		title, matched := docs[0].text(c.field), docs[0].matched(c.field)
		s.page.check(fmt.Sprintf(columns, c.word, matched, title, c.note),
			first(differs("what it finds", c.title, title), unless(matched != "" && !strings.EqualFold(matched, c.word), "that is no other form of the word")))
	}
	return nil
}

// showShapes looks at what the first act brought in other forms than the usual.
func (s *story) showShapes(ctx context.Context) error {
	post, err := s.read(ctx, "post", s.samples.bare.id)
	if err != nil {
		return err
	}
	s.page.check(fmt.Sprintf("no envelope, bare data: post %s is at version %s, %s", s.samples.bare.id, post.text("version"), post.text("title")),
		first(differs("its title", "New Title", post.text("title")), differs("its version", "2", post.text("version")),
			differs("the content of version 1", "A payload without an envelope.", post.text("content"))))

	numbers, err := s.read(ctx, "post", "9007199254740993")
	if err != nil {
		return err
	}
	s.page.check("long numbers stay exact: "+numbers.text("post_id")+", "+numbers.text("plays"),
		first(differs("the id", "9007199254740993", numbers.text("post_id")), differs("plays", "123456789012345678901234567890", numbers.text("plays"))))

	trio, err := s.read(ctx, "artist", "artist-2")
	if err != nil {
		return err
	}
	s.page.check(fmt.Sprintf("artists too: %s (%s), whose genres are now %s", trio.text("name"), trio.text("country"), trio.text("genres")),
		first(differs("its name", "Blue Harbour Trio", trio.text("name")), differs("the country of version 1", "NO", trio.text("country")),
			differs("its genres", "jazz, nordic", trio.text("genres"))))

	gone, err := s.read(ctx, "artist", "artist-4")
	if err != nil {
		return err
	}
	s.page.check("a deletion without a version is final: artist-4 is gone", unless(gone == nil, "searches find %s", gone.text("name")))
	return nil
}
