package verify

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/document"
)

// suspectShare of the memory for the fold is what suspects may take. Where there are
// more, as with a group that is far behind, the log behind its commits is read anew
// for each lot of them.
const suspectShare = 4

func (p *pass) settleIfLarge(ctx context.Context) error {
	p.mu.Lock()
	large := p.bytes >= p.Fold.Memory/suspectShare
	p.mu.Unlock()
	if !large {
		return nil
	}
	return p.settle(ctx)
}

// settle judges the suspects by what may have been written to them, and mends them.
func (p *pass) settle(ctx context.Context) error {
	list := p.take()
	if len(list) == 0 {
		return nil
	}
	if err := p.gather(ctx, list); err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b *suspect) int { // batches came in any order
		return cmp.Or(cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.ID, b.ID))
	})
	wrong := p.judge(list)
	if len(wrong) == 0 {
		return nil
	}
	return p.mend(ctx, wrong)
}

// take returns the suspects, of which there are none then.
func (p *pass) take() []*suspect {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.suspects
	p.suspects, p.bytes = nil, 0
	return list
}

// judge adds what the suspects are to the findings, and returns those to be mended now.
func (p *pass) judge(list []*suspect) (wrong []*suspect) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range list {
		class, fields := p.rule.judge(s)
		p.findings.add(p.indices[s.Entity], s, class, fields)
		switch {
		case p.repair == nil || class == Right || class == Unknown:
		case !p.options.AcceptFewer && p.rule.isDoubtful(s):
			p.doubt(s.Key)
		default:
			wrong = append(wrong, s)
		}
	}
	return wrong
}

// gather reads, for each suspect, the events that may be in it. The end of the log is
// looked up after the suspects were read: no event can be in them that is behind it.
func (p *pass) gather(ctx context.Context, list []*suspect) error {
	p.rule.expired = time.Now().Add(-p.options.Retention).UnixMilli()
	byKey := make(map[document.Key]*suspect, len(list))
	for _, s := range list {
		byKey[s.Key] = s
	}
	if err := p.gatherLetters(ctx, byKey); err != nil {
		return err
	}
	tail, err := p.tail(ctx)
	if err != nil {
		return err
	}
	p.Display.Phase("read what came since", records(tail), "events")
	c := considering{pass: p, suspects: byKey}
	return c.all(ctx, tail)
}

// gatherLetters considers the events that have an open dead letter.
func (p *pass) gatherLetters(ctx context.Context, byKey map[document.Key]*suspect) error {
	var entries []*dlq.Entry
	for key, s := range byKey {
		if of := p.letters.entries[key]; len(of) > 0 {
			s.letter = true
			entries = append(entries, of...)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return p.Parts.Letters.Each(ctx, entries, func(e *dlq.Entry, l dlq.Letter) error {
		if _, change, rejection := p.Decoder.Decode(l.Record); rejection == nil {
			byKey[e.Document].consider(change.State.Unpack(), true, p.rule.expired)
		}
		return nil
	})
}
