package simulate

import (
	"context"
	"strings"

	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Deliver implements pipeline.Around.
func (p *process) Deliver(e pipeline.SendLetter) {
	p.world.letters.send(e.Letter, func(err error) {
		p.awake(func() { p.take(pipeline.Delivered{Letter: e.ID, Err: err}) })
	})
}

// Store implements pipeline.Around.
func (p *process) Store(next map[record.Partition]int64) error { return p.member.store(next) }

// Commit implements pipeline.Around.
func (p *process) Commit(ctx context.Context) error {
	err := errBroker
	if !await(ctx, func(resume func()) {
		p.member.commit(func(answer error) { err = answer; resume() })
	}) {
		return ctx.Err()
	}
	return err
}

// Pause implements pipeline.Around.
func (p *process) Pause(e pipeline.Pause) {
	p.world.say(p.name, "pauses %s: %s", e.Partition, e.Why)
	p.world.checks.count("paused")
	if refusedAndGone(e.Why) {
		p.world.checks.count("refused records lost")
	}
	if c := p.member.owned[e.Partition]; c != nil {
		c.paused = true
	}
}

// refusedAndGone tells why a partition is paused whose record can't be read again.
func refusedAndGone(why string) bool { return strings.Contains(why, "OpenSearch refuses") }

// Resume implements pipeline.Around.
func (p *process) Resume(e pipeline.Resume) {
	p.world.say(p.name, "resumes %s", e.Partition)
	if c := p.member.owned[e.Partition]; c != nil {
		c.paused = false
	}
}

// Tell implements pipeline.Around.
func (p *process) Tell(e pipeline.Effect) {
	switch e := e.(type) {
	case pipeline.Released:
		p.world.checks.handedOver(p, e)
	case pipeline.Stalled:
		p.world.checks.count("stalled " + e.Reason)
		p.world.say(p.name, "stalled: %s", e.Reason)
	case pipeline.Recovered:
		p.world.say(p.name, "recovered after %s", e.After)
	}
}
