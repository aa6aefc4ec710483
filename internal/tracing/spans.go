package tracing

import (
	"context"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Observe makes the span of a record that has ended, from its arrival on. Its parent
// is that of the record's traceparent header; it links to the span of the bulk request
// that ended it, as that one is of many records. Names are those of OpenTelemetry's
// conventions for messaging.
func (t *Tracer) Observe(e pipeline.Ending) {
	ctx := propagation.TraceContext{}.Extract(context.Background(), headers{e.Record})
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(e.Received),
		trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.destination.name", e.Record.Topic),
			attribute.Int("messaging.destination.partition.id", int(e.Record.ID)),
			attribute.Int64("messaging.kafka.offset", e.Record.Offset),
			attribute.String("messaging.message.conversation_id", e.Event.CorrelationID),
			attribute.String("messaging.message.id", e.Event.ID),
			attribute.String("search_indexer.event_type", e.Event.Type),
			attribute.String("search_indexer.outcome", string(e.Result)),
		),
	}
	if bulk, ok := t.writes.find(e.Write); ok {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: bulk}))
	}
	_, span := t.tracer.Start(ctx, "process "+e.Record.Topic, options...)
	if e.Result == pipeline.Dead {
		span.SetAttributes(attribute.String("error.type", e.Reason))
		span.SetStatus(codes.Error, e.Reason)
	}
	span.End()
}

// Writer returns next with a span around each bulk request, which OpenSearch learns of
// by the traceparent header.
func (t *Tracer) Writer(next pipeline.Writer) pipeline.Writer { return writer{t, next} }

type writer struct {
	*Tracer
	next pipeline.Writer
}

// Write implements [pipeline.Writer].
func (w writer) Write(ctx context.Context, opaqueID string, actions []index.Action) []index.Outcome {
	ctx, span := w.tracer.Start(ctx, "bulk", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "opensearch"),
		attribute.String("db.operation.name", "bulk"),
		attribute.Int("db.operation.batch.size", len(actions)),
		attribute.String("search_indexer.entity", string(actions[0].Entity)),
		attribute.String("search_indexer.opaque_id", opaqueID),
	))
	defer span.End()
	w.writes.add(pipeline.WriteID(ctx), span.SpanContext())
	outcomes := w.next.Write(ctx, opaqueID, actions)
	counts := map[string]int{}
	for _, out := range outcomes {
		counts[strings.ToLower(out.Result.String())]++
		if out.Result == index.Retry {
			span.SetStatus(codes.Error, out.Reason)
		}
	}
	for result, n := range counts {
		span.SetAttributes(attribute.Int("search_indexer."+result, n))
	}
	return outcomes
}

// writesKept is how many bulk requests are remembered, for the records that they end.
const writesKept = 256

// writes are the spans of the latest bulk requests, by their ids.
type writes struct {
	mu   sync.Mutex
	span [writesKept]struct {
		id      uint64
		context trace.SpanContext
	}
}

func (w *writes) add(id uint64, of trace.SpanContext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	place := &w.span[id%writesKept]
	place.id, place.context = id, of
}

func (w *writes) find(id uint64) (trace.SpanContext, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	place := &w.span[id%writesKept]
	return place.context, id != 0 && place.id == id
}

// headers are those of a record, to be read only.
type headers struct{ record *record.Record }

// Get implements [propagation.TextMapCarrier].
func (h headers) Get(key string) string {
	value, _ := h.record.Header(key)
	return string(value)
}

// Set implements [propagation.TextMapCarrier]; a record is never changed.
func (headers) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (h headers) Keys() []string {
	keys := make([]string, len(h.record.Headers))
	for i, one := range h.record.Headers {
		keys[i] = one.Key
	}
	return keys
}
