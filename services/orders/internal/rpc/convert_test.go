package rpc

import (
	"testing"

	"google.golang.org/genproto/googleapis/type/money"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

func TestMoneyIsExactToTheCentime(t *testing.T) {
	for _, c := range []struct {
		in   *money.Money
		want int64
		ok   bool
	}{
		{&money.Money{CurrencyCode: "DZD", Units: 3600}, 360_000, true},
		{&money.Money{CurrencyCode: "DZD", Units: 3600, Nanos: 990_000_000}, 360_099, true},
		{&money.Money{CurrencyCode: "DZD"}, 0, true},
		{&money.Money{CurrencyCode: "DZD", Nanos: 1}, 0, false},
		{&money.Money{CurrencyCode: "DZD", Units: -1}, 0, false},
		{&money.Money{CurrencyCode: "DZD", Nanos: -10_000_000}, 0, false},
		{&money.Money{CurrencyCode: "DZD", Nanos: 1_000_000_000}, 0, false},
		{&money.Money{CurrencyCode: "DZD", Units: 1 << 62}, 0, false},
		{&money.Money{CurrencyCode: "EUR", Units: 1}, 0, false},
		{&money.Money{Units: 1}, 0, false},
		{nil, 0, false},
	} {
		got, ok := fromMoney(c.in)
		if got != c.want || ok != c.ok {
			t.Errorf("%v: got %d %v, want %d %v", c.in, got, ok, c.want, c.ok)
		}
		if back, _ := fromMoney(toMoney(got, order.DZD)); ok && back != got {
			t.Errorf("%d came back as %d", got, back)
		}
	}
}

// The domain's words and the contract's are the same words.
func TestEveryWordOfTheDomainIsInTheContract(t *testing.T) {
	for vocabulary, words := range map[*map[string]int32][]string{
		&ordersv1.OrderStatus_Value_value:   words(order.Statuses()...),
		&ordersv1.Meaning_Value_value:       words(order.NoMeaning, order.FollowUp, order.ShopCancelled, order.ShopDelivered, order.ShopReturned),
		&ordersv1.Origin_Value_value:        words(order.FromShop, order.ByHand),
		&ordersv1.PhoneProblem_Value_value:  words(order.PhoneMissing, order.PhoneTooShort, order.PhoneTooLong, order.PhoneUnknownPrefix),
		&ordersv1.IngestSource_Value_value:  words(order.Pass, order.Rescan, order.Webhook, order.Backfill),
		&ordersv1.IngestOutcome_Value_value: words(order.Created, order.Updated, order.Unchanged, order.Stale, order.Deleted, order.Rejected),
		&ordersv1.ChangeSource_Value_value:  words(order.SourcePerson, order.SourceShop, order.SourceCourier, order.SourceAssignment, order.SourceSystem),
		&ordersv1.Disagreement_Value_value: words(order.ShopSaysCancelled, order.ShopSaysDelivered, order.ShopSaysReturned, order.ShopTookBack,
			order.CourierReopened, order.CourierWasRefused),
		&ordersv1.RejectReason_Value_value: words(order.IdentityMismatch, order.IDInvalid, order.ReferenceInvalid, order.PlacedAtInvalid,
			order.MoneyInvalid, order.ItemInvalid, order.TextInvalid, order.ObservedAtInvalid, order.MeaningInvalid),
	} {
		for _, word := range words {
			if (*vocabulary)[word] == 0 {
				t.Errorf("the contract has no %s", word)
			}
		}
		if len(*vocabulary) != len(words)+1 {
			t.Errorf("the contract has %d words besides the unspecified one, the domain %d: %v", len(*vocabulary)-1, len(words), words)
		}
	}
}

func words[S ~string](values ...S) []string {
	list := make([]string, len(values))
	for n, v := range values {
		list[n] = string(v)
	}
	return list
}

func TestAShippingFeeThatTheShopLeftOutIsTheRestOfWhatIsDue(t *testing.T) {
	dinars := func(n int64) *money.Money { return &money.Money{CurrencyCode: order.DZD, Units: n} }
	for name, tc := range map[string]struct {
		row  *ordersv1.IngestOrder
		want int64
	}{
		"said":                 {&ordersv1.IngestOrder{GoodsTotal: dinars(3200), ShippingFee: dinars(300), Due: dinars(3600)}, 30_000},
		"left out":             {&ordersv1.IngestOrder{GoodsTotal: dinars(3200), Due: dinars(3600)}, 40_000},
		"left out, discounted": {&ordersv1.IngestOrder{GoodsTotal: dinars(3200), Due: dinars(3000)}, 0},
		"goods left out too":   {&ordersv1.IngestOrder{Due: dinars(3600)}, 0},
	} {
		if got := fromRow(tc.row).Amounts.ShippingFee; got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
