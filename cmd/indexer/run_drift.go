package main

import (
	"context"
	"slices"
)

// lookForDrift finds out how the indices differ from their templates, for /readyz, and
// logs what was not so before. It is no problem: documents are written all the same.
func (w *worker) lookForDrift(ctx context.Context) {
	drifts, err := w.client.Drift(ctx)
	if ctx.Err() != nil {
		return
	}
	var now []string
	if err != nil {
		now = []string{"indices can't be compared with their templates: " + err.Error()}
	}
	for _, drift := range drifts {
		now = append(now, drift.String())
	}
	var before []string
	if last := w.drift.Load(); last != nil {
		before = *last
	}
	for _, line := range now {
		if !slices.Contains(before, line) {
			w.log.Warn().Str("note", line).Msg("going on; an operator may want to act")
		}
	}
	w.drift.Store(&now)
}
