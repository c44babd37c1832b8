// Package ecomanager speaks the shop API of EcoManager: the client and the
// tolerant decoder.
//
// It owns the wire: paths, parameters, headers, limits of size and time, and
// every quirk of the payload. Its wire types stay unexported; it answers in the
// nouns and faults of internal/shop. It keeps no state, does not retry and does
// not pace: there is one policy for both, in internal/pass (lesson P11). Start
// reading at Client.Orders, then decodeRow.
package ecomanager

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

const (
	// PerPage is the largest page the shop gives (upstream contract 1.4).
	PerPage = 100
	// Timeout bounds one request from dial to last byte (1.12).
	Timeout = 30 * time.Second
	// ProbeTimeout bounds a connection test, for which a person waits.
	ProbeTimeout = 10 * time.Second
	// MaxAnswer bounds an answer. A page of a hundred orders is about 150 KB; what
	// is a dozen times that is no page. 64 stores hold two pages each.
	MaxAnswer = 2 << 20
)

// Client reads shops. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	now       func() time.Time
	userAgent string
}

// New makes a client on a transport, which decides what may be dialled (see
// internal/dialguard). now stamps the moment a request leaves.
func New(transport http.RoundTripper, now func() time.Time, userAgent string) *Client {
	return &Client{
		http: &http.Client{
			Transport: transport,
			// A redirect could lead the token to another host, or us into our
			// own network (DESIGN 9).
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now:       now,
		userAgent: userAgent,
	}
}

// Orders reads the page that begins at the cursor, newest change first; an
// empty cursor is the first page. Every error is a *shop.Fault, or the
// context's when the caller ended it.
func (c *Client) Orders(ctx context.Context, a shop.Access, cursor string) (shop.Page, error) {
	return c.page(ctx, a, PerPage, byChange, cursor, Timeout)
}

// OrdersByID is Orders by id, newest first.
func (c *Client) OrdersByID(ctx context.Context, a shop.Access, cursor string) (shop.Page, error) {
	return c.page(ctx, a, PerPage, byID, cursor, Timeout)
}

// Probe asks for one small page, to learn whether address and token are good
// and which references the shop shows.
func (c *Client) Probe(ctx context.Context, a shop.Access) (shop.Page, error) {
	const few = 10 // enough to see the reference prefix of a shop that has several
	return c.page(ctx, a, few, byChange, "", ProbeTimeout)
}

// Order reads one order, whose body is the bare object. A row that cannot be
// decoded is an answer with a Problem, as in a page.
func (c *Client) Order(ctx context.Context, a shop.Access, id int64) (shop.Row, error) {
	u, err := url.Parse(a.BaseURL)
	if err != nil {
		return shop.Row{}, shop.NewFault(shop.Unreachable, 0, err)
	}
	body, _, err := c.get(ctx, u.JoinPath("orders", strconv.FormatInt(id, 10)).String(), a.Token, Timeout)
	if err != nil {
		return shop.Row{}, err
	}
	if !json.Valid(body) {
		return shop.Row{}, shop.NewFault(shop.WrongShape, 0, errNotJSON)
	}
	return decodeRow(body, a.Zone), nil
}

func (c *Client) page(ctx context.Context, a shop.Access, perPage int, sort sorting, cursor string, limit time.Duration) (shop.Page, error) {
	address, err := listing(a.BaseURL, strconv.Itoa(perPage), sort, cursor)
	if err != nil {
		return shop.Page{}, shop.NewFault(shop.Unreachable, 0, err)
	}
	sent := c.now()
	body, header, err := c.get(ctx, address, a.Token, limit)
	if err != nil {
		return shop.Page{}, err
	}
	page, err := decodePage(body, a.Zone)
	if err != nil {
		return shop.Page{}, err
	}
	page.SentAt = sent
	// An unreadable Date is the zero time: the engine then has no shop's clock
	// and says so.
	page.Date, _ = http.ParseTime(header.Get("Date"))
	return page, nil
}

// get sends one request. Its errors are faults, or the caller's own cancellation.
func (c *Client) get(ctx context.Context, address string, token shop.Token, limit time.Duration) ([]byte, http.Header, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	body, header, err := c.roundTrip(limited, address, token)
	if err != nil && ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	return body, header, err
}

func (c *Client) roundTrip(ctx context.Context, address string, token shop.Token) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, nil, shop.NewFault(shop.Unreachable, 0, err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	// Without it a 401 is an HTML redirect to a login page (1.2).
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, transportFault(err)
	}
	defer resp.Body.Close()
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if fault := statusFault(resp, body); fault != nil {
		return nil, nil, fault
	}
	if readErr != nil {
		return nil, nil, transportFault(readErr)
	}
	if len(body) > MaxAnswer {
		return nil, nil, shop.NewFault(shop.TooLarge, resp.StatusCode, nil)
	}
	return body, resp.Header, nil
}

// statusFault judges the status line. nil means 200.
func statusFault(resp *http.Response, body []byte) error {
	code := resp.StatusCode
	switch {
	case code == http.StatusOK:
		return nil
	case code == http.StatusUnauthorized:
		return shop.NewFault(shop.Unauthorised, code, nil)
	case code == http.StatusForbidden:
		return shop.NewFault(shop.Forbidden, code, nil)
	case code == http.StatusNotFound && isJSON(resp, body):
		return shop.NewFault(shop.NotFound, code, nil)
	case code == http.StatusNotFound:
		return shop.NewFault(shop.WrongShape, code, errNotJSON)
	case code == http.StatusTooManyRequests:
		f := shop.NewFault(shop.RateLimited, code, nil)
		f.RetryAfter = retryAfter(resp.Header)
		return f
	case code >= 300 && code < 400:
		return shop.NewFault(shop.Redirected, code, nil)
	case code >= 500:
		f := shop.NewFault(shop.ServerError, code, nil)
		f.RetryAfter = retryAfter(resp.Header)
		return f
	case code < 300:
		return shop.NewFault(shop.WrongShape, code, nil)
	}
	return shop.NewFault(shop.Refused, code, nil)
}

// retryAfter reads seconds or an HTTP date; RetryAfterUnknown when absent. A
// date is held against the shop's own clock, since ours may differ.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return shop.RetryAfterUnknown
	}
	if seconds, err := strconv.Atoi(v); err == nil && seconds >= 0 {
		// A day bounds what a broken header can do to a schedule.
		return time.Duration(min(seconds, 86_400)) * time.Second
	}
	until, err := http.ParseTime(v)
	if err != nil {
		return shop.RetryAfterUnknown
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return shop.RetryAfterUnknown
	}
	return min(max(until.Sub(now), 0), 24*time.Hour)
}

func isJSON(resp *http.Response, body []byte) bool {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json")) && kind(body) == '{'
}

// transportFault names why no complete answer came. The cause stays inside for
// errors.Is; its text quotes the URL.
func transportFault(err error) error {
	var fault *shop.Fault
	var network net.Error
	switch {
	case errors.As(err, &fault): // the dial guard's own word
		return fault
	case errors.Is(err, io.ErrUnexpectedEOF):
		return shop.NewFault(shop.Truncated, 0, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return shop.NewFault(shop.TimedOut, 0, err)
	}
	return shop.NewFault(shop.Unreachable, 0, err)
}
