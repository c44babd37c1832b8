package order

import (
	"cmp"
	"context"
	"slices"
)

// Batch is rows of one store, as requests to its shop showed them.
type Batch struct {
	StoreID         string
	Trigger         Trigger
	StateMapVersion int32
	Rows            []*Row
}

// Ingest writes what a shop said and answers every row alone, in the order of the rows: one bad row never holds up the
// others. Rows that say nothing new cost one read and no lock. Repeating a batch changes nothing.
func (s *Service) Ingest(ctx context.Context, b Batch) ([]Decision, error) {
	decisions := make([]Decision, len(b.Rows))
	latest := settleRepeated(b.Rows, decisions)
	if len(latest) == 0 {
		return decisions, nil
	}
	atlas, err := s.gazetteer(ctx)
	if err != nil {
		return nil, err
	}
	known, courierKnows, err := s.store.Known(ctx, b.StoreID, upstreamIDs(b.Rows, latest))
	if err != nil {
		return nil, err
	}
	var news []*Row
	for _, n := range latest {
		row := b.Rows[n]
		if k, stored := known[row.UpstreamID]; stored && k.says(row, b.StateMapVersion) && !k.Disagreement.onEnd() {
			decisions[n] = Decision{Row: row, Outcome: Unchanged, OrderID: k.ID}
			continue
		}
		news = append(news, row)
	}
	if len(news) == 0 {
		return settle(b.Rows, decisions, latest), nil
	}
	in := &Ingester{
		StoreID: b.StoreID, Trigger: b.Trigger, StateMapVersion: b.StateMapVersion, CourierKnows: courierKnows,
		Gazetteer: atlas, Zone: s.zone, Now: s.now(),
	}
	sortForWriting(news)
	written, err := s.store.Ingest(ctx, Batch{StoreID: b.StoreID, Trigger: b.Trigger, StateMapVersion: b.StateMapVersion, Rows: news}, in.Judge)
	if err != nil {
		return nil, err
	}
	byRow := make(map[*Row]Decision, len(written))
	for _, d := range written {
		byRow[d.Row] = d
	}
	for n, row := range b.Rows {
		if d, ok := byRow[row]; ok {
			decisions[n] = d
		}
	}
	return settle(b.Rows, decisions, latest), nil
}

// settleRepeated rejects the rows that cannot be stored and picks, of rows with one id, the one observed last. It answers
// the positions of the rows that are left.
func settleRepeated(rows []*Row, decisions []Decision) (latest []int) {
	byID := map[int64]int{}
	for n, row := range rows {
		if reason, message := row.Check(); reason != NotRejected {
			decisions[n] = Decision{Row: row, Outcome: Rejected, Reason: reason, Message: message}
			continue
		}
		if m, seen := byID[row.UpstreamID]; seen && rows[m].ObservedAt.After(row.ObservedAt) {
			continue
		}
		byID[row.UpstreamID] = n
	}
	for _, n := range byID {
		latest = append(latest, n)
	}
	slices.Sort(latest)
	return latest
}

// settle answers for the rows that a later observation of the same order overtook within the batch.
func settle(rows []*Row, decisions []Decision, latest []int) []Decision {
	orderID := map[int64]int64{}
	for _, n := range latest {
		orderID[rows[n].UpstreamID] = decisions[n].OrderID
	}
	for n := range decisions {
		if decisions[n].Outcome == "" {
			decisions[n] = Decision{Row: rows[n], Outcome: Stale, OrderID: orderID[rows[n].UpstreamID]}
		}
	}
	return decisions
}

func upstreamIDs(rows []*Row, picked []int) []int64 {
	ids := make([]int64, len(picked))
	for i, n := range picked {
		ids[i] = rows[n].UpstreamID
	}
	return ids
}

// sortForWriting brings rows into the order in which every writer takes its locks: by telephone, because customers are
// shared between streams, then by id. Unsorted, two streams over the same customers deadlock.
func sortForWriting(rows []*Row) {
	phone := make(map[*Row]string, len(rows))
	for _, r := range rows {
		phone[r], _ = NormalizePhone(r.Phone)
	}
	slices.SortFunc(rows, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(phone[a], phone[b]), cmp.Compare(a.UpstreamID, b.UpstreamID))
	})
}
