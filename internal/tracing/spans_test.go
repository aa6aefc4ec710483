package tracing

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// recorded returns a Tracer, and its spans that have ended.
func recorded() (*Tracer, func() []sdk.ReadOnlySpan) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	return &Tracer{provider: provider, tracer: provider.Tracer("test")}, recorder.Ended
}

func value(span sdk.ReadOnlySpan, key string) string {
	for _, a := range span.Attributes() {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

// TestSpanOfARecord: its parent comes from its header, its times and attributes from
// what became of it, its link from the bulk request that ended it.
func TestSpanOfARecord(t *testing.T) {
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tracer, ended := recorded()
	_, bulk := tracer.tracer.Start(context.Background(), "bulk")
	tracer.writes.add(7, bulk.SpanContext())
	received := time.Now().Add(-time.Second)
	tracer.Observe(pipeline.Ending{
		Record: &record.Record{
			Partition: record.Partition{Topic: "post.created", ID: 3}, Offset: 9,
			Headers: []record.Header{{Key: "traceparent", Value: []byte(traceparent)}},
		},
		Event:  handlers.Event{ID: "e1", CorrelationID: "request-1", Type: "post.created"},
		Result: pipeline.Indexed, Received: received, Write: 7,
	})
	span := ended()[0]
	if got := span.Parent(); got.TraceID().String()+got.SpanID().String() != traceparent[3:35]+traceparent[36:52] || !got.IsRemote() {
		t.Errorf("parent %+v", got)
	}
	if !span.StartTime().Equal(received) || span.EndTime().Before(received) || span.SpanKind() != trace.SpanKindConsumer {
		t.Errorf("%s from %s to %s", span.SpanKind(), span.StartTime(), span.EndTime())
	}
	if links := span.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != bulk.SpanContext().SpanID() {
		t.Errorf("links %+v", links)
	}
	for key, want := range map[string]string{
		"messaging.destination.name": "post.created", "messaging.destination.partition.id": "3", "messaging.kafka.offset": "9",
		"messaging.message.conversation_id": "request-1", "messaging.message.id": "e1", "search_indexer.outcome": "indexed", "error.type": "",
	} {
		if got := value(span, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

// TestSpanOfADeadLetter has no parent, no link, and an error.
func TestSpanOfADeadLetter(t *testing.T) {
	tracer, ended := recorded()
	tracer.Observe(pipeline.Ending{Record: &record.Record{}, Result: pipeline.Dead, Reason: "invalid_json", Received: time.Now()})
	span := ended()[0]
	if span.Status().Code != codes.Error || value(span, "error.type") != "invalid_json" || span.Parent().IsValid() || len(span.Links()) > 0 {
		t.Errorf("status %+v, parent %+v, links %+v", span.Status(), span.Parent(), span.Links())
	}
}

// answers is a writer with the same outcomes for each request, that sees the span.
type answers struct {
	outcomes []index.Outcome
	span     trace.SpanContext
}

func (a *answers) Write(ctx context.Context, _ string, _ []index.Action) []index.Outcome {
	a.span = trace.SpanContextFromContext(ctx)
	return a.outcomes
}

func TestSpanOfABulkRequest(t *testing.T) {
	tracer, ended := recorded()
	next := &answers{outcomes: []index.Outcome{{Result: index.Written}, {Result: index.Written}, {Result: index.Retry, Reason: "throttled"}}}
	outcomes := tracer.Writer(next).Write(context.Background(), "request-1", make([]index.Action, 3))
	span := ended()[0]
	if len(outcomes) != 3 || next.span.SpanID() != span.SpanContext().SpanID() {
		t.Errorf("%d outcomes, called within span %s", len(outcomes), next.span.SpanID())
	}
	want := attribute.NewSet(
		attribute.String("db.system.name", "opensearch"), attribute.String("db.operation.name", "bulk"),
		attribute.Int("db.operation.batch.size", 3), attribute.String("search_indexer.entity", ""),
		attribute.String("search_indexer.opaque_id", "request-1"), attribute.Int("search_indexer.indexed", 2), attribute.Int("search_indexer.retry", 1))
	if got := attribute.NewSet(span.Attributes()...); !got.Equals(&want) {
		t.Errorf("attributes %s", got.Encoded(attribute.DefaultEncoder()))
	}
	if span.Status().Code != codes.Error || span.Status().Description != "throttled" {
		t.Errorf("status %+v", span.Status())
	}
}

// TestOnlyTheLatestWritesAreKnown: a record must not link to another's bulk request.
func TestOnlyTheLatestWritesAreKnown(t *testing.T) {
	var w writes
	of := func(n byte) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{n}})
	}
	w.add(1, of(1))
	w.add(1+writesKept, of(2))
	w.add(0, of(3)) // a write of no id, as a rebuild's
	for id, known := range map[uint64]bool{0: false, 1: false, 2: false, 1 + writesKept: true} {
		if _, ok := w.find(id); ok != known {
			t.Errorf("write %d is known: %v, want %v", id, ok, known)
		}
	}
}

func TestWanted(t *testing.T) {
	const endpoint, traces, exporter, disabled = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"
	for _, tt := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{endpoint: " "}, false},
		{map[string]string{endpoint: "http://collector:4318"}, true},
		{map[string]string{traces: "http://collector:4318/v1/traces"}, true},
		{map[string]string{exporter: "console"}, true},
		{map[string]string{exporter: "None", endpoint: "http://collector:4318"}, false},
		{map[string]string{disabled: "TRUE", endpoint: "http://collector:4318"}, false},
	} {
		lookup := func(name string) (string, bool) { text, set := tt.env[name]; return text, set }
		if got := wanted(lookup); got != tt.want {
			t.Errorf("%v: %v", tt.env, got)
		}
	}
	if tracer, err := Start(t.Context(), func(string) (string, bool) { return "", false }, "v"); tracer != nil || err != nil {
		t.Errorf("unasked: %v, %v", tracer, err)
	}
}
