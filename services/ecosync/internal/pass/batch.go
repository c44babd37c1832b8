package pass

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// write hands the rows of a page over in batches, each with its checkpoint, in
// page order; the last one carries the position behind the page. news counts
// what orders created and updated.
func (r *run) write(ctx context.Context, source Source, page shop.Page, rows []shop.Row, behind Position) (news int64, err error) {
	left := len(rows)
	if left == 0 {
		r.position = behind // with the next checkpoint, or the ending
	}
	for batch := range batches(rows, r.engine.config.BatchSize) {
		if ctx.Err() != nil {
			return news, context.Cause(ctx)
		}
		// A batch that was begun is brought to its checkpoint: cancelling ends
		// a pass between two batches.
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTime)
		position := r.position
		if left -= len(batch); left == 0 {
			position = behind
		}
		fresh, err := r.writeBatch(whole, source, page, batch, position)
		cancel()
		news += fresh
		if err != nil {
			return news, err
		}
		r.position = position
	}
	return news, nil
}

// maxBatchBytes of raw rows go into one call. The decoded fields travel beside
// them, so a call stays below the 4 MiB that a service takes in.
const maxBatchBytes = 3 << 19

// batches cuts rows, in their order, at a count and at a size.
func batches(rows []shop.Row, size int) iter.Seq[[]shop.Row] {
	return func(yield func([]shop.Row) bool) {
		from, bytes := 0, 0
		for i, row := range rows {
			if i > from && (i-from == size || bytes+len(row.Raw) > maxBatchBytes) {
				if !yield(rows[from:i]) {
					return
				}
				from, bytes = i, 0
			}
			bytes += len(row.Raw)
		}
		if from < len(rows) {
			yield(rows[from:])
		}
	}
}

func (r *run) writeBatch(ctx context.Context, source Source, page shop.Page, rows []shop.Row, position Position) (news int64, err error) {
	if err := r.lives(ctx); err != nil {
		return 0, err
	}
	batch := Batch{StoreID: r.store.ID, Source: source, MapVersion: r.ticket.States.Version}
	point := Checkpoint{Position: position, Unknown: map[string]int64{}}
	unknown := make([]bool, 0, len(rows))
	for _, row := range rows {
		if row.Problem != nil {
			point.Quarantine = append(point.Quarantine, Quarantined{Problem: *row.Problem, Raw: row.Raw})
			continue
		}
		meaning, known := r.ticket.States.Meaning(row.Order.State)
		unknown = append(unknown, !known)
		batch.Rows = append(batch.Rows, Observation{
			Order: row.Order, Meaning: meaning, ObservedAt: page.SentAt, Raw: row.Raw,
		})
	}
	outcomes, err := r.ingest(ctx, batch)
	if err != nil {
		return 0, err
	}
	counts := r.counts()
	counts.Rows += int64(len(rows))
	var stored []shop.Row
	for i, outcome := range outcomes {
		seen := batch.Rows[i]
		if outcome.Verdict == Rejected {
			point.Quarantine = append(point.Quarantine, rejected(seen, outcome))
			if outcome.Reason == IdentityMismatch {
				r.mismatches++
			}
			continue
		}
		if outcome.Verdict == Created || outcome.Verdict == Updated || outcome.Verdict == Unchanged {
			// Only these say that this very row stands in orders. STALE and DELETED
			// leave what was wrong before as it was, and teach nothing.
			point.Settled = append(point.Settled, outcome.UpstreamID)
			stored = append(stored, shop.Row{Order: seen.Order})
		}
		if outcome.BecameReady {
			counts.BecameReady++
		}
		if written := counts.add(outcome.Verdict); written {
			news++
			if unknown[i] {
				point.Unknown[seen.Order.State]++
				counts.UnknownStates++
			}
		}
	}
	counts.Quarantined += int64(len(point.Quarantine))
	for _, p := range shop.Prefixes(stored) {
		if !slices.Contains(r.store.ReferencePrefixes, p) {
			point.Prefixes = append(point.Prefixes, p)
		}
	}
	// Requests are counted by the fetcher beside us, so they are read last.
	counts.Requests, counts.Pages = r.counts().Requests, r.counts().Pages
	point.Counts = counts
	if err := r.engine.journal.Checkpoint(ctx, r.ticket, point); err != nil {
		return news, err
	}
	r.store.ReferencePrefixes = append(slices.Clone(r.store.ReferencePrefixes), point.Prefixes...)
	r.note(func(p *Pass) {
		counts.Requests, counts.Gaps = p.Counts.Requests, int64(len(position.Gaps))
		p.Counts = counts
	})
	if r.mismatches >= maxMismatches {
		return news, errOtherShop
	}
	return news, nil
}

// ingest repeats a call that orders could not answer: it changes nothing the
// second time.
func (r *run) ingest(ctx context.Context, batch Batch) ([]Outcome, error) {
	if len(batch.Rows) == 0 {
		return nil, nil
	}
	backOff := firstPause
	for failures := 1; ; failures++ {
		outcomes, err := r.engine.orders.Ingest(ctx, batch)
		if err == nil && len(outcomes) != len(batch.Rows) {
			return nil, fmt.Errorf("orders answered %d results for %d rows", len(outcomes), len(batch.Rows))
		}
		for _, o := range outcomes {
			if !o.Verdict.Known() {
				return nil, fmt.Errorf("orders answered %q for upstream id %d, which is no verdict", o.Verdict, o.UpstreamID)
			}
		}
		if !errors.Is(err, ErrOrdersUnavailable) || failures == tries {
			return outcomes, err
		}
		if pause(ctx, jitter(backOff)) != nil {
			return nil, err // no time is left for another try, so the last one tells
		}
		backOff *= 2
	}
}

func rejected(seen Observation, outcome Outcome) Quarantined {
	return Quarantined{Raw: seen.Raw, Problem: shop.Problem{
		Reason: shop.Rejected, Field: outcome.Reason, Detail: outcome.Detail,
		ID: seen.Order.ID, Reference: seen.Order.Reference,
	}}
}

// add counts a verdict and tells whether it wrote something.
func (c *Counts) add(v Verdict) (written bool) {
	switch v {
	case Created:
		c.Created++
		return true
	case Updated:
		c.Updated++
		return true
	case Unchanged:
		c.Unchanged++
	case Stale:
		c.Stale++
	case Deleted:
		c.Deleted++
	default: // REJECTED is counted with the quarantine
	}
	return false
}
