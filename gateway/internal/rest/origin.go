package rest

import (
	"net/http"
	"net/url"
	"strings"
)

// origin guards the browser's side of the door: which pages may call, and what a browser may do with an answer.
type origin struct {
	public string // scheme://host[:port] of PUBLIC_BASE_URL
	https  bool
	cross  *http.CrossOriginProtection
}

func newOrigin(publicBaseURL *url.URL) (*origin, error) {
	o := &origin{
		public: publicBaseURL.Scheme + "://" + publicBaseURL.Host,
		https:  publicBaseURL.Scheme == "https",
		cross:  http.NewCrossOriginProtection(),
	}
	return o, o.cross.AddTrustedOrigin(o.public)
}

const (
	// apiPolicy is for answers that are data: nothing in them may run, load or be framed.
	apiPolicy = "default-src 'none'; frame-ancestors 'none'"

	// pagePolicy is for our own pages: everything comes from here and no script stands in the page itself. Swagger UI
	// draws its icons from data: URLs.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

// headers sets what every answer carries; pages replace the policy and the caching.
func (o *origin) headers(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Content-Security-Policy", apiPolicy)
	header.Set("Cache-Control", "no-store")
	if o.https {
		header.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}

// guard answers what concerns browsers alone: preflights, and writes from pages of another origin, which no client of
// ours makes and which could ride on the login cookie. Programs send no Origin and are let through.
func (o *origin) guard(table *table, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := r.Header.Get("Origin")
		w.Header().Add("Vary", "Origin")
		if from == o.public {
			w.Header().Set("Access-Control-Allow-Origin", o.public)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After")
		}
		if r.Method != http.MethodOptions {
			if err := o.cross.Check(r); err != nil {
				refuse(w, r, foreignOrigin())
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		allowed := table.allowed(r)
		switch {
		case len(allowed) == 0:
			refuse(w, r, unknownPath())
		case from != "" && from != o.public:
			refuse(w, r, foreignOrigin())
		default:
			methods := strings.Join(append(allowed, http.MethodOptions), ", ")
			w.Header().Set("Allow", methods)
			if from != "" {
				w.Header().Set("Access-Control-Allow-Methods", methods)
				w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, X-Request-Id")
				w.Header().Set("Access-Control-Max-Age", "600")
			}
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
