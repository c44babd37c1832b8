package pass

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// listing is a shop as the arithmetic sees it, and what was read of it.
type listing struct {
	now  time.Time
	keys map[int64]shop.Key
	read map[int64]shop.Key
}

// page is what lies strictly below a key, as the real paginator answers it.
func (l *listing) page(cursor string, size int) shop.Page {
	var all []shop.Key
	for _, k := range l.keys {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b shop.Key) int { return b.Compare(a) })
	if cursor != "" {
		var at, id int64
		_, _ = fmt.Sscanf(cursor, "%d/%d", &at, &id)
		below := shop.Key{At: time.Unix(at, 0).UTC(), ID: id}
		all = slices.DeleteFunc(all, func(k shop.Key) bool { return k.Compare(below) >= 0 })
	}
	p := shop.Page{Date: l.now}
	for _, k := range all[:min(size, len(all))] {
		p.Rows = append(p.Rows, shop.Row{Order: &shop.Order{ID: k.ID, UpdatedAt: k.At}})
	}
	if len(all) > size {
		k := all[size-1]
		p.Next = shop.Cursor{Token: fmt.Sprintf("%d/%d", k.At.Unix(), k.ID), Decoded: true, At: k.At, ID: k.ID, TieBreak: true}
	}
	return p
}

// walk reads a stretch and stops before page number cut.
func (l *listing) walk(w *walk, cut int) (Position, error) {
	behind, cursor := w.base, w.begin()
	for n := 1; ; n++ {
		if n == cut {
			return behind, nil
		}
		page := l.page(cursor, 5)
		s, err := w.read(page, 1000*time.Hour)
		if err != nil {
			return behind, err
		}
		news := int64(0)
		for _, row := range s.rows {
			if k := row.Order.Key(); l.read[k.ID] != k {
				l.read[k.ID], news = k, news+1
			}
		}
		if !s.goOn(news) {
			return w.finished(), nil
		}
		cursor = page.Next.Token
		behind = w.stopped(cursor)
	}
}

// play lets a shop change and walks be cut short, as the bytes say, and holds
// the position to its promise after each of them.
func play(t *testing.T, moves []byte) {
	t.Helper()
	l := &listing{now: time.Date(2025, 11, 18, 8, 0, 0, 0, time.UTC), keys: map[int64]shop.Key{}, read: map[int64]shop.Key{}}
	for id := range int64(40) {
		l.keys[id+1] = shop.Key{At: l.now.Add(-time.Duration(40-id) * time.Minute), ID: id + 1}
	}
	p := Position{Mode: ByChange}
	for i, m := range moves {
		n := int(m >> 3)
		var err error
		switch m & 7 {
		case 0, 1: // time goes on
			l.now = l.now.Add(time.Duration(n) * time.Second)
		case 2, 3: // an order changes, or a new one appears
			l.keys[int64(n)+1] = shop.Key{At: l.now, ID: int64(n) + 1}
		case 4: // many change in one second
			for id := range int64(n) {
				l.keys[id+3] = shop.Key{At: l.now, ID: id + 3}
			}
		case 5, 6:
			p, err = l.walk(fromTop(p), n%6)
		case 7:
			if len(p.Gaps) > 0 {
				p, err = l.walk(fromGap(p, n%len(p.Gaps)), n%6)
			}
		}
		if err != nil {
			t.Fatalf("move %d: %v", i, err)
		}
		for id, k := range l.keys {
			if p.Known(k) && l.read[id] != k {
				t.Fatalf("move %d: %v is said to be known and was never read: %+v", i, k, p)
			}
		}
	}
	// Left in peace, everything is read: the top, then each gap, newest first.
	l.now = l.now.Add(time.Minute)
	for p, _ = l.walk(fromTop(p), 0); len(p.Gaps) > 0; {
		p, _ = l.walk(fromGap(p, 0), 0)
	}
	for id, k := range l.keys {
		if l.read[id] != k {
			t.Fatalf("%v was never read", k)
		}
	}
}

func TestWhatIsReadAndTheGapsCoverEverythingAtOrBelowTheHead(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 9))
		moves := make([]byte, 60)
		for i := range moves {
			moves[i] = byte(r.Uint32())
		}
		play(t, moves)
	}
}

// The seeds are the moves that the promise was hardest to keep in.
func FuzzPosition(f *testing.F) {
	f.Add([]byte{5 | 2<<3, 5 | 3<<3, 7 | 2<<3})
	f.Add([]byte{4 | 30<<3, 5 | 3<<3, 2 | 9<<3, 5 | 2<<3, 0 | 20<<3, 5 | 4<<3, 7})
	f.Add([]byte{5, 4 | 31<<3, 5 | 2<<3, 4 | 12<<3, 5 | 2<<3, 7 | 8<<3, 7 | 3<<3})
	f.Fuzz(func(t *testing.T, moves []byte) {
		if len(moves) > 200 {
			t.Skip()
		}
		play(t, moves)
	})
}

func TestTooManyGapsBecomeFewerAndNoneIsLost(t *testing.T) {
	at := time.Date(2025, 11, 18, 8, 0, 0, 0, time.UTC)
	p := Position{Head: &shop.Key{At: at.Add(1000 * time.Hour), ID: 1}, Settled: true, Floor: at}
	for i := range 100 {
		p = p.opened(Gap{
			Last: shop.Key{At: at.Add(time.Duration(10*i+5) * time.Hour), ID: 1}, Settled: true,
			Floor: shop.Key{At: at.Add(time.Duration(10*i) * time.Hour), ID: 1},
		})
	}
	for i := range 100 {
		if p.Known(shop.Key{At: at.Add(time.Duration(10*i+3) * time.Hour), ID: 1}) {
			t.Fatalf("gap %d is lost", i)
		}
	}
	if len(p.Gaps) > maxGaps {
		t.Errorf("%d gaps", len(p.Gaps))
	}
}
