package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/progress"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// letterChoice is how the command line chooses letters.
type letterChoice struct {
	command         *cobra.Command
	places          []string // arguments
	reasons, topics []string
	entity          string
	since, before   string
}

// addFlags gives the command the filters that all but `dlq show` have.
func (c *letterChoice) addFlags(command *cobra.Command) {
	c.command = command
	flags := command.Flags()
	flags.StringSliceVar(&c.reasons, "reason", nil, "only of this reason; may be repeated")
	flags.StringSliceVar(&c.topics, "topic", nil, "only of this original topic; may be repeated")
	flags.StringVar(&c.entity, "entity", "", "only of this kind or document: post, post/123")
	flags.StringVar(&c.since, "since", "", "only what failed since: 90m, 24h, 2026-01-31")
}

// isMade reports whether the command line chooses at all.
func (c *letterChoice) isMade() bool {
	return len(c.places)+len(c.reasons)+len(c.topics) > 0 || c.entity != "" || c.since != "" || c.before != ""
}

// misuse is an error in flags or arguments.
func (c *letterChoice) misuse(err error) error {
	return misused(err, fmt.Sprintf("see %q", c.command.CommandPath()+" --help"))
}

// filter reads the choice. A topic may be named with its prefix or without.
func (c *letterChoice) filter(kafka stream.Config, now time.Time) (dlq.Filter, error) {
	filter := dlq.Filter{Reasons: c.reasons}
	var wrong []error
	for _, text := range c.places {
		place, err := dlq.ParsePlace(text, kafka.DLQTopic)
		wrong = append(wrong, err)
		filter.Places = append(filter.Places, place)
	}
	for _, topic := range c.topics {
		filter.Topics = append(filter.Topics, topic, kafka.TopicPrefix+topic)
	}
	if c.entity != "" {
		filter.Entity, filter.ID, _ = strings.Cut(c.entity, "/")
		var known []string
		for _, e := range handlers.Entities() {
			known = append(known, string(e.Name))
		}
		if !slices.Contains(known, filter.Entity) {
			wrong = append(wrong, fmt.Errorf("--entity %q: use %s, with /ID for one document", c.entity, strings.Join(known, " or ")))
		}
	}
	for _, limit := range []struct {
		flag, text string
		at         *time.Time
	}{{"--since", c.since, &filter.Since}, {"--older-than", c.before, &filter.Before}} {
		var err error
		if *limit.at, err = moment(limit.text, now); err != nil {
			wrong = append(wrong, fmt.Errorf("%s %w", limit.flag, err))
		}
	}
	return filter, errors.Join(wrong...)
}

// letterbox is the dead-letter topic as a dlq command finds it, and what chooses of
// it.
type letterbox struct {
	settings settings
	shown    *progress.Progress
	done     func() // with what is shown
	log      zerolog.Logger
	stream   *stream.Reader
	reader   *dlq.Reader
	decoder  *handlers.Mux
	filter   dlq.Filter
	listing  *dlq.Listing
	now      time.Time
}

// openLetterbox is how each dlq command begins: it loads the settings, those of
// Kafka and the log and what else the command names, and reads the choice and the
// topic. Close the letterbox afterwards.
func (p *program) openLetterbox(ctx context.Context, choice *letterChoice, also func(*settings) []any) (*letterbox, error) {
	box := &letterbox{now: time.Now()}
	s := &box.settings
	if err := p.load(ctx, append(also(s), &s.Kafka, &s.Log)...); err != nil {
		return nil, err
	}
	var err error
	if box.filter, err = choice.filter(s.Kafka, box.now); err != nil {
		return nil, choice.misuse(err)
	}
	box.shown, box.done = p.newProgress(s.Log)
	box.log, box.decoder = s.Log.logger(p.stderr), handlers.NewMux(s.Kafka.TopicPrefix)
	if box.stream, err = stream.NewReader(s.Kafka, box.log); err != nil {
		box.done()
		return nil, err
	}
	box.reader = dlq.NewReader(box.stream, box.decoder, s.Kafka.DLQTopic)
	if box.listing, err = box.reader.List(ctx); err == nil {
		err = box.findPlaces()
	}
	if err != nil {
		box.close()
		return nil, err
	}
	return box, nil
}

// noMore is for commands that need no settings but those that all have.
func noMore(*settings) []any { return nil }

// findPlaces names each chosen place where no letter stands. A topic may be named
// without its prefix here too.
func (b *letterbox) findPlaces() error {
	var missing []error
	for i, place := range b.filter.Places {
		if len(b.listing.Find(place)) > 0 {
			continue
		}
		b.filter.Places[i].Topic = b.settings.Kafka.TopicPrefix + place.Topic
		if len(b.listing.Find(b.filter.Places[i])) == 0 {
			missing = append(missing, fmt.Errorf("there is no letter at %s", place))
		}
	}
	if len(missing) > 0 {
		return failed(errors.Join(missing...), `"indexer dlq list --all" lists all of them`)
	}
	return nil
}

// change hands over what changes the topic to do, which has to flush the producer.
func (b *letterbox) change(do func(*stream.Admin, *stream.Producer) error) error {
	admin, err := stream.NewAdmin(b.settings.Kafka, b.log)
	if err != nil {
		return err
	}
	defer admin.Close()
	producer, err := stream.NewProducer(b.settings.Kafka, b.log)
	if err != nil {
		return err
	}
	defer func() { _ = producer.Close() }() // it is flushed
	return do(admin, producer)
}

func (b *letterbox) close() {
	b.stream.Close()
	b.done()
}
