package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// showBooks ends the publisher and the worker, and compares what they counted.
func (s *story) showBooks(ctx context.Context) error {
	report, err := s.endPublishing(ctx)
	if err != nil {
		return err
	}
	status, err := s.worker.status(ctx)
	if err != nil {
		return err
	}
	consumed := 0
	for _, n := range status.Consumed {
		consumed += n
	}
	s.page.check(fmt.Sprintf("%d events published, acknowledged in %.1f ms in the median", report.Published, report.Latency.P50),
		unless(report.Published == s.published && report.Failed == 0, "%d were handed to indexer produce, and %d failed", s.published, report.Failed))
	s.page.check(fmt.Sprintf("%d consumed = %s", consumed, status.Outcomes),
		unless(consumed == s.published && status.Outcomes.total() == consumed && status.InFlight == 0, "%d were published", s.published))

	began := time.Now()
	problem := ""
	if err := s.worker.stop(patience); err != nil {
		problem = err.Error()
	}
	s.page.check("the worker ended at SIGTERM: drained, committed, left its group ("+seconds(began)+")", problem)
	return s.checkCommitted(ctx)
}

// produced is the report of `indexer produce --json`, as far as it is shown.
type produced struct {
	Published int `json:"published"`
	Failed    int `json:"failed"`
	Latency   struct {
		P50 float64 `json:"p50"`
	} `json:"latency_ms"`
}

func (s *story) endPublishing(ctx context.Context) (report produced, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.publisher.stdin.Close(); err != nil {
		return report, fmt.Errorf("end publishing: %w", err)
	}
	if err := s.publisher.wait(ctx); err != nil {
		return report, err
	}
	if err := json.Unmarshal([]byte(s.publisher.stdout.String()), &report); err != nil {
		return report, fmt.Errorf("read the report of indexer produce: %w", err)
	}
	return report, nil
}

// checkCommitted wants the offset of every event committed, so that the next
// worker begins where this one ended.
func (s *story) checkCommitted(ctx context.Context) error {
	committed, err := s.broker.Committed(ctx, s.group())
	if err != nil {
		return err
	}
	total := 0
	for _, offset := range committed {
		total += int(max(offset, 0)) // the topics are new: their offsets begin at 0
	}
	s.page.check(fmt.Sprintf("offsets committed up to %d events: the next worker begins behind them", total),
		unless(total == s.published, "%d were published", s.published))
	return nil
}
