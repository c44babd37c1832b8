package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/obs"
)

// beginVisit notes what the other layers need and gives the request its id: the client's own when it is a plain one, so
// that a person can follow a call from the browser to the logs.
func (h *handler) beginVisit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{
			started: h.now(), method: r.Method, route: unrouted,
			requestID: requestID(r), address: h.proxies.client(r), cookie: readCookie(r), agent: clientAgent(r),
		}
		w.Header().Set("X-Request-Id", v.requestID)
		ctx := obs.WithRequestID(withVisit(r.Context(), v), v.requestID)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// requestID is the client's own when it is a plain one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); obs.PlainRequestID(id) {
		return id
	}
	return uuid.NewString()
}

// recoverPanic answers our bug as any other error. Once the answer has begun, breaking the connection is all that is
// left: half an answer must not look like a whole one.
func recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch crash := recover(); {
			case crash == nil:
			case aborted(crash) || written(w):
				panic(http.ErrAbortHandler)
			default:
				visitOf(r.Context()).cause = fmt.Errorf("panic: %v\n%s", crash, debug.Stack())
				refuse(w, r, crashed())
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func aborted(crash any) bool {
	err, ok := crash.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

func (h *handler) setHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.origin.headers(w.Header())
		next.ServeHTTP(w, r)
	})
}

// limitSize refuses what is too large before reading it, and a body that turns out too large while it is read.
func limitSize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case len(r.RequestURI) > maxTarget:
			refuse(w, r, addressTooLong())
		case headerBytes(r.Header) > maxHeaders:
			refuse(w, r, headersTooLarge())
		case r.ContentLength > maxBody:
			w.Header().Set("Connection", "close") // reading it to keep the connection would be the cost we refuse
			refuse(w, r, bodyTooLarge())
		default:
			r.Body = &limitedBody{http.MaxBytesReader(w, r.Body, maxBody), visitOf(r.Context())}
			next.ServeHTTP(w, r)
		}
	})
}

// limitedBody notes that the limit was met: generated code keeps only the text of what a body's reader answers.
type limitedBody struct {
	io.ReadCloser
	visit *visit
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		b.visit.bodyTooLarge = true
	}
	return n, err
}

func headerBytes(header http.Header) (size int) {
	for name, values := range header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}

// limitRate lets probes pass: an orchestrator that is refused restarts a healthy process.
func (h *handler) limitRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isProbe(r.URL.Path) {
			v := visitOf(r.Context())
			user, wait := h.limits.admit(r, v.address)
			v.user = user
			if wait > 0 {
				refuse(w, r, tooManyRequests(wait))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" }

func limitTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), deadline)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// adminAlias is the original documentation's spelling of the admin paths; every one is also under /api/v1.
const adminAlias = "/api/admin/"

// unalias gives a path its one spelling, before anybody asks whether there is such a path.
func unalias(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, adminAlias); ok {
			renamed := r.WithContext(r.Context())
			path := *r.URL
			path.Path, path.RawPath = "/api/v1/admin/"+rest, ""
			renamed.URL = &path
			r = renamed
		}
		next.ServeHTTP(w, r)
	})
}

// reduce makes of a request what the router may see: GET for HEAD (net/http keeps the body
// back), the headers of the allow-list, and no host or peer address, which the router would forward as metadata.
func reduce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if keys := r.Header.Values("Idempotency-Key"); !oneKey(keys) {
			refuse(w, r, wrongIdempotencyKey())
			return
		}
		reduced := r.WithContext(r.Context())
		reduced.Header = http.Header{}
		for name := range forwarded {
			if value := r.Header.Get(name); value != "" {
				reduced.Header.Set(name, value)
			}
		}
		reduced.Host, reduced.RemoteAddr = "", ""
		if r.Method == http.MethodHead {
			reduced.Method = http.MethodGet
		}
		next.ServeHTTP(w, reduced)
	})
}

// maxIdempotencyKey is the contract's limit for a request id.
const maxIdempotencyKey = 64

// oneKey says whether the keys of a request are none or a good one. To drop a bad one in silence would let a client that
// relies on it write twice.
func oneKey(keys []string) bool {
	if len(keys) == 0 {
		return true
	}
	unprintable := func(c rune) bool { return c < ' ' || c > '~' }
	return len(keys) == 1 && keys[0] != "" && len(keys[0]) <= maxIdempotencyKey && strings.IndexFunc(keys[0], unprintable) < 0
}

// judge runs once the route is known: it notes it, and refuses what the contract has no place for.
func (h *handler) judge(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, variables map[string]string) {
		pattern, _ := runtime.HTTPPattern(r.Context())
		matched, ok := h.table.find(r.Method, pattern)
		if !ok { // a route that the table does not know would go unjudged
			refuse(w, r, crashed())
			return
		}
		visitOf(r.Context()).route = matched.pattern
		for _, value := range variables {
			if value == "" { // the router lets /orders/ be the order called ""
				refuse(w, r, unknownPath())
				return
			}
			if !utf8.ValidString(value) {
				refuse(w, r, malformedPath())
				return
			}
		}
		if what := contentTypeProblem(r); what != "" {
			refuse(w, r, wrongContentType(what))
			return
		}
		if matched.query != nil {
			query, err := url.ParseQuery(r.URL.RawQuery)
			if err != nil {
				refuse(w, r, malformedQuery())
				return
			}
			if faults := matched.query.check(query); len(faults) > 0 {
				refuse(w, r, wrongQuery(faults))
				return
			}
		}
		body, err := bufferBody(r)
		if err != nil {
			refuseBody(w, r)
			return
		}
		if faults := matched.body.check(body); len(faults) > 0 {
			refuse(w, r, wrongBody(faults))
			return
		}
		preferBody(body, visitOf(r.Context()))
		next(w, r, variables)
	}
}

// refuseBody answers a body that could not be read to its end.
func refuseBody(w http.ResponseWriter, r *http.Request) {
	if visitOf(r.Context()).bodyTooLarge {
		refuse(w, r, bodyTooLarge())
		return
	}
	refuse(w, r, unspoken(codes.InvalidArgument, "body: it could not be read to its end"))
}

func isJSON(contentType string) bool {
	media, parameters, err := mime.ParseMediaType(contentType)
	charset := parameters["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}
