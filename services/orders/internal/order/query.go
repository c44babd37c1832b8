package order

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sizes of pages and counts, as clients see them.
const (
	DefaultPageSize = 50
	MaxPageSize     = 200
	MaxTotal        = 10_001 // counting stops here: "more than 10,000" is all that a person asks
	MaxCandidates   = 2_000  // rows that a name search considers before it asks for a longer name
)

// ErrDateInvalid says that a day is not a date of the calendar.
var ErrDateInvalid = errors.New("not a date of the calendar")

// ErrQueryTooBroad says that a list would have read more than its two seconds allow. Storage returns it instead of a part of the answer
// (lesson P52: filters dropped in silence).
var ErrQueryTooBroad = errors.New("the list would read too much")

// Sort is the order of a list. Each has an index of its own; ties are broken by id, in the same direction.
type Sort string

// The sorts. Those by a time that an order may lack list only orders that have it and have not ended.
const (
	NewestFirst    Sort = "placedAt desc"
	OldestFirst    Sort = "placedAt asc"
	ReadyFirst     Sort = "readyAt asc"
	DeliverByFirst Sort = "deliverBy asc"
	NextFirst      Sort = "nextActionAt asc"
)

// Filter selects orders. Kinds are ANDed, values of one kind ORed; tags are all required. The zero value selects every order that is not
// deleted here. One filter serves the list, its count and its export, so that they cannot differ (lesson P49).
type Filter struct {
	Statuses      []Status
	StoreIDs      []string
	AgentIDs      []string
	Unassigned    bool
	CourierStates []string
	Wilayas       []int
	PlacedFrom    time.Time // included; zero: no bound
	PlacedBefore  time.Time // excluded; zero: no bound
	DueBefore     time.Time // the next action is due before; zero: no bound
	Late          bool
	Duplicate     bool
	Stale         bool
	Disagreement  bool
	Tags          []string
	Search        Search
}

// Query asks storage for one page of a list.
type Query struct {
	Filter    Filter
	Sort      Sort
	After     *Cursor // nil: the first page
	Limit     int     // rows wanted, at least 1
	WithTotal bool
}

// Page is one page of a list.
type Page struct {
	Orders []*Order
	Next   *Cursor // nil: this was the last page
	Total  *int    // when asked for; MaxTotal means more than it
	Refine bool    // a search met more than MaxCandidates rows and was cut
}

// Catalogue lists orders.
type Catalogue interface {
	// List reads one page, with items, in the order asked for, from one moment: page and total agree. ErrQueryTooBroad when it would take
	// longer than a person waits.
	List(ctx context.Context, q Query) (Page, error)
}

// ListRequest is a list as a client asks for it. The search text and the days are as typed.
type ListRequest struct {
	Filter     Filter // its Search, PlacedFrom and PlacedBefore are made from the texts below
	Q          string
	PlacedFrom string // first business day, YYYY-MM-DD
	PlacedTo   string // last business day, included
	Sort       Sort   // empty: NewestFirst
	PageSize   int    // 0: DefaultPageSize
	PageToken  string
	WithTotal  bool
}

// Listing is a page as a client gets it.
type Listing struct {
	Orders        []*Order
	NextPageToken string // empty on the last page
	Total         *int
	Refine        bool
}

// List answers one page of the orders that the actor may see: ErrQueryTooShort, ErrDateInvalid, ErrPageTokenInvalid, ErrQueryTooBroad.
func (s *Service) List(ctx context.Context, a Actor, r ListRequest) (Listing, error) {
	q := Query{Filter: r.Filter.SeenBy(a), Sort: cmp.Or(r.Sort, NewestFirst), Limit: min(cmp.Or(r.PageSize, DefaultPageSize), MaxPageSize), WithTotal: r.WithTotal}
	var err error
	if q.Filter.Search, err = ParseSearch(r.Q); err != nil {
		return Listing{}, err
	}
	if q.Filter.PlacedFrom, q.Filter.PlacedBefore, err = Days(r.PlacedFrom, r.PlacedTo, s.zone); err != nil {
		return Listing{}, err
	}
	scope := q.scope(a)
	if q.After, err = ParsePageToken(r.PageToken, scope); err != nil {
		return Listing{}, err
	}
	page, err := s.store.List(ctx, q)
	if err != nil {
		return Listing{}, err
	}
	listing := Listing{Orders: page.Orders, Total: page.Total, Refine: page.Refine}
	if page.Next != nil {
		listing.NextPageToken = PageToken(*page.Next, scope)
	}
	return listing, nil
}

// Days turns two business days, both included and both optional, into the instants that bound them. The zone is the business's, because a
// filter that ends at midnight UTC excludes an hour of its last day (lessons P63 and P70).
func Days(from, to string, zone *time.Location) (start, end time.Time, err error) {
	if from != "" {
		if start, err = time.ParseInLocation(time.DateOnly, from, zone); err != nil {
			return time.Time{}, time.Time{}, fmt.Errorf("%q: %w", from, ErrDateInvalid)
		}
	}
	if to != "" {
		day, err := time.ParseInLocation(time.DateOnly, to, zone)
		if err != nil {
			return time.Time{}, time.Time{}, fmt.Errorf("%q: %w", to, ErrDateInvalid)
		}
		end = day.AddDate(0, 0, 1)
	}
	return start, end, nil
}

// SeenBy narrows a filter to what a person may see: an agent's lists hold own orders only, whatever was asked for (lesson P80).
func (f Filter) SeenBy(a Actor) Filter {
	if a.Mover != ByAgent {
		return f
	}
	if len(f.AgentIDs) > 0 && !slices.Contains(f.AgentIDs, a.ID) {
		f.Unassigned = true // own and without an agent: nothing
	}
	f.AgentIDs = []string{a.ID}
	return f
}

// scope names a list for its page tokens: who asks, for what, in which order. Values of one kind may come in any order.
func (q Query) scope(a Actor) string {
	f := q.Filter
	sum := sha256.New()
	write := func(name string, values ...string) {
		slices.Sort(values)
		fmt.Fprintf(sum, "%s=%q\n", name, values)
	}
	write("user", a.ID)
	write("sort", string(q.Sort))
	write("status", texts(f.Statuses)...)
	write("store", slices.Clone(f.StoreIDs)...)
	write("agent", slices.Clone(f.AgentIDs)...)
	write("courier", slices.Clone(f.CourierStates)...)
	write("tag", slices.Clone(f.Tags)...)
	wilayas := make([]string, len(f.Wilayas))
	for i, w := range f.Wilayas {
		wilayas[i] = fmt.Sprint(w)
	}
	write("wilaya", wilayas...)
	fmt.Fprintln(sum, f.Unassigned, f.Late, f.Duplicate, f.Stale, f.Disagreement, f.PlacedFrom.UnixMicro(), f.PlacedBefore.UnixMicro(), f.DueBefore.UnixMicro())
	fmt.Fprintln(sum, f.Search.Kind, f.Search.Text, strings.Join(f.Search.Words, " "))
	return "orders " + hex.EncodeToString(sum.Sum(nil))
}

func texts[S ~string](values []S) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
