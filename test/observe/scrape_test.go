package observe

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/util/teststorage"
)

// A run is scraped as Prometheus does it, but its clock goes thirty times as fast: in
// what it says, twenty seconds are ten minutes, which is what queries look back over.
const (
	scrapeEvery = 500 * time.Millisecond
	faster      = 30
)

// scraper puts what its targets answer into a storage, until the test ends.
type scraper struct {
	*testing.T
	storage *teststorage.TestStorage
	began   time.Time

	mu      sync.Mutex
	targets map[string]labels.Labels // by address
}

func newScraper(t *testing.T) *scraper {
	t.Helper()
	s := &scraper{T: t, storage: teststorage.New(t), began: time.Now(), targets: map[string]labels.Labels{}}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			s.round()
			select {
			case <-done:
				return
			case <-time.After(scrapeEvery):
			}
		}
	}()
	t.Cleanup(func() { close(done); <-stopped }) // before the storage is closed
	return s
}

// now is the storage's time.
func (s *scraper) now() time.Time { return s.began.Add(faster * time.Since(s.began)) }

func (s *scraper) follow(url string, target labels.Labels) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets[url] = target
}

// forget scrapes a target no more.
func (s *scraper) forget(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.targets, url)
}

// round scrapes every target once. One that does not answer is no error: it ended.
func (s *scraper) round() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for url, target := range s.targets {
		text, kind, err := scrape(url + "/metrics")
		if err != nil {
			continue
		}
		if err := s.store(text, kind, target, s.now()); err != nil {
			s.Errorf("scrape %s: %v", url, err)
		}
	}
}

func scrape(url string) (text []byte, kind string, err error) {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err = io.ReadAll(response.Body)
	return text, response.Header.Get("Content-Type"), err
}

// store reads the text as Prometheus does.
func (s *scraper) store(text []byte, kind string, target labels.Labels, at time.Time) error {
	parser, err := textparse.New(text, kind, labels.NewSymbolTable(), textparse.ParserOptions{FallbackContentType: "text/plain"})
	if err != nil {
		return err
	}
	appender := s.storage.Appender(s.Context())
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return appender.Commit()
		}
		if err != nil {
			return errors.Join(err, appender.Rollback())
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var series labels.Labels
		parser.Labels(&series)
		_, _, value := parser.Series()
		b := labels.NewBuilder(series)
		target.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
		if _, err := appender.Append(0, b.Labels(), at.UnixMilli(), value); err != nil {
			return errors.Join(err, appender.Rollback())
		}
	}
}
