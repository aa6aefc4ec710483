// Demo shows what the indexer does with the sample events of testdata/events, as a
// story for one person at a terminal: it publishes them in acts through a real
// Kafka, lets `indexer run` index them, and looks into OpenSearch after each act.
// Every tick is a check that can fail, and the exit code says whether one did. It
// proves no more than it shows; the proof is the tests (make test).
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.BoolVar(&o.keep, "keep", false, "leave the topics and indices that the demo makes, for a look at them")
	flag.StringVar(&o.indexer, "indexer", "bin/indexer", "the program to show")
	flag.StringVar(&o.samples, "samples", "testdata/events", "folder of the sample events")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	page := newPage(os.Stdout)
	play(ctx, page, o)
	stop()
	if page.crosses > 0 {
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	keep    bool
	indexer string // path of the program
	samples string // folder
}

// play tells the whole story. What is not so has a cross on the page.
func play(ctx context.Context, page *page, o options) {
	began := time.Now()
	samples, err := loadSamples(o.samples)
	if err != nil {
		page.stop(err)
		return
	}
	stage, err := newStage(o.indexer)
	if err != nil {
		page.stop(err)
		return
	}
	page.gap()
	page.print(page.paint(bold, "What search-indexer makes of events: from Kafka to OpenSearch in ten steps"))
	tell(ctx, &story{stage: stage, page: page, samples: samples})
	leave(ctx, stage, page, o.keep)
	page.ending(time.Since(began), stage.logs)
}

// tell goes through the steps, up to the first that can't be gone through.
func tell(ctx context.Context, s *story) {
	defer s.stopAll()
	for _, step := range s.steps() {
		s.page.heading(step.title)
		err := step.show(ctx)
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		if err != nil {
			s.page.stop(err)
			return
		}
	}
}

// leave removes what the demo made, unless it is to be kept, or says where it is.
func leave(ctx context.Context, s *stage, p *page, keep bool) {
	p.gap()
	if keep {
		p.say("Kept, as -keep asks: topics %[1]s-*, indices behind %[1]s-posts and %[1]s-artists, logs in %[2]s. "+
			"scripts/stack down --purge removes all data of the stack.", s.name, s.logs)
		p.say("Look:  curl %s/%s/_search?pretty", s.cluster.URL, s.alias("post"))
		return
	}
	// Also after Ctrl-C: nothing of ours may stay behind.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	problem := ""
	if err := s.remove(ctx); err != nil {
		problem = err.Error()
	}
	p.check("removed the topics, indices and templates it made ("+s.name+"-*)", problem)
	if p.crosses == 0 {
		_ = os.RemoveAll(s.logs) // a folder of the system's own for such things
	}
}

// newStage returns the place of one demo: names that nobody else has, on the
// services that the environment names.
func newStage(indexer string) (*stage, error) {
	path, err := filepath.Abs(indexer)
	if err != nil {
		return nil, fmt.Errorf("find the indexer: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("find the indexer (`make demo` builds it): %w", err)
	}
	random := make([]byte, 3)
	_, _ = rand.Read(random) // documented to never fail
	s := &stage{name: "demo-" + hex.EncodeToString(random), indexer: path}
	if err := s.useServices(); err != nil {
		return nil, err
	}
	if s.logs, err = os.MkdirTemp("", "search-indexer-demo-"); err != nil {
		return nil, fmt.Errorf("make a folder for logs: %w", err)
	}
	return s, nil
}
