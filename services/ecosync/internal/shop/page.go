// Package shop holds the nouns of an EcoManager shop: orders, pages, places in
// a listing and the faults a shop can answer with.
//
// It owns the vocabulary that the client (internal/ecomanager) speaks and the
// engine (internal/pass) understands. It does no I/O and knows neither JSON nor
// HTTP. Start reading at Page.
package shop

import (
	"fmt"
	"slices"
	"time"
)

// Page is one answer of the listing: rows in the order the shop sent them.
type Page struct {
	Rows []Row
	// Next is the cursor of the page below; its zero value is the end of data.
	// A short page says nothing about the end (quirk Q2).
	Next Cursor
	// Date is the shop's own clock, from the response header; zero when absent
	// or unreadable.
	Date time.Time
	// SentAt is when the request left, by our clock: the observation time of
	// every row in the page, never compared with a shop's time.
	SentAt time.Time
}

// Row is one element of a page: an order, or a problem with the reason why it
// is none. One bad row never spoils its page.
type Row struct {
	// Order is nil when the row could not be decoded.
	Order *Order
	// Problem is nil when it could.
	Problem *Problem
	// Raw is the row's JSON, byte for byte. It is kept so that a row which
	// cannot be read today can be read again by a later release (lesson P13).
	Raw []byte
}

// Cursor is the shop's bookmark between two pages.
type Cursor struct {
	// Token is sent back unchanged.
	Token string
	// Decoded says that the token could be read; a token that cannot is used
	// all the same, since the contract calls it opaque.
	Decoded bool
	// At and ID are the sort columns of the last row of the page; At is zero in
	// a listing sorted by id alone.
	At time.Time
	ID int64
	// TieBreak is false when the cursor names updated_at and no second column:
	// such a shop loses rows of one second at page edges.
	TieBreak bool
}

// End tells the end of data.
func (c Cursor) End() bool { return c.Token == "" }

// Key is a place in a listing sorted by last change, then by id.
type Key struct {
	At time.Time
	ID int64
}

// Compare orders keys by time, then id: negative when k is older.
func (k Key) Compare(other Key) int {
	if c := k.At.Compare(other.At); c != 0 {
		return c
	}
	switch {
	case k.ID < other.ID:
		return -1
	case k.ID > other.ID:
		return 1
	}
	return 0
}

func (k Key) String() string {
	return fmt.Sprintf("%s/%d", k.At.UTC().Format(time.RFC3339), k.ID)
}

// Access is what a request to a shop needs.
type Access struct {
	// BaseURL is the API root as normalised when the store was saved.
	BaseURL string
	// Token decides which shop's orders are answered (not the URL).
	Token Token
	// Zone reads the shop's zone-less times.
	Zone *time.Location
}

// Token is a shop's API token. It prints as stars.
type Token string

// Reveal gives the token itself; only the client and the vault may ask.
func (t Token) Reveal() string { return string(t) }

func (Token) String() string { return "***" }

// GoString keeps the token out of %#v.
func (Token) GoString() string { return "***" }

// MarshalText keeps the token out of JSON and structured logs.
func (Token) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Prefixes lists the reference prefixes of a page, each once, in the order they
// appear.
func Prefixes(rows []Row) []string {
	var found []string
	for _, row := range rows {
		if row.Order == nil {
			continue
		}
		if p := row.Order.Prefix(); p != "" && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return found
}
