package ecomanagersim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serveDamaged answers a call as the faults that struck it want. The right answer is made first, so that what is damaged is real.
func (s *Server) serveDamaged(w http.ResponseWriter, r *http.Request, c *call) {
	if f, late := struckBy(c.struck, FaultSlow); late && !s.hold(r, time.Duration(f.By)) {
		return
	}
	if _, silent := struckBy(c.struck, FaultNoDate); silent {
		w.Header()["Date"] = nil // so does net/http know that none is wanted
	}
	if f, off := struckBy(c.struck, FaultClockOff); off {
		w.Header().Set("Date", s.cfg.Clock().Add(time.Duration(f.By)).UTC().Format(http.TimeFormat))
	}
	whole := &recording{header: w.Header(), status: http.StatusOK}
	for _, f := range c.struck {
		if !f.Kind.answers() {
			continue
		}
		switch f.Kind { //nolint:exhaustive // the others do not answer
		case FaultStatus:
			f.refuse(w)
			return
		case FaultRedirect:
			w.Header().Set("Location", cmp.Or(f.To, strings.TrimSuffix(c.root, apiRoot)+"/login"))
			htmlPage(w, cmp.Or(f.Status, http.StatusFound), "Redirecting")
			return
		case FaultHang:
			s.hold(r, 0)
			panic(http.ErrAbortHandler) // ends the connection without a word
		case FaultWrongShape:
			if targetOf(c.path) == Reading {
				answer(w, http.StatusOK, []string{"order"})
				return
			}
			answer(w, http.StatusOK, struct {
				Data map[string]string `json:"data"`
				Meta []string          `json:"meta"`
			}{map[string]string{"message": "Maintenance"}, []string{}})
			return
		case FaultTruncate:
			s.serveRoute(whole, r, c)
			w.WriteHeader(whole.status)
			whole.half(w)
			return
		case FaultCut, FaultReset, FaultStall:
			s.serveRoute(whole, r, c)
			w.Header().Set("Content-Length", strconv.Itoa(whole.body.Len()))
			w.WriteHeader(whole.status)
			whole.half(w)
			s.breakOff(w, r, f.Kind)
			return
		}
	}
	s.serveRoute(w, r, c)
}

// refuse answers a status in the voice of who would send it.
func (f Fault) refuse(w http.ResponseWriter) {
	status := cmp.Or(f.Status, http.StatusInternalServerError)
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch {
	case status >= 500:
		htmlPage(w, status, strconv.Itoa(status)+" "+http.StatusText(status))
	case status == http.StatusUnauthorized:
		complain(w, status, "Unauthenticated.")
	case status == http.StatusTooManyRequests:
		complain(w, status, "Too Many Attempts.")
	default:
		complain(w, status, http.StatusText(status))
	}
}

// breakOff ends an answer in its middle.
func (s *Server) breakOff(w http.ResponseWriter, r *http.Request, kind FaultKind) {
	out := http.NewResponseController(w)
	_ = out.Flush() // a caller that is gone already has what it gets
	if kind == FaultStall {
		s.hold(r, 0)
	}
	if kind == FaultReset {
		if conn, _, err := out.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // closing then sends RST
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler) // closes a connection that is owed more bytes
}

// hold keeps a request waiting, for ever with zero, and answers false when its caller or the simulator left meanwhile.
func (s *Server) hold(r *http.Request, by time.Duration) bool {
	var over <-chan time.Time
	if by > 0 {
		timer := time.NewTimer(by)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return true
	case <-r.Context().Done():
	case <-s.closing:
	}
	return false
}

// recording keeps an answer, so that a part of it can be sent.
type recording struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recording) Header() http.Header         { return w.header }
func (w *recording) WriteHeader(status int)      { w.status = status }
func (w *recording) Write(b []byte) (int, error) { return w.body.Write(b) }

func (w *recording) half(to http.ResponseWriter) {
	_, _ = to.Write(w.body.Bytes()[:w.body.Len()/2]) // the caller went away
}

// row is an order on its way out, perhaps one nobody can read.
type row struct {
	wireOrder
	broken bool
}

// MarshalJSON writes the order, or a thing with an order's number and nothing else that fits.
func (o row) MarshalJSON() ([]byte, error) {
	if !o.broken {
		return plainJSON(o.wireOrder)
	}
	return json.Marshal(struct {
		ID        int64            `json:"id"`
		Reference map[string]bool  `json:"reference"`
		Items     string           `json:"items"`
		Total     []string         `json:"total"`
		UpdatedAt optional[string] `json:"updated_at"`
	}{o.ID, map[string]bool{"broken": true}, "none", []string{"much"}, o.UpdatedAt})
}

// plainJSON encodes as the vendor does, without escaping what only HTML minds.
func plainJSON[T any](v T) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// breaks tells whether a row is to be shown broken: the one the fault names, or the first.
func breaks(struck []Fault, id int64, position int) bool {
	return slices.ContainsFunc(struck, func(f Fault) bool {
		return f.Kind == FaultBadRow && (f.Order == id || f.Order == 0 && position == 0)
	})
}
