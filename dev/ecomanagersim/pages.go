package ecomanagersim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	defaultPerPage = 20  // what the vendor answers unasked is not known
	maxPerPage     = 100 // every client takes 100 for the maximum; more is clamped
)

// listing is one request for a page. Parameters the vendor does not know (page, sort, created_at_from and any other) are ignored
// without a word: the root of lessons P1 and P2.
type listing struct {
	perPage    int
	descending bool
	byTime     bool
	tieBreak   bool // a cursor by time carries the id too
	cursor     *cursor
	nextCursor *string // shown in place of the right one
}

// parseListing reads the query of a listing. struck are the faults that strike it: two of them are switches of its order.
func parseListing(q url.Values, zone *time.Location, struck []Fault) (listing, *invalid) {
	_, ignored := struckBy(struck, FaultIgnoreSort)
	_, untied := struckBy(struck, FaultNoTieBreak)
	l := listing{perPage: defaultPerPage, byTime: q.Get("sort_by") == "updated_at" && !ignored, tieBreak: !untied}
	bad := &invalid{}
	if text := q.Get("per_page"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			bad.add("per_page", "The per page field must be an integer.")
		case n < 1:
			bad.add("per_page", "The per page field must be at least 1.")
		default:
			l.perPage = min(n, maxPerPage)
		}
	}
	switch q.Get("sort_direction") {
	case "", "asc":
	case "desc":
		l.descending = true
	default:
		bad.add("sort_direction", "The selected sort direction is invalid.")
	}
	if c, ok := decodeCursor(q.Get("cursor"), l.byTime, zone); ok {
		l.cursor = &c
	} else if c, ok := decodeUntiedCursor(q.Get("cursor"), l.descending, zone); ok && l.byTime && untied {
		l.cursor = &c
	}
	if f, garbage := struckBy(struck, FaultGarbageCursor); garbage {
		text := cmp.Or(f.To, "bm90IGEgY3Vyc29y")
		l.nextCursor = &text
	} else if _, same := struckBy(struck, FaultSameCursor); same && q.Get("cursor") != "" {
		text := q.Get("cursor")
		l.nextCursor = &text
	}
	if len(bad.fields) > 0 {
		return l, bad
	}
	return l, nil
}

// page is one answer of the paginator; a nil cursor is an end.
type page struct {
	rows       []*Order
	prev, next *cursor
}

// paginate cuts one page as the vendor's framework does: it asks for one row more than a page to learn whether there is another, so an
// exactly full last page ends with a null cursor; a backward page is read against the order and turned round.
func paginate(x *index, l listing) page {
	forward := l.cursor == nil || l.cursor.forward
	var from *key
	if l.cursor != nil {
		from = &l.cursor.key
	}
	rows := x.after(from, l.descending == forward, l.perPage+1)
	more := len(rows) > l.perPage
	rows = rows[:min(len(rows), l.perPage)]
	if !forward {
		slices.Reverse(rows)
	}
	p := page{rows: rows}
	if len(rows) == 0 {
		return p
	}
	if more || !forward {
		p.next = &cursor{key: x.by(rows[len(rows)-1]), forward: true}
	}
	if l.cursor != nil && (more || forward) {
		p.prev = &cursor{key: x.by(rows[0]), forward: false}
	}
	return p
}

// cut answers one page of a shop's orders. The caller holds mu.
func (s *Server) cut(sh *shop, l listing) page {
	if l.byTime {
		return paginate(&sh.updated, l)
	}
	return paginate(&sh.ids, l)
}

// envelope is the list answer: there is no total, no page number and no has_more (quirk Q2).
type envelope[T any] struct {
	Data  []T `json:"data"`
	Links struct {
		First *string `json:"first"`
		Last  *string `json:"last"`
		Prev  *string `json:"prev"`
		Next  *string `json:"next"`
	} `json:"links"`
	Meta struct {
		Path       string  `json:"path"`
		PerPage    int     `json:"per_page"`
		NextCursor *string `json:"next_cursor"`
		PrevCursor *string `json:"prev_cursor"`
	} `json:"meta"`
}

// envelop puts a page into its envelope. path is the absolute URL of the listing; q the query it was asked with, which the links repeat.
func envelop[T any](p page, l listing, path string, q url.Values, rows []T, zone *time.Location) envelope[T] {
	e := envelope[T]{Data: rows}
	e.Meta.Path, e.Meta.PerPage = path, l.perPage
	address := func(code string) *string {
		rest := url.Values{}
		for name, values := range q {
			if name != "cursor" {
				rest[name] = values
			}
		}
		query := "cursor=" + code
		if len(rest) > 0 {
			query = rest.Encode() + "&" + query
		}
		full := path + "?" + query
		return &full
	}
	link := func(c *cursor) (text, full *string) {
		if c == nil {
			return nil, nil
		}
		code := c.encode(l, zone)
		return &code, address(code)
	}
	e.Meta.NextCursor, e.Links.Next = link(p.next)
	e.Meta.PrevCursor, e.Links.Prev = link(p.prev)
	if l.nextCursor != nil {
		e.Meta.NextCursor, e.Links.Next = l.nextCursor, address(*l.nextCursor)
	}
	return e
}

// invalid is the validation answer of the vendor's framework: 422 with one list of complaints per field.
type invalid struct {
	first  string
	fields map[string][]string
}

func (v *invalid) add(field, complaint string) {
	if v.fields == nil {
		v.fields, v.first = map[string][]string{}, complaint
	}
	v.fields[field] = append(v.fields[field], complaint)
}

func (v *invalid) message() string {
	if others := len(v.fields) - 1; others > 0 {
		return fmt.Sprintf("%s (and %d more error)", v.first, others)
	}
	return v.first
}

func (v *invalid) answer(w http.ResponseWriter) {
	answer(w, http.StatusUnprocessableEntity, struct {
		Message string              `json:"message"`
		Errors  map[string][]string `json:"errors"`
	}{v.message(), v.fields})
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
