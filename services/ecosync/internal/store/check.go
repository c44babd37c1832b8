package store

import (
	"context"
	"maps"
	"slices"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// check asks orders and the shop whether the changed store is still the same
// shop. anew says that nothing ties it to one.
func (s *Service) check(ctx context.Context, stored, changed Store, fresh *shop.Token, moved bool) (anew bool, err error) {
	zone, err := loadZone(changed.TimeZone)
	if err != nil {
		return false, err
	}
	known, err := s.orders.Describe(ctx, stored.ID)
	if err != nil {
		return false, err
	}
	// Orders typed in by hand have no reference of the shop, and no time of it: a
	// store that has only those is tied to no shop.
	anew = len(known.References) == 0
	if !anew && changed.TimeZone != stored.TimeZone {
		return false, ErrZoneFixed
	}
	if !moved {
		return anew, nil
	}
	access := shop.Access{BaseURL: changed.BaseURL, Zone: zone}
	if fresh != nil {
		access.Token = *fresh
	} else if access.Token, err = s.vault.Open(ctx, stored.ID, stored.Credential.Version); err != nil {
		return false, err
	}
	page, err := s.probe(ctx, access)
	if err != nil {
		return false, err
	}
	if anew {
		return true, nil
	}
	return false, s.sameShop(ctx, access, page, known)
}

// sameShop wants one known id with its known reference as a proof, and takes
// one with another reference as the disproof. The page of the probe is asked
// first; when it shows none of the known ids, some are read singly. A shop that
// knows none of them is another shop.
func (s *Service) sameShop(ctx context.Context, a shop.Access, page shop.Page, known Known) error {
	proved := false
	for _, row := range page.Rows {
		if row.Order == nil {
			continue
		}
		if reference, ok := known.References[row.Order.ID]; ok {
			if reference != row.Order.Reference {
				return ErrOtherShop
			}
			proved = true
		}
	}
	const few = 3 // more would spend the shop's quota on an unlikely case
	asked := 0
	// The newest first: they are the likeliest to be there still, and the same
	// question gets the same answer.
	newest := slices.Sorted(maps.Keys(known.References))
	slices.Reverse(newest)
	for _, id := range newest {
		reference := known.References[id]
		if proved || asked == few {
			break
		}
		asked++
		row, err := s.shops.Order(ctx, a, id)
		switch {
		case shop.ClassOf(err) == shop.NotFound:
			continue // deleted in the shop, or another shop; the next one tells
		case err != nil:
			return connectionError(ctx, err)
		case row.Order == nil:
			continue
		case row.Order.Reference != reference:
			return ErrOtherShop
		}
		proved = true
	}
	if !proved {
		return ErrOtherShop
	}
	return nil
}
