package order

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPageTokenComesBackAsTheCursorItWasMadeOf(t *testing.T) {
	for _, c := range []Cursor{
		{At: time.Date(2025, 11, 18, 9, 41, 7, 123456000, time.UTC), ID: 700123},
		{ID: 1},
		{At: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), ID: 9},
	} {
		got, err := ParsePageToken(PageToken(c, "orders"), "orders")
		if err != nil {
			t.Fatalf("ParsePageToken: %v", err)
		}
		if diff := cmp.Diff(&c, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestAPageTokenOfAnotherListUserOrFilterIsRefused(t *testing.T) {
	token := PageToken(Cursor{At: time.Unix(1_763_458_867, 0), ID: 5}, "orders|user-a|status=PENDING")
	for _, scope := range []string{"", "orders|user-b|status=PENDING", "orders|user-a|status=ASSIGNED", "history|user-a|status=PENDING"} {
		if _, err := ParsePageToken(token, scope); !errors.Is(err, ErrPageTokenInvalid) {
			t.Errorf("scope %q: %v, want ErrPageTokenInvalid", scope, err)
		}
	}
}

func TestNoTokenIsTheFirstPage(t *testing.T) {
	if c, err := ParsePageToken("", "orders"); c != nil || err != nil {
		t.Errorf("ParsePageToken(empty) = %v, %v", c, err)
	}
}

func FuzzParsePageToken(f *testing.F) {
	f.Add("", "")
	f.Add("AAAA", "orders")
	f.Add(PageToken(Cursor{At: time.Unix(1_763_458_867, 0), ID: 5}, "orders"), "orders")
	f.Add("////////////////////////////////", "orders")
	f.Fuzz(func(t *testing.T, token, scope string) {
		c, err := ParsePageToken(token, scope)
		if err != nil {
			if !errors.Is(err, ErrPageTokenInvalid) {
				t.Fatalf("%q: %v", token, err)
			}
			return
		}
		if c == nil {
			return
		}
		if again := PageToken(*c, scope); again != token {
			t.Fatalf("two tokens for one position: %q and %q", token, again)
		}
	})
}
