package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/metadata"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

const (
	// maxBody is the largest body of a request; the largest the contract allows is a fraction of it.
	maxBody = 1 << 20

	// maxTarget is the longest path with query: 50 store ids, 50 agent ids and a page token fit.
	maxTarget = 8 << 10

	// maxHeaders is the most header bytes: a token of 8 KiB and what proxies add. The server itself reads twice that,
	// so that the refusal is ours and says why.
	maxHeaders = 32 << 10

	// deadline is how long one request may take in all. The services' own limits are shorter and answer first.
	deadline = 30 * time.Second
)

// Options are what a door is made of.
type Options struct {
	Backends       []Backend
	Verifier       *auth.Verifier // tells users apart for the rate limit; it refuses nobody
	Ready          *Readiness
	PublicBaseURL  *url.URL
	TrustedProxies []netip.Prefix
	Version        string
	Log            *slog.Logger
	Metrics        prometheus.Registerer
	Now            auth.Clock
}

// handler is everything behind the layers.
type handler struct {
	router   *runtime.ServeMux
	table    *table
	origin   *origin
	limits   *limits
	proxies  proxies
	backends []Backend
	ready    *Readiness
	access   *access
	pages    *pages
	version  string
	started  time.Time
	now      auth.Clock
}

// layer is one step of a request on its way in.
type layer struct {
	name string
	wrap func(http.Handler) http.Handler
}

// layers are in the order a request meets them.
func (h *handler) layers() []layer {
	return []layer{
		{"visit", h.beginVisit},
		{"access log", h.access.watch},
		{"recover", recoverPanic},
		{"headers", h.setHeaders},
		{"size", limitSize},
		{"alias", unalias},
		{"origin", func(next http.Handler) http.Handler { return h.origin.guard(h.table, next) }},
		{"rate", h.limitRate},
		{"deadline", limitTime},
		{"contract", reduce}, // from here on a request is what the contract knows of it
	}
}

// New makes the HTTP face of the given services.
func New(o Options) (http.Handler, error) {
	h, err := newHandler(o)
	if err != nil {
		return nil, err
	}
	return h.chain(), nil
}

// chain puts the layers around the router.
func (h *handler) chain() http.Handler {
	var chain http.Handler = h.router
	for _, l := range slices.Backward(h.layers()) {
		chain = l.wrap(chain)
	}
	return chain
}

func newHandler(o Options) (*handler, error) {
	h := &handler{proxies: o.TrustedProxies, backends: o.Backends, ready: o.Ready, version: o.Version, started: o.Now(), now: o.Now}
	var err error
	if h.origin, err = newOrigin(o.PublicBaseURL); err != nil {
		return nil, err
	}
	if h.limits, err = newLimits(o.Verifier, o.Now); err != nil {
		return nil, err
	}
	if h.access, err = newAccess(o.Log, o.Metrics, o.Now); err != nil {
		return nil, err
	}
	if h.pages, err = newPages(o.Version, h.origin.public); err != nil {
		return nil, err
	}
	return h, h.route()
}

// own is a path that the gateway answers itself.
type own struct {
	route
	serve http.HandlerFunc
}

func (h *handler) own() []own {
	page := func(pattern string, serve http.HandlerFunc) own {
		return own{route{method: http.MethodGet, pattern: pattern}, serve}
	}
	return []own{
		{route{method: http.MethodGet, pattern: "/api/v1/admin/system", query: parameters{}}, h.system},
		page("/healthz", h.healthy),
		page("/readyz", h.readiness),
		page("/", h.pages.landing),
		page("/docs", h.pages.docs),
		page("/openapi.json", h.pages.openapi),
		page("/pages/{file}", h.pages.asset),
	}
}

// route fills the router with the contract's paths and the gateway's own.
func (h *handler) route() error {
	h.router = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newJSON()),
		runtime.WithIncomingHeaderMatcher(forwardHeader),
		runtime.WithOutgoingHeaderMatcher(forwardNothing),
		runtime.WithOutgoingTrailerMatcher(forwardNothing),
		runtime.WithMetadata(callMetadata),
		runtime.WithErrorHandler(h.answerError),
		runtime.WithRoutingErrorHandler(h.answerRoutingError),
		runtime.WithForwardResponseOption(h.origin.moveToken),
		runtime.WithMiddlewares(h.judge),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithWriteContentLength(),
	)
	var routes []route
	for _, b := range h.backends {
		contract, err := contractRoutes(b.Contract)
		if err != nil {
			return fmt.Errorf("read the paths of %s: %w", b.Name, err)
		}
		routes = append(routes, contract...)
		if err := b.register(context.Background(), h.router, b.Conn); err != nil {
			return fmt.Errorf("register %s: %w", b.Name, err)
		}
	}
	for _, o := range h.own() {
		routes = append(routes, o.route)
		if err := h.router.HandlePath(o.method, o.pattern, func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
			o.serve(w, r)
		}); err != nil {
			return fmt.Errorf("register %s: %w", o.pattern, err)
		}
	}
	var err error
	h.table, err = newTable(routes)
	return err
}

// forwarded are the headers a request keeps on its way to the router; only the first two reach a service. What else a
// client sends (Cookie, X-Forwarded-For, Grpc-Metadata-…, Grpc-Timeout) ends here.
var forwarded = map[string]bool{
	"Authorization":   true,
	"Idempotency-Key": true,
	"Content-Type":    true, "Content-Encoding": true, // judged
	"Accept-Encoding": true, "If-None-Match": true, // for our own pages
}

func forwardHeader(name string) (string, bool) { return "idempotency-key", name == "Idempotency-Key" }

func forwardNothing(string) (string, bool) { return "", false }

const (
	// agentMetadata is how the name of the client's program reaches identity, for its list of sessions: "user-agent"
	// itself is gRPC's, and names the gateway.
	agentMetadata = "x-client-agent"

	// maxAgent is enough to tell a telephone from a computer.
	maxAgent = 256
)

// clientAgent is the User-Agent as far as it is printable ASCII, which metadata can carry, and no longer than shown.
func clientAgent(r *http.Request) string {
	agent := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.UserAgent())
	return strings.TrimSpace(agent[:min(len(agent), maxAgent)])
}

// callMetadata is what the gateway itself tells a service about a request.
func callMetadata(ctx context.Context, _ *http.Request) metadata.MD {
	v := visitOf(ctx)
	md := metadata.Pairs("x-request-id", v.requestID, "x-client-address", clientAddress(v))
	if v.agent != "" {
		md.Set(agentMetadata, v.agent)
	}
	if v.cookie != "" {
		md.Set(cookieMetadata, v.cookie)
	}
	return md
}

func clientAddress(v *visit) string {
	if !v.address.IsValid() {
		return ""
	}
	return v.address.String()
}
