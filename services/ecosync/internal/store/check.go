package store

import (
	"context"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// check asks orders and the shop whether the changed store is still the same
// shop.
func (s *Service) check(ctx context.Context, stored, changed Store, fresh *shop.Token, moved bool) error {
	zone, err := loadZone(changed.TimeZone)
	if err != nil {
		return err
	}
	known, err := s.orders.Describe(ctx, stored.ID)
	if err != nil {
		return err
	}
	if known.Count > 0 && changed.TimeZone != stored.TimeZone {
		return ErrZoneFixed
	}
	if !moved {
		return nil
	}
	access := shop.Access{BaseURL: changed.BaseURL, Zone: zone}
	if fresh != nil {
		access.Token = *fresh
	} else if access.Token, err = s.vault.Open(ctx, stored.ID, stored.Credential.Version); err != nil {
		return err
	}
	page, err := s.probe(ctx, access)
	if err != nil {
		return err
	}
	if known.Count == 0 {
		return nil
	}
	return s.sameShop(ctx, access, page, known)
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
	for id, reference := range known.References {
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
