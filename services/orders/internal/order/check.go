package order

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// RejectReason is why a row cannot be stored.
type RejectReason string

// The reasons.
const (
	NotRejected       RejectReason = ""
	IdentityMismatch  RejectReason = "IDENTITY_MISMATCH" // the stored order of this id has another reference
	IDInvalid         RejectReason = "ID_INVALID"
	ReferenceInvalid  RejectReason = "REFERENCE_INVALID"
	PlacedAtInvalid   RejectReason = "PLACED_AT_INVALID"
	MoneyInvalid      RejectReason = "MONEY_INVALID"
	ItemInvalid       RejectReason = "ITEM_INVALID"
	TextInvalid       RejectReason = "TEXT_INVALID"
	ObservedAtInvalid RejectReason = "OBSERVED_AT_INVALID"
	MeaningInvalid    RejectReason = "MEANING_INVALID" // a meaning that this version does not know
)

// Limits of a row. They bound what one hostile row can cost, far above what a real one needs.
const (
	maxReference = 64
	maxItems     = 200
	maxQuantity  = 100_000
	maxTitle     = 500
	maxShortText = 200  // names, places, states, SKUs
	maxAddress   = 1000 // streets are described, not numbered
	maxRaw       = 256 << 10
	maxAmount    = 1_000_000_000_00 // minor units; a typing mistake beyond it would overflow a sum one day
)

// earliestOrder is before anybody sold anything here; a zero date of a shop (1970, 0000) is not an order's.
var earliestOrder = time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)

// latestAhead is how far after its observation an order may have been placed: shops write local times, and one that is set to
// a wrong zone is half a day off. A row dated years ahead would head every list for ever.
const latestAhead = 36 * time.Hour

// Check tells why a row cannot be stored, before anything is asked of storage. The message holds no personal data.
func (r *Row) Check() (RejectReason, string) {
	switch {
	case r.UpstreamID <= 0:
		return IDInvalid, "the id is missing or not positive"
	case r.Reference == "" || utf8.RuneCountInString(r.Reference) > maxReference:
		return ReferenceInvalid, fmt.Sprintf("the reference is empty or longer than %d characters", maxReference)
	case r.ObservedAt.IsZero():
		return ObservedAtInvalid, "the time of observation is missing"
	case r.PlacedAt.Before(earliestOrder) || r.PlacedAt.After(r.ObservedAt.Add(latestAhead)):
		return PlacedAtInvalid, "the time of the order is missing or impossible"
	case !slices.Contains([]Meaning{NoMeaning, FollowUp, ShopCancelled, ShopDelivered, ShopReturned}, r.Meaning):
		return MeaningInvalid, "the meaning of the state is none that this version knows"
	case r.Fault != NotRejected:
		return r.Fault, r.FaultText
	}
	if reason, message := r.Amounts.check(); reason != NotRejected {
		return reason, message
	}
	if reason, message := checkItems(r.Items); reason != NotRejected {
		return reason, message
	}
	return r.checkTexts()
}

func (a Amounts) check() (RejectReason, string) {
	for _, amount := range []int64{a.GoodsTotal, a.ShippingFee, a.Due} {
		if amount < 0 || amount > maxAmount {
			return MoneyInvalid, "an amount is negative or beyond any order"
		}
	}
	return NotRejected, ""
}

func checkItems(items []Item) (RejectReason, string) {
	if len(items) > maxItems {
		return ItemInvalid, fmt.Sprintf("more than %d lines", maxItems)
	}
	for n, item := range items {
		switch {
		case item.Title == "":
			return ItemInvalid, fmt.Sprintf("line %d has no title", n+1)
		case item.Quantity < 1 || item.Quantity > maxQuantity:
			return ItemInvalid, fmt.Sprintf("the quantity of line %d is not 1 to %d", n+1, maxQuantity)
		case item.UnitPrice != nil && (*item.UnitPrice < 0 || *item.UnitPrice > maxAmount):
			return MoneyInvalid, fmt.Sprintf("the price of line %d is negative or beyond any order", n+1)
		case !fits(item.Title, maxTitle) || !fits(item.SKU, maxShortText) || !fits(item.UpstreamProductID, maxShortText):
			return TextInvalid, fmt.Sprintf("a text of line %d is too long or not text", n+1)
		}
	}
	return NotRejected, ""
}

func (r *Row) checkTexts() (RejectReason, string) {
	for name, text := range map[string]string{
		"reference": r.Reference, "state": r.UpstreamState, "confirmation": r.ConfirmationState, "name": r.FullName,
		"telephone": r.Phone, "wilaya": r.Wilaya, "commune": r.Commune,
	} {
		if !fits(text, maxShortText) {
			return TextInvalid, "the " + name + " is too long or not text"
		}
	}
	if !fits(r.Address, maxAddress) || len(r.Raw) > maxRaw {
		return TextInvalid, "the address or the raw row is too long or not text"
	}
	return NotRejected, ""
}

// fits: PostgreSQL stores no NUL and no broken UTF-8; one such text would fail the batch it came in.
func fits(text string, limit int) bool {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > limit {
		return false
	}
	for i := range len(text) {
		if text[i] == 0 {
			return false
		}
	}
	return true
}
