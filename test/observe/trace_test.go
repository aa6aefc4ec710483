package observe

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector that takes traces by OTLP over HTTP.
type receiver struct {
	url   string
	mu    sync.Mutex
	spans []*trace.Span
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body := io.Reader(request.Body)
		if request.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		text, err := io.ReadAll(body)
		var export collector.ExportTraceServiceRequest
		if err != nil || request.URL.Path != "/v1/traces" || proto.Unmarshal(text, &export) != nil {
			t.Errorf("%s %s: %v", request.URL.Path, request.Header.Get("Content-Type"), err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, resource := range export.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				r.spans = append(r.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// find returns the span with an attribute.
func (r *receiver) find(key, value string) *trace.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, span := range r.spans {
		if attribute(span, key) == value {
			return span
		}
	}
	return nil
}

func attribute(span *trace.Span, key string) string {
	for _, a := range span.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// TestOneEventIsFoundEverywhere follows events by their correlation ids: into lines of
// the log, requests to OpenSearch, dead letters and traces.
func TestOneEventIsFoundEverywhere(t *testing.T) {
	const (
		traceID, parentID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
		header            = `"headers":{"traceparent":"00-` + traceID + `-` + parentID + `-01"}`
	)
	c, r := newCrew(t), newReceiver(t)
	w := c.start("OTEL_EXPORTER_OTLP_ENDPOINT="+r.url, "OTEL_BSP_SCHEDULE_DELAY=200", "BULK_CONCURRENCY=1")
	c.publish(`{"topic":"post.created",` + header + `,"value":{"event_id":"good","correlation_id":"request-good","data":{"post_id":"1","title":"t"}}}`)
	c.eventually("the good event", func() bool { return w.status().Outcomes["indexed"] == 1 })
	c.publish(`{"topic":"post.created",` + header + `,"value":{"event_id":"bad","correlation_id":"request-bad","version":"no","data":{"post_id":"2"}}}`)
	c.eventually("the letter", func() bool { return w.status().Outcomes["dead"] == 1 })

	if !c.search.sawOpaqueID("request-good") {
		t.Error("no bulk request had the correlation id as X-Opaque-Id")
	}
	logged(t, w.log, "request-good", "indexed")
	logged(t, w.log, "request-bad", "dead")
	if letters := c.must("", "dlq", "list", "--json"); !strings.Contains(letters, `"request-bad"`) {
		t.Errorf("the letter does not have the correlation id: %s", letters)
	}

	var good, bad, bulk *trace.Span
	c.eventually("the spans", func() bool {
		good = r.find("messaging.message.conversation_id", "request-good")
		bad = r.find("messaging.message.conversation_id", "request-bad")
		bulk = r.find("search_indexer.opaque_id", "request-good")
		return good != nil && bad != nil && bulk != nil
	})
	for _, span := range []*trace.Span{good, bad} {
		if got := hex.EncodeToString(span.GetTraceId()) + "/" + hex.EncodeToString(span.GetParentSpanId()); got != traceID+"/"+parentID {
			t.Errorf("span %s belongs to %s", span.GetName(), got)
		}
		if span.GetStartTimeUnixNano() > span.GetEndTimeUnixNano() || span.GetStartTimeUnixNano() == 0 {
			t.Errorf("span %s lasts from %d to %d", span.GetName(), span.GetStartTimeUnixNano(), span.GetEndTimeUnixNano())
		}
	}
	if got := attribute(bad, "search_indexer.outcome") + " " + attribute(bad, "error.type"); got != "dead invalid_version" {
		t.Errorf("the bad event ended as %q", got)
	}
	if links := good.GetLinks(); len(links) != 1 || !bytes.Equal(links[0].GetSpanId(), bulk.GetSpanId()) {
		t.Errorf("the good event links to %v, not to its bulk request", links)
	}
	if !c.search.sawTrace(hex.EncodeToString(bulk.GetTraceId())) {
		t.Error("OpenSearch did not learn of the trace")
	}
}

// logged fails the test where no line of the log has the correlation id and status.
func logged(t *testing.T, path, correlationID, status string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var said struct {
			CorrelationID string `json:"correlation_id"`
			Status        string `json:"status"`
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.CorrelationID == correlationID && said.Status == status {
			return
		}
	}
	t.Errorf("no line of the log has %s with %s", correlationID, status)
}

func TestNoTracesUnlessAskedFor(t *testing.T) {
	for _, settings := range [][]string{
		nil, {"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"}, {"OTEL_TRACES_EXPORTER=none"},
	} {
		c := newCrew(t)
		w := c.start(settings...)
		c.publish(updates(1, 1)...)
		c.eventually("the event", func() bool { return w.status().Outcomes["indexed"] == 1 })
		if c.search.sawTrace("") {
			t.Errorf("%q: OpenSearch was told of a trace", settings)
		}
	}
}
