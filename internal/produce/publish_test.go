package produce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/search-indexer/search-indexer/internal/record"
)

// fakeBroker acknowledges the n-th record (from 0) after delay(n), or refuses it.
type fakeBroker struct {
	delay   func(n int) time.Duration
	refuse  map[int]error // by the broker
	reject  map[int]error // by the client, at once
	n       int
	pending sync.WaitGroup
}

func (b *fakeBroker) Send(_ context.Context, _ *record.Record, done func(int32, int64, error)) error {
	n := b.n
	b.n++
	if err := b.reject[n]; err != nil {
		return err
	}
	b.pending.Go(func() {
		if b.delay != nil {
			time.Sleep(b.delay(n))
		}
		done(0, int64(n), b.refuse[n])
	})
	return nil
}

func (b *fakeBroker) Flush(ctx context.Context) error {
	answered := make(chan struct{})
	go func() { b.pending.Wait(); close(answered) }()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func records(n int) iter.Seq2[*record.Record, error] {
	return func(yield func(*record.Record, error) bool) {
		for i := range n {
			if !yield(rec(fmt.Sprintf("t%d", i%2), []byte("key"), []byte("1234567")), nil) {
				return
			}
		}
	}
}

func TestReportMeasuresWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &fakeBroker{delay: func(n int) time.Duration { return time.Duration(n+1) * time.Millisecond }}
		got, err := NewPublisher(Config{Drain: time.Minute}, broker).Run(t.Context(), records(100))
		if err != nil {
			t.Fatal(err)
		}
		want := Report{
			Published: 100, Bytes: 1000, Seconds: 0.1, Rate: 1000, Topics: map[string]int64{"t0": 50, "t1": 50},
			Latency: Latency{P50: 50, P95: 95, P99: 99, Max: 100},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0.001, 0)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, perSecond := range []float64{0.5, 10, 2500} {
			count := int(4 * perSecond)
			got, err := NewPublisher(Config{Rate: perSecond, Drain: time.Minute}, &fakeBroker{}).Run(t.Context(), records(count))
			if err != nil || got.Published != int64(count) {
				t.Fatalf("report %+v, error %v", got, err)
			}
			// All but what may be sent at once takes its time.
			least := (float64(count) - max(1, perSecond/10)) / perSecond
			if got.Seconds < least-1e-6 || got.Seconds > 4 {
				t.Errorf("%d events at %g/s took %g s", count, perSecond, got.Seconds)
			}
		}
	})
}

func TestPublishingStopsAtTheFirstTrouble(t *testing.T) {
	in := strings.Repeat(`{"event_type":"a"}`+"\n", 3) + "garbage\n" + `{"event_type":"a"}` + "\n"
	source := Source{Name: "in"}.Records
	tooLarge := errors.New("too large")
	for name, c := range map[string]struct {
		broker    *fakeBroker
		keepGoing bool
		want      Report
		errs      []string
	}{
		"wrong line":        {&fakeBroker{}, false, Report{Published: 3}, []string{"in:4: not JSON"}},
		"wrong line, go on": {&fakeBroker{}, true, Report{Published: 4, Skipped: 1}, nil},
		"refused by client": {&fakeBroker{reject: map[int]error{1: tooLarge}}, false, Report{Published: 1, Failed: 1}, []string{"publish: too large"}},
		"refused, go on": {
			&fakeBroker{reject: map[int]error{3: tooLarge}, refuse: map[int]error{1: tooLarge}}, true,
			Report{Published: 2, Failed: 2, Skipped: 1},
			[]string{"too large"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			skipped := 0
			cfg := Config{KeepGoing: c.keepGoing, OnSkip: func(error) { skipped++ }, Drain: time.Minute}
			got, err := NewPublisher(cfg, c.broker).Run(t.Context(), source(strings.NewReader(in)))
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Report{}, "Bytes", "Seconds", "Rate", "Topics", "Latency")); diff != "" {
				t.Error(diff)
			}
			if int64(skipped) != got.Skipped {
				t.Errorf("told of %d lines, skipped %d", skipped, got.Skipped)
			}
			if (err != nil) != (c.errs != nil) {
				t.Fatalf("error %v, want %q", err, c.errs)
			}
			for _, says := range c.errs {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error %v, want it to say %q", err, says)
				}
			}
		})
	}
}

func TestBrokerThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &fakeBroker{delay: func(int) time.Duration { return time.Hour }}
		got, err := NewPublisher(Config{Drain: time.Second}, broker).Run(t.Context(), records(5))
		if !errors.Is(err, context.DeadlineExceeded) || got.Unknown != 5 || got.Published != 0 {
			t.Errorf("report %+v, error %v", got, err)
		}
		broker.pending.Wait()
	})
}

func TestInterruptWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		broker := &fakeBroker{delay: func(n int) time.Duration {
			if n == 9 {
				cancel()
			}
			return time.Second
		}}
		got, err := NewPublisher(Config{Rate: 1000, Drain: time.Minute}, broker).Run(ctx, records(1_000_000))
		if !errors.Is(err, context.Canceled) || got.Published < 10 || got.Unknown != 0 {
			t.Errorf("report %+v, error %v", got, err)
		}
	})
}

func TestReportForPeopleAndMachines(t *testing.T) {
	r := Report{
		Published: 12345, Failed: 1, Unknown: 2, Skipped: 3, Bytes: 10_000_000, Seconds: 2, Rate: 6172.5,
		Topics: map[string]int64{"b": 2, "a": 1}, Latency: Latency{P50: 1.5, P95: 2, P99: 3.25, Max: 4},
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := `published  12,345 events, 10 MB in 2.0 s; 1 failed, 2 without an answer, 3 lines skipped
rate       6,172 events/s, 5.0 MB/s
latency    p50 1.5 ms  p95 2.0 ms  p99 3.2 ms  max 4.0 ms
topics     a 1
           b 2
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
	text.Reset()
	if err := (Report{Failed: 1}).WriteText(&text); err != nil || strings.Contains(text.String(), "latency") {
		t.Errorf("measures of nothing: %s, error %v", text.String(), err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(raw, &back); err != nil || !cmp.Equal(r, back) {
		t.Errorf("%s comes back as %+v, error %v", raw, back, err)
	}
}
