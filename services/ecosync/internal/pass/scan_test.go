package pass_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

func TestAStoreWhoseOrderCannotBeTrustedIsWalkedByIDAndSaysSo(t *testing.T) {
	for name, spoil := range map[string]func(p *shop.Page){
		"sort_by is ignored":                 func(p *shop.Page) { slices.Reverse(p.Rows) },
		"the cursor has no second column":    func(p *shop.Page) { p.Next.TieBreak = false },
		"a row inside a page is newer by 1s": func(p *shop.Page) { p.Rows[50].Order.UpdatedAt = p.Rows[49].Order.UpdatedAt.Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.shop().fill(1, 450, time.Now())
				w.shop().script = func(_ int, cursor string) (*shop.Page, error) {
					p := w.shop().page(cursor)
					spoil(&p)
					return &p, nil
				}
				p := w.succeed()
				position, _, _, _, _ := w.journal.Store("store-0")
				if position.Mode != pass.IDOnly || !strings.Contains(p.Message, "ids were walked") || w.orders.Len("store-0") != 450 {
					t.Errorf("%+v: %s, %d orders", position, p.Message, w.orders.Len("store-0"))
				}
				time.Sleep(time.Hour)
				w.shop().put(1000, "En dispatch", time.Now().Add(-time.Minute))
				w.shop().put(7, "Annulé", time.Now().Add(-time.Minute))
				w.shop().asked()
				if p := w.succeed(); p.Counts.Created != 1 || p.Counts.Updated != 1 || w.shop().asked() != 5 {
					t.Errorf("later: %+v", p.Counts)
				}
			})
		})
	}
}

func TestOnceADayIDsAreWalkedDownToTheOldestOpenOrder(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 1000, time.Now())
		for id := int64(1); id <= 500; id++ {
			o := w.shop().orders[id]
			o.State = "Livrée"
			w.shop().orders[id] = o
		}
		w.succeed()
		w.shop().asked()
		time.Sleep(21 * time.Hour)
		// A change that leaves updated_at alone (quirk Q10), two deletions (Q9).
		o := w.shop().orders[700]
		o.State = "Annulé"
		w.shop().orders[700] = o
		delete(w.shop().orders, 850)
		delete(w.shop().orders, 100) // ended long ago: below the window
		p := w.succeed()
		if w.shop().asked() != 1+5 || p.Counts.Updated != 1 || !slices.Equal(w.orders.Gone, []int64{850}) || p.Counts.UpstreamDeleted != 1 || !slices.Equal(w.shop().singles, []int64{850}) {
			t.Errorf("%+v, gone %v, asked singly %v", p.Counts, w.orders.Gone, w.shop().singles)
		}
		time.Sleep(time.Hour)
		if w.succeed(); w.shop().asked() != 1 {
			t.Error("the rescan was made again within a day")
		}
	})
}

func TestAnErrorIsNeverTakenForADeletion(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 300, time.Now())
		w.succeed()
		time.Sleep(21 * time.Hour)
		delete(w.shop().orders, 250)
		for _, class := range []shop.Class{shop.WrongShape, shop.ServerError, shop.Refused} {
			w.shop().single = shop.NewFault(class, 404, nil)
			if p := w.sync(); p.Result != pass.Failed || len(w.orders.Gone) != 0 {
				t.Errorf("%s: %s, gone %v (lesson P29)", class, p.Result, w.orders.Gone)
			}
		}
		w.shop().single = nil
		if w.succeed(); !slices.Equal(w.orders.Gone, []int64{250}) {
			t.Errorf("gone %v", w.orders.Gone)
		}
	})
}

func TestARescanGoesOnWhereItEndedAndHoldsUpNothingNew(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 1000, time.Now())
		w.succeed()
		time.Sleep(21 * time.Hour)
		w.shop().scriptByID = func(cursor string) error {
			if cursor == "602" {
				return shop.NewFault(shop.ServerError, 500, nil)
			}
			return nil
		}
		w.shop().put(2000, "En dispatch", time.Now().Add(-time.Minute))
		w.shop().script = nil
		p := w.sync()
		position, _, _, _, _ := w.journal.Store("store-0")
		if p.Result != pass.Failed || p.Counts.Created != 1 || position.Scan == nil || position.Scan.Cursor == "" {
			t.Fatalf("%s, %+v, %+v", p.Result, p.Counts, position.Scan)
		}
		w.shop().scriptByID = nil
		w.shop().asked()
		if w.succeed(); w.shop().asked() > 8 {
			t.Error("the rescan began again")
		}
	})
}

func TestARescanSpendsAtMostHalfOfEveryWindow(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.shop().fill(1, 3000, time.Now())
		w.succeed()
		time.Sleep(21 * time.Hour)
		w.quota.Free = false
		w.shop().asked()
		began := time.Now()
		// 30 pages at 20 a minute.
		if w.succeed(); w.shop().asked() != 31 || time.Since(began) < time.Minute {
			t.Errorf("it took %v", time.Since(began))
		}
	})
}
