package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/forget"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// forgetFlags is what the command line of forget says.
type forgetFlags struct {
	entity string
	yes    bool
	asJSON bool
}

func (p *program) forgetCommand() *cobra.Command {
	var flags forgetFlags
	command := &cobra.Command{
		Use:   "forget ID",
		Short: "Find all that is kept of a post or artist, and remove what may go",
		Long: `forget names every place that still holds contents of a post or artist: records
of the topics, dead letters, documents of live and kept indices. It reads the
topics from their beginning, which takes a while, and changes nothing unless
--yes is given.

With --yes it removes the documents in kept indices (those that a rebuild
replaced). It can't remove the rest: a live document goes when a delete event is
published; records and dead letters stay for as long as Kafka keeps them.
docs/operations.md, "Privacy", says what bounds that. Redis holds digests only,
no contents. Working files of rebuild and verify are named where they are on
this machine.`,
		Example: `  indexer forget 42 --entity post
  indexer forget 42 --entity post --json | jq '.topics[]'
  indexer forget 42 --entity post --yes`,
		Args:        cobra.ExactArgs(1),
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &fold.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, args []string) error {
			return p.forget(c.Context(), args[0], flags)
		},
	}
	f := command.Flags()
	f.StringVar(&flags.entity, "entity", "", "post or artist (default: what either has under this id)")
	f.BoolVar(&flags.yes, "yes", false, "remove what may be removed")
	f.BoolVar(&flags.asJSON, "json", false, "print one JSON object")
	return command
}

func (f forgetFlags) entities(id string) ([]document.Entity, error) {
	all := index.Entities()
	if id == "" {
		return nil, errors.New("ID must not be empty")
	}
	if f.entity == "" {
		return all, nil
	}
	for _, entity := range all {
		if string(entity) == f.entity {
			return []document.Entity{entity}, nil
		}
	}
	return nil, fmt.Errorf("--entity: %q is neither post nor artist", f.entity)
}

func (p *program) forget(ctx context.Context, id string, flags forgetFlags) error {
	entities, err := flags.entities(id)
	if err != nil {
		return misused(err, `see "indexer forget --help"`)
	}
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Index, &s.Fold, &s.Log); err != nil {
		return err
	}
	t := traces{ID: id, Entities: entities, Topics: []recordTrace{}, Letters: []recordTrace{}, Indices: []copyTrace{}, Redis: redisTrace, Files: []string{}}
	err = errors.Join(
		t.lookInKafka(ctx, s.Kafka, s.Log.logger(p.stderr)),
		t.lookInOpenSearch(ctx, s.Index, flags.yes),
		t.lookForFiles(s.Fold),
	)
	if flags.asJSON {
		if printErr := json.MarshalWrite(p.stdout, t, jsontext.WithIndent("  ")); printErr != nil {
			return printErr
		}
		_, _ = fmt.Fprintln(p.stdout)
	} else {
		t.print(p.stdout)
	}
	if err != nil {
		return failed(fmt.Errorf("%w\nso the list is not complete", err), "mend that and repeat it")
	}
	return nil
}

// traces is all that is kept of one id, as `forget --json` prints it.
type traces struct {
	ID        string            `json:"id"`
	Entities  []document.Entity `json:"entities"`
	Topics    []recordTrace     `json:"topics"`
	Letters   []recordTrace     `json:"dead_letters"`
	Indices   []copyTrace       `json:"indices"`
	Redis     string            `json:"redis"`
	Files     []string          `json:"working_files"` // directories on this machine that may hold contents
	Retention map[string]string `json:"retention"`     // of those topics that hold something
}

const redisTrace = "digests only, no contents"

type recordTrace struct {
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
	Time      string          `json:"time"`
	What      string          `json:"what"`             // event type, or why it is none
	Entity    document.Entity `json:"entity,omitempty"` // absent: it mentions the id but can't be read
	Until     string          `json:"until,omitempty"`  // of a record that goes by its age
}

type copyTrace struct {
	Entity   document.Entity `json:"entity"`
	Index    string          `json:"index"`
	Standing index.Standing  `json:"standing"`
	Contents bool            `json:"contents"` // false: a tombstone
	Removed  bool            `json:"removed"`
}

// lookInKafka reads the topics and the dead-letter topic from end to end.
func (t *traces) lookInKafka(ctx context.Context, cfg stream.Config, log zerolog.Logger) error {
	reader, err := stream.NewReader(cfg, log)
	if err != nil {
		return err
	}
	defer reader.Close()
	ranges, err := reader.Ranges(ctx, append(cfg.FullTopics(), cfg.DLQTopic))
	if err != nil {
		return fmt.Errorf("ask Kafka at %s: %w", strings.Join(cfg.Brokers, ","), err)
	}
	search := forget.NewSearch(cfg.TopicPrefix, t.ID, t.Entities...)
	var found, letters []forget.Place
	told := newScanLog(ranges, log)
	err = reader.Read(ctx, ranges, func(r record.Record) error {
		told.count()
		if r.Topic == cfg.DLQTopic {
			if place, ok := search.Letter(&r); ok {
				letters = append(letters, place)
			}
		} else if place, ok := search.Event(&r); ok {
			found = append(found, place)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("read the topics: %w", err)
	}
	return errors.Join(err, t.addRecords(ctx, cfg, log, found, letters))
}

// addRecords adds what was found, with what bounds its life.
func (t *traces) addRecords(ctx context.Context, cfg stream.Config, log zerolog.Logger, found, letters []forget.Place) error {
	admin, err := stream.NewAdmin(cfg, log)
	if err != nil {
		return err
	}
	defer admin.Close()
	bounds := map[string]stream.Retention{}
	t.Retention = map[string]string{}
	for _, place := range append(found, letters...) {
		if _, known := bounds[place.Topic]; known {
			continue
		}
		bound, err := admin.Retention(ctx, place.Topic)
		if err != nil {
			return err
		}
		bounds[place.Topic], t.Retention[place.Topic] = bound, bound.String()
	}
	for _, place := range found {
		t.Topics = append(t.Topics, trace(place, bounds[place.Topic]))
	}
	for _, place := range letters {
		t.Letters = append(t.Letters, trace(place, bounds[place.Topic]))
	}
	sortTraces(t.Topics)
	sortTraces(t.Letters)
	return nil
}

func trace(place forget.Place, bound stream.Retention) recordTrace {
	at := time.UnixMilli(place.Timestamp).UTC()
	r := recordTrace{
		Topic: place.Topic, Partition: place.ID, Offset: place.Offset,
		Time: at.Format(time.RFC3339), What: place.What, Entity: place.Entity,
	}
	if bound.Time >= 0 {
		r.Until = at.Add(bound.Time).Format(time.RFC3339)
	}
	return r
}

// lookInOpenSearch looks into the indices, and removes what may be removed.
func (t *traces) lookInOpenSearch(ctx context.Context, cfg index.Config, remove bool) error {
	client, err := index.NewClient(cfg)
	if err != nil {
		return err
	}
	var failures []error
	for _, entity := range t.Entities {
		copies, err := client.Copies(ctx, document.Key{Entity: entity, ID: t.ID})
		if err != nil {
			failures = append(failures, fmt.Errorf("ask OpenSearch at %s: %w", strings.Join(cfg.URLs, ","), err))
		}
		for _, c := range copies {
			found := copyTrace{Entity: c.Entity, Index: c.Index, Standing: c.Standing, Contents: !c.Deleted}
			if remove && c.Standing == index.StandingKept {
				err := client.RemoveCopy(ctx, c)
				failures = append(failures, err)
				found.Removed = err == nil
			}
			t.Indices = append(t.Indices, found)
		}
	}
	return errors.Join(failures...)
}

// lookForFiles names what rebuild and verify have on this machine's disk, if one is
// under way or was killed.
func (t *traces) lookForFiles(cfg fold.Config) error {
	dirs, err := cfg.WorkingDirs()
	t.Files = append(t.Files, dirs...)
	return err
}
