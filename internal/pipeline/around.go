package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// around is the real world around a worker's loop: goroutines, the group, the log.
type around struct{ *Worker }

// Spawn implements Around.
func (a around) Spawn(job func(ctx context.Context) Input) {
	a.work.Go(func() {
		if in := job(a.working); in != nil {
			a.tell(in)
		}
	})
}

// Deliver implements Around: beside the loop, since sending waits while the
// producer's queue is full, and the loop has to take the acknowledgements that empty
// it.
func (a around) Deliver(e SendLetter) {
	a.work.Go(func() {
		a.Parts.Deliver(e.Letter, func(err error) { a.tell(Delivered{Letter: e.ID, Err: err}) })
	})
}

// Store implements Around.
func (a around) Store(next map[record.Partition]int64) error {
	if err := a.Group.Store(next); err != nil {
		a.Log.Warn().Err(err).Msg("store offsets; trying again")
		return fmt.Errorf("store offsets: %w", err)
	}
	return nil
}

// Commit implements Around. The client may wait for 45 s; nobody waits with it once
// ctx has ended.
func (a around) Commit(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- a.Group.Commit() }()
	select {
	case err := <-done:
		if err != nil {
			a.Log.Warn().Err(err).Msg("commit offsets; trying again")
			return fmt.Errorf("commit offsets: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("commit offsets: %w", ctx.Err())
	}
}

// Pause implements Around.
func (a around) Pause(e Pause) {
	err := a.Group.Pause(e.Partition)
	at(a.Log.Error().Err(err), e.Partition).Str("why", e.Why).Msg("partition paused")
}

// Resume implements Around.
func (a around) Resume(e Resume) {
	err := a.Group.Resume(e.Partition)
	at(a.Log.Info().Err(err), e.Partition).Msg("partition resumed")
}

func at(line *zerolog.Event, p record.Partition) *zerolog.Event {
	return line.Str("topic", p.Topic).Int32("partition", p.ID)
}

// Tell implements Around.
func (a around) Tell(e Effect) {
	switch e := e.(type) {
	case Stalled:
		a.Log.Error().Str("entity", string(e.Entity)).Str("reason", e.Reason).Str("opensearch", e.Words).
			Str("next", remedy(e.Reason)).Msg("the index takes nothing; trying on, nothing is lost")
	case Recovered:
		a.Log.Info().Str("entity", string(e.Entity)).Stringer("after", e.After.Round(time.Millisecond)).
			Msg("the index takes documents again")
	case Released:
		if e.Abandoned > 0 {
			a.Log.Warn().Int("events", e.Abandoned).
				Msg("the time to drain is over: what is not written is left to the next owner, who reads it again")
		}
		if e.Uncommitted {
			a.Log.Warn().Msg("commit offsets: no answer in time; the next owner repeats what was written since the last commit")
		}
	}
}

// bounded is a Writer whose requests end.
type bounded struct{ Writer }

// Write implements Writer.
func (b bounded) Write(ctx context.Context, opaqueID string, actions []index.Action) []index.Outcome {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return b.Writer.Write(ctx, opaqueID, actions)
}

// remedy says what an operator can do about a reason that an index takes nothing.
func remedy(reason string) string {
	switch reason {
	case index.ReasonAliasMissing, index.ReasonScriptMissing:
		return "run `indexer setup`"
	case index.ReasonAuth:
		return "check OPENSEARCH_USERNAME, OPENSEARCH_PASSWORD (or OPENSEARCH_CERT_FILE, OPENSEARCH_AWS_REGION) and the rights of that user"
	case index.ReasonTLS:
		return "check OPENSEARCH_CA_FILE, OPENSEARCH_CERT_FILE and how long the certificates are valid"
	case index.ReasonBlocked:
		return "lift the index's write block; OpenSearch sets one itself when its disk is full"
	case index.ReasonUnsafe:
		return "mend the template, then run `indexer setup` and let the aliases point to a new index"
	case ReasonFlood:
		return "mend the mapping, and it goes on by itself; if the events are at fault, set REJECTION_GUARD=0 to let them become dead letters, whose dlq.error has OpenSearch's words"
	case index.ReasonThrottled:
		return "none is needed if it passes; else give OpenSearch more nodes or memory"
	case index.ReasonNetwork, index.ReasonUnavailable:
		return "check OPENSEARCH_URLS and whether OpenSearch is up"
	}
	return "see what OpenSearch says, and its own log"
}
