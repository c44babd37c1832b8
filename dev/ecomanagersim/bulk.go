package ecomanagersim

import (
	"fmt"
	"slices"
)

// Pick chooses orders of one shop: those named by id, or else those in Stage (all of them when it is empty). Of the chosen ones, Newest
// takes only so many with the largest ids.
type Pick struct {
	IDs    []int64 `json:"ids,omitempty"`
	Stage  Stage   `json:"stage,omitempty"`
	Newest int     `json:"newest,omitempty"`
}

// ChangeOrders changes many orders at one instant, so that all carry the same updated_at unless the change says otherwise. It changes all
// or, with an error, none, and answers them in the order of ids.
func (s *Server) ChangeOrders(tenant, shop string, pick Pick, change Change) ([]Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, sh, chosen, err := s.pick(tenant, shop, pick)
	if err != nil {
		return nil, err
	}
	at := s.cfg.Clock()
	out := make([]Order, 0, len(chosen))
	for _, o := range chosen {
		c := o.clone()
		if err := change.apply(c, t.cfg.Dialect, at); err != nil {
			return nil, err // the first one already: an error depends on the change alone
		}
		s.put(t, sh, c)
		s.schedule(t, sh, c)
		out = append(out, *c.clone())
	}
	return out, nil
}

// DeleteOrders makes many orders vanish at once and answers their ids.
func (s *Server) DeleteOrders(tenant, shop string, pick Pick) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, sh, chosen, err := s.pick(tenant, shop, pick)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(chosen))
	for _, o := range chosen {
		s.drop(t, sh, o)
		ids = append(ids, o.ID)
	}
	return ids, nil
}

// pick answers the chosen orders by ascending id. Naming an order that the shop does not have is an error.
func (s *Server) pick(tenantName, shopName string, p Pick) (*tenant, *shop, []*Order, error) {
	t, sh, err := s.find(tenantName, shopName)
	if err != nil {
		return nil, nil, nil, err
	}
	if p.Newest < 0 {
		return nil, nil, nil, fmt.Errorf("%w: newest is negative", ErrInvalid)
	}
	var chosen []*Order
	switch {
	case p.IDs != nil:
		ids := slices.Clone(p.IDs)
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			o, known := t.orders[id]
			if !known || o.Shop != shopName {
				return nil, nil, nil, fmt.Errorf("%w: %s/%s/%d", ErrUnknownOrder, tenantName, shopName, id)
			}
			chosen = append(chosen, o)
		}
	default:
		for _, o := range sh.ids.rows {
			if p.Stage == "" || o.Stage == p.Stage {
				chosen = append(chosen, o)
			}
		}
	}
	if p.Newest > 0 {
		chosen = chosen[max(0, len(chosen)-p.Newest):]
	}
	return t, sh, chosen, nil
}
