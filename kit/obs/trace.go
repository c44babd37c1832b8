package obs

import (
	"context"
	"fmt"
	"net/url"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/libertaphonix/libertaphonix/kit/run"
)

func noTracing() trace.TracerProvider { return noop.NewTracerProvider() }

// startTracing exports spans in the background; a collector that is down costs dropped
// spans and nothing else. http:// means plaintext and https:// means TLS, as the
// OpenTelemetry specification has it.
func startTracing(ctx context.Context, g *run.Group, name, endpoint string) (trace.TracerProvider, error) {
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL like http://collector:4317", endpoint)
	}
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", name),
			attribute.String("service.version", run.VersionText()),
		)),
	)
	g.OnStop("traces", provider.Shutdown)
	return provider, nil
}
