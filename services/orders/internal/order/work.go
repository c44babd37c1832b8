package order

import (
	"context"
	"strconv"
	"strings"
)

// ETag names the state of what people own: a save that carries an older one is refused. A sync that changes what the shop
// owns leaves it alone.
func (o *Order) ETag() string { return "v" + strconv.FormatInt(o.Version, 10) }

// fresh refuses a save that was made from an older state; an empty etag asks for no such care.
func (o *Order) fresh(etag string) error {
	if etag != "" && etag != o.ETag() {
		return ErrStale
	}
	return nil
}

// Draft is an order that a person enters.
type Draft struct {
	StoreID     string
	FullName    string
	Phone       string
	WilayaCode  int
	Commune     string
	Address     string
	Items       []Item
	ShippingFee int64 // minor units of DZD
	Tags        []string
	Note        string // first note; may be empty
}

// Create makes an order by hand. It is ready to be worked at once, and what must be collected is its goods and the shipping.
// ErrPhoneInvalid: a manual order needs a number to call. ErrWilayaUnknown, ErrMoneyInvalid, ErrTextMissing.
func (s *Service) Create(ctx context.Context, d Draft, r Request) (*Order, error) {
	atlas, err := s.gazetteer(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	o := &Order{Identity: Identity{Origin: ByHand, StoreID: d.StoreID}}
	o.name(strings.TrimSpace(d.FullName))
	if o.FullName == "" {
		return nil, ErrTextMissing
	}
	o.phone(strings.TrimSpace(d.Phone))
	if o.PhoneProblem != PhoneGood {
		return nil, ErrPhoneInvalid
	}
	if err := o.moveTo(d.WilayaCode, atlas); err != nil {
		return nil, err
	}
	o.Commune, o.Address, o.Tags = d.Commune, d.Address, d.Tags
	if err := o.sell(d.Items, d.ShippingFee); err != nil {
		return nil, err
	}
	o.PlacedAt, o.TouchedAt = now, now
	o.hear(FollowUp, Hearing{At: now, Now: now, Gazetteer: atlas, Zone: s.zone})
	entry := Entry{
		Kind: KindCreated, Source: SourcePerson, ActorID: r.Actor.ID, ActorRole: r.Actor.Role, StatusAfter: o.Status,
	}
	return s.store.Create(ctx, o, entry, strings.TrimSpace(d.Note), r)
}

// sell puts the lines into an order made by hand and adds up what must be collected. Every amount is bounded before it is
// multiplied or added.
func (o *Order) sell(items []Item, shippingFee int64) error {
	o.Items, o.Amounts = items, Amounts{ShippingFee: shippingFee, Currency: DZD}
	if reason, _ := o.Amounts.check(); reason != NotRejected {
		return ErrMoneyInvalid
	}
	for _, item := range items {
		switch {
		case strings.TrimSpace(item.Title) == "":
			return ErrTextMissing
		case item.UnitPrice == nil || *item.UnitPrice < 0 || *item.UnitPrice > maxAmount:
			return ErrMoneyInvalid
		}
		o.GoodsTotal += int64(item.Quantity) * *item.UnitPrice
	}
	o.Due = o.GoodsTotal + o.ShippingFee
	if reason, _ := o.Amounts.check(); reason != NotRejected {
		return ErrMoneyInvalid
	}
	return nil
}

// moveTo sets the wilaya by its code; the text becomes its French name.
func (o *Order) moveTo(code int, atlas *Gazetteer) error {
	if !atlas.Knows(code) {
		return ErrWilayaUnknown
	}
	o.WilayaCode, o.Wilaya = code, atlas.byCode[code].NameFr
	return nil
}

// Patch is a change of fields; nil ones stay.
type Patch struct {
	ETag     string
	Priority *int
	Tags     *[]string // the whole new set

	// What the shop owns, and people on manual orders.
	FullName   *string
	Phone      *string
	WilayaCode *int
	Commune    *string
	Address    *string
}

// ownedByShop names the first field of the patch that the shop owns, empty when there is none.
func (p *Patch) ownedByShop() string {
	switch {
	case p.FullName != nil:
		return "customerName"
	case p.Phone != nil:
		return "phone"
	case p.WilayaCode != nil:
		return "wilayaCode"
	case p.Commune != nil:
		return "commune"
	case p.Address != nil:
		return "address"
	default:
		return ""
	}
}

// Update changes fields of an order. *OwnedByShopError for a field of the shop on an order of the shop, *NotAllowedError for
// an agent's wish to change the priority, ErrStale, ErrPhoneInvalid, ErrWilayaUnknown, ErrNotFound. A patch that changes
// nothing writes nothing.
func (s *Service) Update(ctx context.Context, a Actor, id int64, p Patch) (*Order, error) {
	atlas, err := s.gazetteer(ctx)
	if err != nil {
		return nil, err
	}
	return s.store.Change(ctx, id, "UpdateOrder", func(o *Order) (*Entry, error) {
		switch {
		case !a.Sees(o):
			return nil, ErrNotFound
		case o.Origin == FromShop && p.ownedByShop() != "":
			return nil, &OwnedByShopError{Field: p.ownedByShop()}
		case p.Priority != nil && a.Mover != ByManager:
			return nil, &NotAllowedError{Field: "priority"}
		}
		before := *o
		if err := p.apply(o, atlas); err != nil {
			return nil, err
		}
		if p.WilayaCode != nil {
			o.promise(atlas, s.zone)
		}
		was, is := diff(&before, o)
		if string(is) == "{}" {
			return nil, nil //nolint:nilnil // nothing to write, and nothing wrong: repeating a save is no conflict
		}
		if err := before.fresh(p.ETag); err != nil {
			return nil, err
		}
		o.Version++
		o.TouchedAt = s.now()
		return &Entry{
			OrderID: o.ID, Kind: KindFields, Source: SourcePerson, ActorID: a.ID, ActorRole: a.Role,
			StatusBefore: before.Status, StatusAfter: o.Status, Before: was, After: is,
		}, nil
	})
}

func (p *Patch) apply(o *Order, atlas *Gazetteer) error {
	if p.Priority != nil {
		o.Priority = *p.Priority
	}
	if p.Tags != nil {
		o.Tags = *p.Tags
	}
	if p.FullName != nil {
		if o.name(strings.TrimSpace(*p.FullName)); o.FullName == "" {
			return ErrTextMissing
		}
	}
	if p.Phone != nil {
		o.phone(strings.TrimSpace(*p.Phone))
		if o.PhoneProblem != PhoneGood {
			return ErrPhoneInvalid
		}
	}
	if p.Commune != nil {
		o.Commune = *p.Commune
	}
	if p.Address != nil {
		o.Address = *p.Address
	}
	if p.WilayaCode != nil {
		return o.moveTo(*p.WilayaCode, atlas)
	}
	return nil
}

// ChangeStatus moves an order by hand. Repeating a move that was made changes nothing, whatever etag it carries.
// *TransitionError, ErrReasonRequired, ErrStale, ErrNotFound.
func (s *Service) ChangeStatus(ctx context.Context, a Actor, id int64, to Status, reason, etag string) (*Order, error) {
	return s.store.Change(ctx, id, "ChangeStatus", func(o *Order) (*Entry, error) {
		if !a.Sees(o) {
			return nil, ErrNotFound
		}
		// A manager's PENDING is a reopening, which lands on the desk of the order's agent: that is where its repetition finds it.
		reopened := to == Pending && a.Mover == ByManager && o.Status == Assigned && o.AgentID != ""
		if o.Status == to || reopened {
			return nil, nil //nolint:nilnil // as above: it is where it was wanted
		}
		if err := o.fresh(etag); err != nil {
			return nil, err
		}
		verdict, err := Judge(o, Move{To: to, By: a.Mover, Own: o.AgentID == a.ID, Reason: reason})
		if err != nil {
			return nil, err
		}
		before, now := *o, s.now()
		o.move(verdict, a.Mover, now, now)
		o.Version++
		o.TouchedAt = now
		was, is := diff(&before, o)
		return &Entry{
			OrderID: o.ID, Kind: KindStatus, Source: SourcePerson, ActorID: a.ID, ActorRole: a.Role,
			StatusBefore: before.Status, StatusAfter: o.Status, Before: was, After: is, Reason: strings.TrimSpace(reason),
		}, nil
	})
}

// AddNote adds a note to an order that the actor sees: ErrNotFound, ErrTextMissing.
func (s *Service) AddNote(ctx context.Context, orderID int64, body string, r Request) (Note, error) {
	note := Note{OrderID: orderID, AuthorID: r.Actor.ID, AuthorRole: r.Actor.Role, Body: strings.TrimSpace(body)}
	if note.Body == "" {
		return Note{}, ErrTextMissing
	}
	return s.store.AddNote(ctx, note, func(o *Order) error {
		if !r.Actor.Sees(o) {
			return ErrNotFound
		}
		return nil
	}, r)
}

// Notes lists notes of an order that the actor sees, newest first, after the id of the last one listed (0: from the start).
func (s *Service) Notes(ctx context.Context, a Actor, orderID, after int64, limit int) ([]Note, error) {
	if _, err := s.Order(ctx, a, orderID); err != nil {
		return nil, err
	}
	return s.store.Notes(ctx, orderID, after, limit)
}

// History lists the changes of an order that the actor sees, newest first, after the id of the last one listed.
func (s *Service) History(ctx context.Context, a Actor, orderID, after int64, limit int) ([]Entry, error) {
	if _, err := s.Order(ctx, a, orderID); err != nil {
		return nil, err
	}
	return s.store.History(ctx, orderID, after, limit)
}
