package index

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
	"go.opentelemetry.io/otel/propagation"

	"github.com/search-indexer/search-indexer/internal/document"
)

// shardTimeout is how long a node waits for a missing primary shard before it
// says so. Its default of a minute would hold up a whole bulk request for one
// shard.
const shardTimeout = 10 * time.Second

// Writer writes actions in bulk requests. It is safe for concurrent use.
type Writer struct {
	// Observe, where it is set before the first Write, is told of each request:
	// the size of its body and the time until its answer or failure. It is called
	// from many goroutines.
	Observe func(bytes int, took time.Duration)

	client         *Client
	create, update encoding
	firsts         firsts
}

// NewWriter returns a Writer that joins actions into the documents behind the
// write aliases.
func NewWriter(client *Client) *Writer {
	aliases := map[document.Entity]string{}
	for _, entity := range Entities() {
		aliases[entity] = client.names(entity).Write
	}
	return NewWriterTo(client, aliases)
}

// NewWriterTo is NewWriter through other aliases: one for each entity that it will
// be given. It keeps the map, which must not be changed any more.
func NewWriterTo(client *Client, aliases map[document.Entity]string) *Writer {
	return &Writer{
		client: client, firsts: firsts{there: map[kind]float64{}},
		create: creates(aliases), update: updates(aliases, client.script.id),
	}
}

// Write joins actions into their documents and returns exactly one outcome for each,
// in their order. opaqueID is sent as X-Opaque-Id, which OpenSearch puts in its slow
// logs and task lists.
//
// Actions that are probably the first of their document go as a create, the others
// as a script. Creates that find a document go again as scripts, in a second bulk
// request, and so do those that are refused: OpenSearch looks at the fields before it
// looks for the document, whose delete may have erased them. So what comes of an action
// is the same either way.
//
// A request that is refused as a whole with 400 or 413 is split in halves, one
// after the other, until the culprit stands alone. Nothing else is tried again
// here. An action may have been applied although its outcome is Retry; the join
// makes the repeat harmless.
func (w *Writer) Write(ctx context.Context, opaqueID string, actions []Action) []Outcome {
	guesses := w.firsts.guess(actions)
	outcomes := w.writeFirst(ctx, opaqueID, actions, guesses)
	var wrong []int
	var again []Action
	for i := range actions {
		if guesses[i] && (outcomes[i].Reason == ReasonConflict || outcomes[i].Result == Rejected) {
			wrong, again = append(wrong, i), append(again, actions[i])
		}
	}
	for i, out := range w.write(ctx, opaqueID, w.client.encode(again, w.update), again) {
		outcomes[wrong[i]] = out
	}
	return outcomes
}

// writeFirst writes actions as a create where the guess is that they are the first of
// their document, and as a script else.
func (w *Writer) writeFirst(ctx context.Context, opaqueID string, actions []Action, guesses []bool) []Outcome {
	b := w.client.newBody(actions)
	for i := range actions {
		if guesses[i] {
			b.add(w.create, &actions[i])
		} else {
			b.add(w.update, &actions[i])
		}
	}
	return w.write(ctx, opaqueID, b, actions)
}

// write sends a body, which is used up by that, and returns the outcomes of its
// actions. A create of a document that is there is a Retry for ReasonConflict.
func (w *Writer) write(ctx context.Context, opaqueID string, b *body, actions []Action) []Outcome {
	outcomes := make([]Outcome, len(actions))
	if len(actions) == 0 || w.send(ctx, opaqueID, b, actions, outcomes) {
		w.client.bodies.put(b)
	}
	return outcomes
}

// send sends a body or a part of it. It reports whether the server has read it all:
// else the transport may be sending it still, and it must not be changed.
func (w *Writer) send(ctx context.Context, opaqueID string, b *body, actions []Action, outcomes []Outcome) (read bool) {
	began := time.Now()
	got, err := w.client.send(ctx, bulkRequest(ctx, opaqueID, b))
	if w.Observe != nil {
		w.Observe(len(b.bytes()), time.Since(began))
	}
	switch {
	case err != nil:
		fill(outcomes, Outcome{Result: Retry, Reason: unanswered(err), Words: capped(err.Error())})
	case got.status < http.StatusMultipleChoices:
		return w.settle(got.body, actions, outcomes)
	case isSplittable(got.status) && b.count() > 1:
		half := b.count() / 2
		w.send(ctx, opaqueID, b.part(0, half), actions[:half], outcomes[:half])
		w.send(ctx, opaqueID, b.part(half, b.count()), actions[half:], outcomes[half:])
	default:
		fill(outcomes, refused(got.status, readFault(got.body)))
	}
	return false
}

// isSplittable tells the statuses of a whole request that one of its actions may
// have caused: a value that the parser refuses, or sheer size.
func isSplittable(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge
}

// settle reads outcomes from a bulk response and reports whether it could: one with
// an item for each action proves that the server has read them all, and one that
// can't be read says nothing of any action.
func (w *Writer) settle(response []byte, actions []Action, outcomes []Outcome) (read bool) {
	items, err := readItems(response, len(actions))
	if err != nil {
		fill(outcomes, Outcome{Result: Retry, Reason: ReasonNetwork, Words: capped(err.Error())})
		return false
	}
	for i, it := range items {
		outcomes[i] = it.outcome(actions[i].State.Head().Visible())
	}
	w.firsts.learn(actions, items)
	return true
}

func fill(outcomes []Outcome, with Outcome) {
	for i := range outcomes {
		outcomes[i] = with
	}
}

func bulkRequest(ctx context.Context, opaqueID string, b *body) opensearchapi.BulkRequest {
	requireAlias := true // else a missing alias would become an index without our mapping
	header := http.Header{"X-Opaque-Id": {headerText(opaqueID)}}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header)) // nothing where ctx has no span
	return opensearchapi.BulkRequest{
		Body:         bytes.NewReader(b.bytes()),
		RequireAlias: &requireAlias,
		Timeout:      shardTimeout,
		FilterPath:   bulkFilter(),
		Header:       header,
	}
}

// headerText returns what of s an HTTP header may hold. An id is whatever its
// publisher likes, and net/http sends no request at all with a control character.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}
