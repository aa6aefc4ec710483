package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// The phases of the slow case. The worker warms up first, so that the free rate is
// not that of its start.
const (
	warmUp  = 3 * time.Second
	free    = 6 * time.Second
	settled = 5 * time.Second // of the squeeze, for what was under way when it began
	squeeze = 45 * time.Second
	window  = 2 * time.Second // over which the rate after the squeeze is taken
)

// squeezing follows a worker that works off a backlog while OpenSearch takes a tenth
// of what it did just before, and then all again.
type squeezing struct {
	stand  *stand
	worker *worker
	valve  *valve
	total  int

	free, squeezed, after float64 // events per second
	committed             int64   // during the squeeze
	recovered             time.Duration
}

func slow(ctx context.Context, s *stand, found *result) (err error) {
	const bytes = textSize + 120 // of an event
	want := map[string]int64{}
	n := int(s.options.backlog) / bytes * 10 / 11 / 10 * 10
	q := squeezing{stand: s, total: n + n/10}
	if err := s.publish(ctx, s.prose.posts(n, want)); err != nil {
		return err
	}
	if q.valve, err = newValve(s.cluster.URL); err != nil {
		return err
	}
	defer q.valve.Close()
	if q.worker, err = s.start(ctx, q.valve.URL, found); err != nil {
		return err
	}
	if err := q.worker.stop(q.follow(ctx)); err != nil {
		return err
	}
	found.say("events, all there before the start\t%d", q.total)
	found.say("rate before, in and after the squeeze\t%.0f/s, %.0f/s, %.0f/s", q.free, q.squeezed, q.after)
	found.say("committed in the squeeze\t%d", q.committed)
	if q.recovered > 0 {
		found.say("nine tenths of the rate before again\t%.1f s after the squeeze", q.recovered.Seconds())
	} else {
		found.say("nine tenths of the rate before again\tnot within the rest of the backlog")
	}
	return errors.Join(q.check(), s.checkProcess(found), s.checkCommitted(ctx, q.total), s.checkDocuments(ctx, "posts", want))
}

func (q *squeezing) follow(ctx context.Context) (err error) {
	if err := q.worker.until(ctx, func(m e2e.Metrics) bool { return ended(m) > 0 }); err != nil {
		return err
	}
	if _, err = q.rate(ctx, warmUp); err != nil {
		return err
	}
	if q.free, err = q.rate(ctx, free); err != nil {
		return err
	}
	q.valve.rate.Store(max(int64(q.free/10), 1))
	if _, err = q.rate(ctx, settled); err != nil {
		return err
	}
	before, err := q.stand.committed(ctx)
	if err != nil {
		return err
	}
	if q.squeezed, err = q.rate(ctx, squeeze-settled); err != nil {
		return err
	}
	after, err := q.stand.committed(ctx)
	if err != nil {
		return err
	}
	q.committed = after - before
	q.valve.rate.Store(0)
	return q.recover(ctx)
}

// rate returns how many events a second end in the given time. All of them having
// ended by then is an error: there was nothing to squeeze.
func (q *squeezing) rate(ctx context.Context, over time.Duration) (float64, error) {
	began, first, last := time.Now(), -1.0, 0.0
	err := q.worker.until(ctx, func(m e2e.Metrics) bool {
		last = ended(m)
		if first < 0 {
			began, first = time.Now(), last
		}
		return time.Since(began) >= over || last >= float64(q.total)
	})
	if err == nil && last >= float64(q.total) {
		err = errors.New("the backlog was gone before the squeeze was over, so this shows nothing: give a larger -backlog")
	}
	return (last - first) / time.Since(began).Seconds(), err
}

// recover follows the worker to the end of the backlog.
func (q *squeezing) recover(ctx context.Context) error {
	lifted, first := time.Now(), -1.0
	mark, marked := lifted, 0.0
	err := q.worker.until(ctx, func(m e2e.Metrics) bool {
		now := ended(m)
		if first < 0 {
			first, marked = now, now
		}
		if since := time.Since(mark); since >= window {
			if q.recovered == 0 && (now-marked)/since.Seconds() >= 0.9*q.free {
				q.recovered = mark.Sub(lifted)
			}
			mark, marked = time.Now(), now
		}
		return now >= float64(q.total)
	})
	q.after = (float64(q.total) - first) / time.Since(lifted).Seconds()
	return err
}

// check reports a squeeze that was none, and a worker that stood still in it.
func (q *squeezing) check() error {
	if q.squeezed > q.free/5 {
		return fmt.Errorf("%.0f events/s in the squeeze, %.0f before: the worker was not held back", q.squeezed, q.free)
	}
	if q.committed < 1 {
		return errors.New("nothing was committed in the squeeze")
	}
	return nil
}
