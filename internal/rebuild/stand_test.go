package rebuild

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/test/stack"
)

// stand is a log and indices of one test's own on the real services.
type stand struct {
	*testing.T
	kafka    stream.Config
	opened   index.Config
	client   *index.Client
	admin    *stream.Admin
	reader   *stream.Reader
	producer *stream.Producer
	mux      *handlers.Mux
	letters  *letters
}

func newStand(t *testing.T) *stand {
	t.Helper()
	t.Parallel()
	name := stack.Name(t)
	s := &stand{T: t, mux: handlers.NewMux(name + "-"), letters: &letters{}}
	s.kafka = stream.Config{
		Brokers: strings.Split(stack.Kafka(t), ","), GroupID: name, TopicPrefix: name + "-",
		Topics: []string{"post.created", "post.deleted", "artist.created"}, DLQTopic: name + "-dlq", SecurityProtocol: "PLAINTEXT",
	}
	s.opened = index.Config{
		URLs: strings.Split(stack.OpenSearch(t), ","), IndexPrefix: name + "-", Shards: 1,
		RefreshInterval: time.Second, TombstoneRetention: time.Hour,
	}
	s.client = s.connect(s.opened.URLs[0])
	var err error
	if s.admin, err = stream.NewAdmin(s.kafka, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.admin.Close)
	if s.reader, err = stream.NewReader(s.kafka, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.reader.Close)
	if s.producer, err = stream.NewProducer(s.kafka, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.producer.Close() })
	if _, err := s.admin.Setup(t.Context(), s.kafka, stream.TopicOptions{Partitions: 2, ReplicationFactor: 1, Retention: -1}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stand) connect(at string) *index.Client {
	s.Helper()
	cfg := s.opened
	cfg.URLs = []string{at}
	client, err := index.NewClient(cfg)
	if err != nil {
		s.Fatal(err)
	}
	return client
}

func (s *stand) setup() {
	s.Helper()
	if report, err := s.client.Setup(s.Context()); err != nil || len(report.Problems) > 0 {
		s.Fatalf("setup: %v %v", err, report.Problems)
	}
}

// publish adds an event to the log, and returns its record.
func (s *stand) publish(topic, value string) *record.Record {
	s.Helper()
	r := &record.Record{Partition: record.Partition{Topic: s.kafka.TopicPrefix + topic}, Timestamp: time.Now().UnixMilli(), Value: []byte(value)}
	err := s.producer.Send(context.WithoutCancel(s.Context()), r, func(_ int32, _ int64, err error) {
		if err != nil {
			s.Errorf("publish: %v", err)
		}
	})
	if err == nil {
		err = s.producer.Flush(s.Context())
	}
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// post publishes a created post of that version.
func (s *stand) post(id string, version int) *record.Record {
	s.Helper()
	return s.publish("post.created", fmt.Sprintf(`{"post_id":%q,"version":%d,"title":"title %d"}`, id, version, version))
}

// index writes records as a live worker does that reaches OpenSearch by client.
func (s *stand) index(ctx context.Context, client *index.Client, records ...*record.Record) {
	s.Helper()
	for _, r := range records {
		_, change, rejection := s.mux.Decode(r)
		if rejection != nil {
			s.Errorf("%s: %s", r.Value, rejection.Reason)
			return
		}
		for {
			out := index.NewWriter(client).Write(ctx, "live", []index.Action{{Key: change.Key, State: change.State}})
			if out[0].Result != index.Retry {
				break
			}
			select {
			case <-ctx.Done():
				s.Errorf("write %s: %s %s", r.Value, out[0].Reason, out[0].Words)
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// rebuild returns a Rebuild of all entities, changed by the functions.
func (s *stand) rebuild(changes ...func(*Parts, *Options)) *Rebuild {
	s.Helper()
	parts := Parts{
		Client: s.client, Lock: free{}, Log: s.reader, Decoder: s.mux, Letters: s.letters, Display: quiet{},
		Committed: func(ctx context.Context) ([]record.Position, error) {
			return s.admin.Committed(ctx, s.kafka.GroupID, s.kafka.FullTopics())
		},
		Logger: zerolog.New(zerolog.NewTestWriter(s.T)).Level(zerolog.WarnLevel),
		Fold:   fold.Config{Dir: s.TempDir(), Memory: 64 << 20},
		Batch:  pipeline.Config{MaxEvents: 100, MaxBytes: 1 << 20, MaxWait: time.Millisecond, Concurrency: 2, Shutdown: 5 * time.Second},
	}
	options := Options{
		Entities: index.Entities(), Topics: s.kafka.FullTopics(), Keep: 1, Owner: "test",
		Tombstones: func(context.Context) (time.Time, error) { return time.Now().Add(-time.Hour), nil },
	}
	for _, change := range changes {
		change(&parts, &options)
	}
	return New(parts, options)
}

// at does something before a phase begins.
func at(phase Phase, do func(context.Context) error) func(*Parts, *Options) {
	return func(p *Parts, _ *Options) {
		before := p.Step
		p.Step = func(ctx context.Context, now Phase) error {
			if before != nil {
				if err := before(ctx, now); err != nil {
					return err
				}
			}
			if now == phase {
				return do(ctx)
			}
			return nil
		}
	}
}

func only(entity document.Entity) func(*Parts, *Options) {
	return func(_ *Parts, o *Options) { o.Entities = []document.Entity{entity} }
}

// ok runs a rebuild, which must work, and returns its report.
func (s *stand) ok(changes ...func(*Parts, *Options)) Report {
	s.Helper()
	b := s.rebuild(changes...)
	if err := b.Run(s.Context()); err != nil {
		s.Fatalf("rebuild: %v", err)
	}
	report := b.Report()
	if sum := report.Documents + report.Tombstones + report.Expired + report.Piecemeal; sum != report.Entities {
		s.Errorf("%d documents, tombstones and others of %d entities", sum, report.Entities)
	}
	return report
}

// live returns the live index of posts.
func (s *stand) live() string {
	s.Helper()
	name, _, err := s.client.Live(s.Context(), document.Post)
	if err != nil {
		s.Fatal(err)
	}
	return name
}

func (s *stand) kept() []string {
	s.Helper()
	kept, err := s.client.Kept(s.Context(), document.Post)
	if err != nil {
		s.Fatal(err)
	}
	names := []string{}
	for _, k := range kept {
		names = append(names, k.Index)
	}
	return names
}

// right wants the live indices to hold the join of the log, and no more.
func (s *stand) right() {
	s.Helper()
	f, err := fold.Open(fold.Config{Dir: s.TempDir(), Memory: 64 << 20})
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	ranges, err := s.reader.Ranges(s.Context(), s.kafka.FullTopics())
	if err != nil {
		s.Fatal(err)
	}
	if err := f.Read(s.Context(), s.reader, ranges, s.mux, fold.Options{}); err != nil {
		s.Fatal(err)
	}
	for _, entity := range index.Entities() {
		want := map[document.Key]document.State{}
		err := f.Each(s.Context(), entity, func(key document.Key, state document.State) error { want[key] = state; return nil })
		if err != nil {
			s.Fatal(err)
		}
		live, _, err := s.client.Live(s.Context(), entity)
		if err != nil {
			s.Fatal(err)
		}
		err = s.client.Scan(s.Context(), live, entity, index.ScanOptions{}, func(page []index.Stored) error {
			for _, d := range page {
				if state, ok := want[d.Key]; !ok || !document.Equal(state, d.State) {
					s.Errorf("%s: index has\n%s\nlog has\n%s", d.Key, d.State, state)
				}
				delete(want, d.Key)
			}
			return nil
		})
		if err != nil || len(want) > 0 {
			s.Errorf("%s lacks %v, %v", live, want, err)
		}
	}
	if left, err := s.client.Unfinished(s.Context()); err != nil || len(left) > 0 {
		s.Errorf("unfinished: %v, %v", left, err)
	}
}

// request asks OpenSearch as an operator does.
func (s *stand) request(method, path, body string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.opened.URLs[0]+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		s.Fatalf("%s %s: %s", method, path, res.Status)
	}
}

// proxy leads to OpenSearch; before is called with each request, and answers it
// itself where it returns true.
func (s *stand) proxy(before func(http.ResponseWriter, *http.Request) bool) string {
	s.Helper()
	target, err := url.Parse(s.opened.URLs[0])
	if err != nil {
		s.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !before(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	s.Cleanup(server.Close)
	return server.URL
}

// letters are dead letters in memory.
type letters struct {
	mu    sync.Mutex
	open  map[record.Partition]map[int64]bool // as of the last Refresh
	later map[record.Partition]map[int64]bool // written since
	sent  []pipeline.Letter
	full  error // of the broker, which takes none
}

func (l *letters) Known(r *record.Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[r.Partition][r.Offset]
}

func (l *letters) Refresh(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.later != nil {
		l.open = l.later
	}
	return nil
}

func (l *letters) Send(letter pipeline.Letter, done func(error)) {
	l.mu.Lock()
	if l.full == nil {
		l.sent = append(l.sent, letter)
	}
	err := l.full
	l.mu.Unlock()
	done(err)
}

type free struct{}

func (free) Check(context.Context) error { return nil }

type quiet struct{}

func (quiet) Phase(string, int64, string) {}
func (quiet) Add(int64)                   {}
