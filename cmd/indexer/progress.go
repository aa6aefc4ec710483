package main

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/schollz/progressbar/v3"

	"github.com/search-indexer/search-indexer/internal/produce"
)

// showProgress shows how far publishing is until the returned function is called:
// as a bar with the time left on a terminal, as a line of the log every few
// seconds elsewhere. total is -1 where it is not known.
func (p *program) showProgress(ctx context.Context, progress func() produce.Report, total int, log zerolog.Logger) (stop func()) {
	const redraw, logEvery = 200 * time.Millisecond, 5 * time.Second
	every, show, end := logEvery, logProgress(log, total), func() {}
	if isTerminal(p.stderr) {
		bar := p.newBar(total)
		every, end = redraw, func() { _ = bar.Clear() } // the report follows
		show = func(r produce.Report) { _ = bar.Set64(r.Published + r.Failed + r.Skipped) }
	}
	ctx, cancel := context.WithCancel(ctx)
	var shown sync.WaitGroup
	shown.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				show(progress())
			}
		}
	})
	return func() {
		cancel()
		shown.Wait()
		end()
	}
}

func (p *program) newBar(total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.stderr),
		progressbar.OptionSetDescription("publishing"),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("events"),
		progressbar.OptionSetPredictTime(true),
	)
}

// logProgress logs the counts, and the time left at the rate so far.
func logProgress(log zerolog.Logger, total int) func(produce.Report) {
	return func(r produce.Report) {
		line := log.Info().Int64("published", r.Published).Int64("failed", r.Failed).Int64("skipped", r.Skipped).Int64("events_per_second", int64(r.Rate))
		if left := int64(total) - r.Published - r.Failed - r.Skipped; total >= 0 && r.Rate > 0 {
			line.Int("total", total).Int64("seconds_left", max(left, 0)/max(int64(r.Rate), 1))
		}
		line.Msg("publishing")
	}
}
