// Package tracing tells an OpenTelemetry collector what became of each record and of
// each bulk request, as the standard OTEL_* variables say. It decides nothing, and
// where they are unset it is not there.
package tracing

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracer makes spans. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	writes   writes
}

// Start returns a Tracer that exports as the process's OTEL_* variables say, nil where
// they ask for no traces: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
// or OTEL_TRACES_EXPORTER turn them on. Lookup is where these are looked up. No
// collector needs to answer; an error means that a variable is wrong.
func Start(ctx context.Context, lookup func(string) (string, bool), version string) (*Tracer, error) {
	if !wanted(lookup) {
		return nil, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("export traces as OTEL_* say: %w", err)
	}
	// Attributes of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME come last and win.
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "search-indexer"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this process to the collector: %w", err)
	}
	// The sampler is that of OTEL_TRACES_SAMPLER. Spans that the collector does not
	// take in time are dropped: nobody waits for it.
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/search-indexer/search-indexer")}, nil
}

func wanted(lookup func(string) (string, bool)) bool {
	value := func(name string) string {
		text, _ := lookup(name)
		return strings.ToLower(strings.TrimSpace(text))
	}
	exporter := value("OTEL_TRACES_EXPORTER")
	if value("OTEL_SDK_DISABLED") == "true" || exporter == "none" {
		return false
	}
	return exporter != "" || value("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Close sends what is left, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}
