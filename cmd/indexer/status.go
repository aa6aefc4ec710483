package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// overview is one look at everything, as `status --json` prints it. What could
// not be asked is nil, which prints as null or "unknown".
type overview struct {
	Group    string        `json:"group"`
	Members  []string      `json:"members"` // of the group, each as "client id at host"
	Topics   []topicStatus `json:"topics"`
	Indices  []indexStatus `json:"indices"`
	Rebuilds []string      `json:"rebuilds"` // that are not done
	Drift    []string      `json:"drift"`    // indices that differ from their templates
	Lock     *lockStatus   `json:"lock"`     // nil where nobody holds it, too
	Letters  *letterStatus `json:"dead_letters"`
	Problems []string      `json:"problems"`
}

type topicStatus struct {
	Topic      string            `json:"topic"`
	Partitions []partitionOffset `json:"partitions"`
	// Events a second while status looked; null where it could not look twice.
	Published *float64 `json:"published_per_second"`
	Done      *float64 `json:"done_per_second"` // committed by the group
}

type partitionOffset struct {
	Partition int32 `json:"partition"`
	Committed int64 `json:"committed"` // -1 where the group has none
	End       int64 `json:"end"`
	Lag       int64 `json:"lag"`
	// LagSeconds is the age of the first record that is not committed; null where it
	// could not be read.
	LagSeconds *float64 `json:"lag_seconds"`
}

// letterStatus is about the dead-letter topic. Who counts open letters has to read
// all of it, so these are nil where it takes too long.
type letterStatus struct {
	Records  int64 `json:"records"` // in the topic, copies included
	Open     *int  `json:"open"`
	Replayed *int  `json:"replayed"`
	// Last are the latest open ones, the latest first.
	Last []letterPlace `json:"last"`
}

type indexStatus struct {
	Alias      string `json:"alias"`
	Index      string `json:"index"`
	Documents  int64  `json:"documents"`
	Tombstones int64  `json:"tombstones"`
}

func (p *program) statusCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Show lag, rates, indices and dead letters in one look",
		Long: `status asks Kafka and OpenSearch how far the consumer group has come and what
stands behind the aliases. It looks twice, three seconds apart, to tell rates.
It needs no running worker; what one worker is doing, and its latest errors, are
on its own /status. Where the lock is held it waits for a renewal, for less
than half of LOCK_TTL, to tell a rebuild that is under way from one that died.
What could not be asked is unknown, null in JSON.

Exit code 0 where both answered, 1 where one did not.`,
		Example: `  indexer status
  indexer status --json | jq '.problems'`,
		Args:        cobra.NoArgs,
		Annotations: settingsHelp(&stream.Config{}, &index.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.status(c.Context(), asJSON)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}

func (p *program) status(ctx context.Context, asJSON bool) error {
	var s settings
	if err := p.load(ctx, &s.Kafka, &s.Index, &s.Log); err != nil {
		return err
	}
	view, err := p.look(ctx, s)
	if !asJSON {
		return errors.Join(view.print(p.stdout), err)
	}
	if printErr := json.MarshalWrite(p.stdout, view, jsontext.WithIndent("  "), json.FormatNilSliceAsNull(true)); printErr != nil {
		return printErr
	}
	_, _ = fmt.Fprintln(p.stdout)
	return err
}

// look asks Kafka and OpenSearch at the same time, each question with a deadline of
// its own: a slow one must not make the other seem away. The error tells which did
// not answer; the rest of the view is right all the same.
func (p *program) look(ctx context.Context, s settings) (overview, error) {
	const patience = 15 * time.Second
	view := overview{Group: s.Kafka.GroupID, Problems: []string{}}
	client, err := index.NewClient(s.Index)
	if err != nil {
		return view, err
	}
	var kafka, search overview // each is one goroutine's
	var kafkaErr, searchErr error
	var both sync.WaitGroup
	ask := func(err *error, questions ...func(context.Context) error) {
		both.Go(func() {
			for _, question := range questions {
				ctx, cancel := context.WithTimeout(ctx, patience)
				*err = question(ctx)
				cancel()
				if *err != nil {
					return
				}
			}
		})
	}
	ask(&kafkaErr, func(ctx context.Context) error { return kafka.askKafka(ctx, p, s) })
	ask(&searchErr,
		func(ctx context.Context) error { return search.askIndices(ctx, client) },
		func(ctx context.Context) error { return search.askLock(ctx, client) },
		func(ctx context.Context) error { return search.askRebuilds(ctx, client) })
	both.Wait()
	if searchErr != nil {
		searchErr = fmt.Errorf("ask OpenSearch at %s: %w", strings.Join(s.Index.URLs, ","), searchErr)
	}
	view.Topics, view.Letters, view.Members = kafka.Topics, kafka.Letters, kafka.Members
	view.Indices, view.Rebuilds, view.Drift, view.Lock = search.Indices, search.Rebuilds, search.Drift, search.Lock
	view.Problems = append(append(view.Problems, kafka.Problems...), search.Problems...)
	return view, errors.Join(kafkaErr, searchErr)
}

// askKafka fills in topics and dead letters.
func (o *overview) askKafka(ctx context.Context, p *program, s settings) error {
	admin, err := stream.NewAdmin(s.Kafka, s.Log.logger(p.stderr))
	if err != nil {
		return err
	}
	defer admin.Close()
	began := time.Now()
	names := s.Kafka.FullTopics()
	found, err := admin.GroupLag(ctx, s.Kafka.GroupID, append(names[:len(names):len(names)], s.Kafka.DLQTopic))
	if err != nil {
		err = fmt.Errorf("ask Kafka at %s: %w", strings.Join(s.Kafka.Brokers, ","), err)
		if len(found) == 0 {
			return err
		}
		o.Problems = append(o.Problems, err.Error())
	}
	told := err == nil // all partitions
	places := map[string]int{}
	for i, name := range names {
		places[name] = i
		o.Topics = append(o.Topics, topicStatus{Topic: name, Partitions: []partitionOffset{}})
	}
	o.Letters = &letterStatus{}
	for _, part := range found {
		if part.Topic == s.Kafka.DLQTopic {
			o.Letters.Records += part.High - part.Low
			continue
		}
		t := &o.Topics[places[part.Topic]]
		t.Partitions = append(t.Partitions, partitionOffset{
			Partition: part.ID, Committed: part.Committed, End: part.High, Lag: part.Lag,
		})
		if part.Problem != nil {
			o.Problems = append(o.Problems, part.Problem.Error())
		}
	}
	for _, t := range o.Topics {
		if len(t.Partitions) == 0 && told {
			o.Problems = append(o.Problems, fmt.Sprintf("topic %s does not exist; it is picked up when it appears (`indexer setup` creates it)", t.Topic))
		}
	}
	if o.Members, err = admin.Members(ctx, s.Kafka.GroupID); err != nil {
		o.Problems = append(o.Problems, err.Error())
	}
	o.readAges(ctx, p, s, found)
	o.measure(ctx, admin, s, began)
	o.countLetters(ctx, p, s, told)
	return nil
}

// countLetters fills in how many dead letters are open. Where not all partitions were
// told, that none was seen does not say that there is none.
func (o *overview) countLetters(ctx context.Context, p *program, s settings, told bool) {
	seen := o.Letters.Records > 0
	if err := o.Letters.count(ctx, p, s, seen || !told); err != nil {
		o.Problems = append(o.Problems, "open dead letters could not be counted: "+err.Error())
		if !seen {
			o.Letters = nil
		}
	}
}

// count tells the open letters from those that were replayed; none, unless there may be
// some.
func (l *letterStatus) count(ctx context.Context, p *program, s settings, some bool) error {
	open, replayed := 0, 0
	if some {
		log, err := stream.NewReader(s.Kafka, s.Log.logger(p.stderr))
		if err != nil {
			return err
		}
		defer log.Close()
		listing, err := dlq.NewReader(log, handlers.NewMux(s.Kafka.TopicPrefix), s.Kafka.DLQTopic).List(ctx)
		if err != nil {
			return err
		}
		letters := listing.Matching(dlq.Filter{}, false)
		open, l.Last = len(letters), latestLetters(letters)
		replayed = len(listing.Letters) - open
	}
	l.Open, l.Replayed = &open, &replayed
	return nil
}

// lettersShown is how many of the latest letters status names.
const lettersShown = 5

func latestLetters(open []*dlq.Entry) []letterPlace {
	places := []letterPlace{}
	for i := len(open) - 1; i >= 0 && len(places) < lettersShown; i-- {
		e := open[i]
		places = append(places, letterPlace{At: e.FailedAt, Topic: e.Topic, Partition: e.ID, Offset: e.Offset, Reason: e.Reason})
	}
	return places
}

// askIndices fills in indices and drift.
func (o *overview) askIndices(ctx context.Context, client *index.Client) error {
	for _, problem := range client.Ready(ctx) {
		o.Problems = append(o.Problems, problem.String())
	}
	indices, err := client.Overview(ctx)
	if err != nil {
		return err
	}
	o.Indices = make([]indexStatus, len(indices))
	for i, found := range indices {
		o.Indices[i] = indexStatus{Alias: found.Alias, Index: found.Index, Documents: found.Documents, Tombstones: found.Tombstones}
	}
	drifts, err := client.Drift(ctx)
	if err != nil {
		return err
	}
	o.Drift = []string{}
	for _, drift := range drifts {
		o.Drift = append(o.Drift, drift.String())
	}
	return nil
}

// askLock fills in who has the lock, and whether they live: one that was killed leaves
// it behind. Where that takes too long to find out it stays unknown.
func (o *overview) askLock(ctx context.Context, client *index.Client) error {
	holder, held, alive, err := client.Watch(ctx)
	switch {
	case !held:
		return err
	case err != nil:
		o.Lock = lockStatusOf(holder, nil)
	default:
		o.Lock = lockStatusOf(holder, &alive)
	}
	return nil
}

// askRebuilds fills in what is unfinished: after the lock, so that nothing is left of a
// rebuild that had it and has ended since.
func (o *overview) askRebuilds(ctx context.Context, client *index.Client) error {
	unfinished, err := client.Unfinished(ctx)
	if err == nil {
		o.Rebuilds = unfinishedText(unfinished, o.Lock.isRebuild())
	}
	return err
}
