package ecomanagersim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryOrderComesExactlyOnceInEveryOrderOfListing(t *testing.T) {
	s := newServer(t, twoTenants(250))
	truth, err := s.Orders("east", "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"per_page=100", "per_page=50", "per_page=7", "per_page=250", // exactly full, odd and clamped pages
		"per_page=100&sort_direction=desc", "per_page=100&sort_by=updated_at", "per_page=100&sort_by=updated_at&sort_direction=desc",
	} {
		t.Run(query, func(t *testing.T) {
			var seen []int64
			pages, cursor := 0, ""
			for {
				r := list(t, s, "east", "a", "?"+query+cursor)
				seen = append(seen, r.ids()...)
				if pages++; r.Meta.NextCursor == nil {
					break
				}
				cursor = "&cursor=" + *r.Meta.NextCursor
			}
			want := slices.Clone(truth)
			slices.SortFunc(want, func(a, b Order) int {
				by := byID
				if strings.Contains(query, "updated_at") {
					by = byUpdated
				}
				n := by(&a).compare(by(&b))
				if strings.Contains(query, "desc") {
					n = -n
				}
				return n
			})
			var ids []int64
			for _, o := range want {
				ids = append(ids, o.ID)
			}
			if diff := cmp.Diff(ids, seen); diff != "" {
				t.Errorf("%d pages (-want +got):\n%s", pages, diff)
			}
		})
	}
}

func TestOnlyTheLastPageHasANullCursorAlsoWhenItIsExactlyFull(t *testing.T) {
	for _, c := range []struct{ orders, perPage, pages int }{
		{0, 10, 1}, {1, 10, 1}, {9, 10, 1}, {10, 10, 1}, {11, 10, 2}, {20, 10, 2}, {21, 10, 3}, {100, 100, 1}, {101, 100, 2},
	} {
		s := newServer(t, twoTenants(c.orders))
		pages, cursor := 1, ""
		for {
			r := list(t, s, "west", "c", fmt.Sprintf("?per_page=%d%s", c.perPage, cursor))
			if (r.Meta.NextCursor == nil) != (r.Links.Next == nil) || r.Links.First != nil || r.Links.Last != nil {
				t.Fatalf("links and cursors disagree: %+v", r)
			}
			if r.Meta.NextCursor == nil {
				break
			}
			pages++
			cursor = "&cursor=" + *r.Meta.NextCursor
		}
		if pages != c.pages {
			t.Errorf("%d orders at %d a page: %d pages, want %d", c.orders, c.perPage, pages, c.pages)
		}
	}
}

func TestThePreviousCursorLeadsBackToTheSamePage(t *testing.T) {
	s := newServer(t, twoTenants(30))
	first := list(t, s, "east", "b", "?per_page=10&sort_direction=desc")
	second := list(t, s, "east", "b", "?per_page=10&sort_direction=desc&cursor="+*first.Meta.NextCursor)
	back := list(t, s, "east", "b", "?per_page=10&sort_direction=desc&cursor="+*second.Meta.PrevCursor)
	if diff := cmp.Diff(first.ids(), back.ids()); diff != "" {
		t.Error(diff)
	}
	if first.Meta.PrevCursor != nil || back.Meta.PrevCursor != nil || back.Meta.NextCursor == nil {
		t.Errorf("cursors of the first page: %v, walked back to: %v", first.Meta, back.Meta)
	}
}

func TestTheCursorIsTheSortKeyOfTheLastRowAndADirection(t *testing.T) {
	s := newServer(t, twoTenants(30))
	r := list(t, s, "east", "a", "?per_page=10&sort_direction=desc")
	text, err := base64.RawURLEncoding.DecodeString(*r.Meta.NextCursor)
	if err != nil {
		t.Fatal(err)
	}
	last := r.Data[9]
	if want := fmt.Sprintf(`{"id":%d,"_pointsToNextItems":true}`, last.ID); string(text) != want {
		t.Errorf("cursor %s, want %s", text, want)
	}
	r = list(t, s, "east", "a", "?per_page=10&sort_by=updated_at&sort_direction=desc")
	text, _ = base64.RawURLEncoding.DecodeString(*r.Meta.NextCursor)
	last = r.Data[9]
	if want := fmt.Sprintf(`{"updated_at":"%s","id":%d,"_pointsToNextItems":true}`, *last.UpdatedAt, last.ID); string(text) != want {
		t.Errorf("cursor %s, want %s", text, want)
	}
}

func TestLinksRepeatTheQueryAndAddTheCursor(t *testing.T) {
	s := newServer(t, twoTenants(30))
	r := list(t, s, "east", "a", "?per_page=10&sort_direction=desc")
	want := "http://sim.test/east/api/shop/v2/orders?per_page=10&sort_direction=desc&cursor=" + *r.Meta.NextCursor
	if *r.Links.Next != want || r.Meta.Path != "http://sim.test/east/api/shop/v2/orders" || r.Meta.PerPage != 10 {
		t.Errorf("next %s, want %s; meta %+v", *r.Links.Next, want, r.Meta)
	}
}

func TestWhatTheVendorDoesNotKnowChangesNothing(t *testing.T) {
	s := newServer(t, twoTenants(60))
	want := list(t, s, "east", "a", "?per_page=10").ids()
	if !slices.IsSorted(want) {
		t.Errorf("unasked, ids do not ascend: %v", want)
	}
	for _, query := range []string{
		"page=4", "sort=-id", "created_at_from=2030-01-01", "state=3", "sort_by=total",
		"cursor=", "cursor=garbage", "cursor=%%%25", "cursor=e30", "cursor=bnVsbA",
		"cursor=" + base64.RawURLEncoding.EncodeToString([]byte(`{"updated_at":"2026-01-01 00:00:00","id":1,"_pointsToNextItems":true}`)),
	} {
		if diff := cmp.Diff(want, list(t, s, "east", "a", "?per_page=10&"+query).ids()); diff != "" {
			t.Errorf("%s changed the page: %s", query, diff)
		}
	}
}

func TestPerPageIsClampedAndNonsenseIsAValidationError(t *testing.T) {
	s := newServer(t, twoTenants(130))
	for query, rows := range map[string]int{"": 20, "?per_page=1": 1, "?per_page=100": 100, "?per_page=101": 100, "?per_page=100000": 100} {
		if r := list(t, s, "east", "a", query); len(r.Data) != rows || r.Meta.PerPage != rows {
			t.Errorf("%q: %d rows, per_page %d; want %d", query, len(r.Data), r.Meta.PerPage, rows)
		}
	}
	type invalidBody struct {
		Message string
		Errors  map[string][]string
	}
	got := read[invalidBody](t, ask(t, s, "east", "a", "/orders?per_page=many&sort_direction=up"), http.StatusUnprocessableEntity)
	want := invalidBody{
		Message: "The per page field must be an integer. (and 1 more error)",
		Errors: map[string][]string{
			"per_page":       {"The per page field must be an integer."},
			"sort_direction": {"The selected sort direction is invalid."},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOrdersThatArriveWhilePagingShiftNoPage(t *testing.T) {
	s := newServer(t, twoTenants(40))
	first := list(t, s, "east", "a", "?per_page=10&sort_direction=desc")
	next := "?per_page=10&sort_direction=desc&cursor=" + *first.Meta.NextCursor
	before := list(t, s, "east", "a", next).ids()
	if _, err := s.AddOrders("east", "a", 25, Change{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, list(t, s, "east", "a", next).ids()); diff != "" {
		t.Error(diff)
	}
}

func TestHundredsOfChangesInOneSecondPageWithoutLossOrDouble(t *testing.T) {
	s := newServer(t, twoTenants(300))
	orders, err := s.Orders("east", "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range orders {
		if _, err := s.ChangeOrder("east", o.ID, Change{}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[int64]int{}
	cursor := ""
	for {
		r := list(t, s, "east", "a", "?per_page=100&sort_by=updated_at&sort_direction=desc"+cursor)
		for _, id := range r.ids() {
			seen[id]++
		}
		if r.Meta.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *r.Meta.NextCursor
	}
	for _, o := range orders {
		if seen[o.ID] != 1 {
			t.Errorf("order %d seen %d times", o.ID, seen[o.ID])
		}
	}
}

func FuzzCursor(f *testing.F) {
	s, err := New(twoTenants(25))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", "garbage", "e30", "bnVsbA", "====", `{"id":1}`,
		cursor{key{0, 9410}, true}.encode(listing{}, s.zone), cursor{key{1773140000, 9410}, false}.encode(listing{byTime: true, tieBreak: true}, s.zone),
		base64.RawURLEncoding.EncodeToString([]byte(`{"id":"9410","_pointsToNextItems":true}`)),
		base64.RawURLEncoding.EncodeToString([]byte(`{"id":1e300,"_pointsToNextItems":true}`)),
		base64.RawURLEncoding.EncodeToString([]byte(`{"updated_at":"no date","id":1,"_pointsToNextItems":false}`)),
	} {
		f.Add(seed, false, true)
		f.Add(seed, true, false)
	}
	f.Fuzz(func(t *testing.T, text string, byTime, descending bool) {
		query := url.Values{"per_page": {"10"}, "cursor": {text}}
		if byTime {
			query.Set("sort_by", "updated_at")
		}
		if descending {
			query.Set("sort_direction", "desc")
		}
		r := list(t, s, "east", "a", "?"+query.Encode())
		if len(r.Data) > 10 {
			t.Errorf("%d rows on a page of 10", len(r.Data))
		}
		if c, ok := decodeCursor(text, byTime, s.zone); ok {
			again, ok := decodeCursor(c.encode(listing{byTime: byTime, tieBreak: true}, s.zone), byTime, s.zone)
			if !ok || again != c {
				t.Errorf("cursor %+v came back as %+v, %v", c, again, ok)
			}
		}
	})
}
