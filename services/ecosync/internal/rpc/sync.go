package rpc

import (
	"context"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"

	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/store"
)

// SyncStores makes one pass over each store and reports as it goes. It returns
// when the last pass has ended, also when the caller has left: then each pass
// ends after its current batch and gives its term back.
func (s *Server) SyncStores(req *ecosyncv1.SyncStoresRequest, stream grpc.ServerStreamingServer[ecosyncv1.SyncStoresResponse]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	stores, missing, err := s.wanted(ctx, req.GetStoreIds())
	if err != nil {
		return err
	}
	news := newFeed()
	go func() {
		defer news.end()
		for _, id := range missing {
			now := s.now()
			news.tell(pass.Progress{StoreID: id, Pass: pass.Pass{
				StoreID: id, StartedAt: now, EndedAt: now, Result: pass.Skipped, Message: store.ErrNotFound.Error(),
			}})
		}
		s.engine.SyncStores(ctx, stores, news.tell)
	}()
	for p := range news.each {
		if err == nil {
			if err = stream.Send(toProgress(p)); err != nil {
				cancel() // nobody listens any more; wait for the passes all the same
			}
		}
	}
	if err == nil {
		err = stream.Context().Err()
	}
	return err
}

// wanted reads the stores asked for, or every active one. One that was deleted
// meanwhile holds no other up: it is told as missing, and an error only when none
// is left.
func (s *Server) wanted(ctx context.Context, ids []string) (stores []store.Store, missing []string, err error) {
	if len(ids) > 0 {
		if stores, err = s.stores.List(ctx, store.Filter{IDs: ids, Limit: len(ids)}); err != nil {
			return nil, nil, err
		}
		if len(stores) == 0 {
			return nil, nil, store.ErrNotFound
		}
		for _, id := range ids {
			if !slices.ContainsFunc(stores, func(st store.Store) bool { return strings.EqualFold(st.ID, id) }) {
				missing = append(missing, id)
			}
		}
		return stores, missing, nil
	}
	const page = 500
	f := store.Filter{States: []store.State{store.Active}, Limit: page}
	for {
		found, err := s.stores.List(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		stores = append(stores, found...)
		if len(found) < page {
			return stores, nil, nil
		}
		f.After = found[page-1].Identifier
	}
}

// feed carries progress from the passes to the stream. It keeps only the newest
// of each store, so that a slow reader holds no pass up and misses nothing but
// what is out of date; the last word of a store always arrives.
type feed struct {
	mu     sync.Mutex
	latest map[string]pass.Progress
	turn   []string // store ids with unsent news, in the order they came
	ended  bool
	wake   chan struct{}
}

func newFeed() *feed {
	return &feed{latest: map[string]pass.Progress{}, wake: make(chan struct{}, 1)}
}

func (f *feed) tell(p pass.Progress) {
	f.mu.Lock()
	if _, waiting := f.latest[p.StoreID]; !waiting {
		f.turn = append(f.turn, p.StoreID)
	}
	f.latest[p.StoreID] = p
	f.mu.Unlock()
	f.nudge()
}

func (f *feed) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.nudge()
}

func (f *feed) nudge() {
	select {
	case f.wake <- struct{}{}:
	default: // one wake-up is waiting already
	}
}

// each yields news until the passes have ended and everything is told.
func (f *feed) each(yield func(pass.Progress) bool) {
	for {
		f.mu.Lock()
		switch {
		case len(f.turn) > 0:
			id := f.turn[0]
			f.turn = f.turn[1:]
			p := f.latest[id]
			delete(f.latest, id)
			f.mu.Unlock()
			if !yield(p) {
				return
			}
		case f.ended:
			f.mu.Unlock()
			return
		default:
			f.mu.Unlock()
			<-f.wake
		}
	}
}
