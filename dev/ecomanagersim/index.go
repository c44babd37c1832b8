package ecomanagersim

import (
	"cmp"
	"slices"
	"time"
)

// key is an order's place in a listing: by id alone (At zero in every key), or by time with the id as tie-break.
type key struct {
	At int64 // Unix seconds: the vendor stores whole seconds, so that changes of one second tie
	ID int64
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.At, other.At), cmp.Compare(k.ID, other.ID))
}

func byID(o *Order) key      { return key{ID: o.ID} }
func byUpdated(o *Order) key { return key{At: o.UpdatedAt.Unix(), ID: o.ID} }

// index keeps orders sorted by one key. A sorted slice serves 100,000 orders well: a page is a binary search and a copy of pointers, and
// moving one order costs a memmove of at most 800 kB, which a tree of that size would not beat by enough to matter.
type index struct {
	by   func(*Order) key
	rows []*Order
}

func (x *index) search(k key) (int, bool) {
	return slices.BinarySearchFunc(x.rows, k, func(o *Order, k key) int { return x.by(o).compare(k) })
}

func (x *index) insert(o *Order) {
	i, found := x.search(x.by(o))
	if found {
		x.rows[i] = o
		return
	}
	x.rows = slices.Insert(x.rows, i, o)
}

func (x *index) remove(o *Order) {
	if i, found := x.search(x.by(o)); found {
		x.rows = slices.Delete(x.rows, i, i+1)
	}
}

func (x *index) rebuild(rows []*Order) {
	x.rows = slices.Clone(rows)
	slices.SortFunc(x.rows, func(a, b *Order) int { return x.by(a).compare(x.by(b)) })
}

// after answers up to n orders beyond k in the given direction, nearest first; without k, from that direction's beginning.
func (x *index) after(k *key, descending bool, n int) []*Order {
	out := make([]*Order, 0, n)
	if !descending {
		i := 0
		if k != nil {
			var found bool
			if i, found = x.search(*k); found {
				i++
			}
		}
		return append(out, x.rows[i:min(i+n, len(x.rows))]...)
	}
	i := len(x.rows)
	if k != nil {
		i, _ = x.search(*k)
	}
	for i--; i >= 0 && len(out) < n; i-- {
		out = append(out, x.rows[i])
	}
	return out
}

// second cuts an instant to what the vendor stores.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
