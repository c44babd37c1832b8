package rpc

import (
	"google.golang.org/genproto/googleapis/type/money"

	ordersv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/orders/v1"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

func fromIngest(req *ordersv1.IngestOrdersRequest) order.Batch {
	b := order.Batch{StoreID: req.GetStoreId(), Trigger: order.Trigger(req.GetSource().String()), StateMapVersion: req.GetStateMapVersion()}
	for _, in := range req.GetOrders() {
		b.Rows = append(b.Rows, fromRow(in))
	}
	return b
}

// fromRow reads one row of a shop. What cannot be held is noted as the row's fault, never an error of the whole call.
func fromRow(in *ordersv1.IngestOrder) *order.Row {
	r := &order.Row{
		UpstreamID: in.GetUpstreamId(), Reference: in.GetReference(), ObservedAt: fromTime(in.GetObservedAt()),
		UpstreamState: in.GetUpstreamState(), Meaning: fromMeaning(in.GetMeaning()), ConfirmationState: in.GetConfirmationState(),
		FullName: in.GetCustomerName(), Phone: in.GetPhone(), Wilaya: in.GetWilaya(), Commune: in.GetCommune(), Address: in.GetAddress(),
		Amounts:  order.Amounts{Currency: order.DZD},
		PlacedAt: fromTime(in.GetPlacedAt()), UpdatedAt: fromTime(in.GetUpstreamUpdatedAt()), Raw: in.GetRaw(),
	}
	r.Amounts.Due = amount(r, "due", in.GetDue(), true)
	r.Amounts.GoodsTotal = amount(r, "goods total", in.GetGoodsTotal(), false)
	r.Amounts.ShippingFee = amount(r, "shipping fee", in.GetShippingFee(), false)
	if in.GetShippingFee() == nil && in.GetGoodsTotal() != nil {
		r.Amounts.InferShipping()
	}
	for _, line := range in.GetItems() {
		item := order.Item{
			UpstreamLineID: line.GetUpstreamId(), UpstreamProductID: line.GetProductId(), SKU: line.GetSku(), Title: line.GetTitle(),
			Quantity: int(line.GetQuantity()),
		}
		if line.GetUnitPrice() != nil {
			price := amount(r, "price of a line", line.GetUnitPrice(), true)
			item.UnitPrice = &price
		}
		r.Items = append(r.Items, item)
	}
	return r
}

// amount reads an amount of a row; absent is 0 where the shop need not say.
func amount(r *order.Row, name string, m *money.Money, required bool) int64 {
	if m == nil && !required {
		return 0
	}
	minor, ok := fromMoney(m)
	if !ok {
		r.Fault, r.FaultText = order.MoneyInvalid, "the "+name+" is missing, negative, in another currency or finer than a centime"
	}
	return minor
}

func fromMeaning(m ordersv1.Meaning_Value) order.Meaning {
	if m == ordersv1.Meaning_VALUE_UNSPECIFIED {
		return order.NoMeaning // a state that nobody has mapped asks for nothing; the sync alerts about it (lesson P15)
	}
	return order.Meaning(m.String())
}

func fromDraft(req *ordersv1.CreateOrderRequest) (order.Draft, error) {
	d := order.Draft{
		StoreID: req.GetStoreId(), FullName: req.GetCustomerName(), Phone: req.GetPhone(), WilayaCode: int(req.GetWilayaCode()),
		Commune: req.GetCommune(), Address: req.GetAddress(), Tags: req.GetTags(), Note: req.GetNote(),
	}
	ok := true
	if req.GetShippingFee() != nil {
		d.ShippingFee, ok = fromMoney(req.GetShippingFee())
	}
	for _, line := range req.GetItems() {
		price, exact := fromMoney(line.GetUnitPrice())
		ok = ok && exact
		d.Items = append(d.Items, order.Item{SKU: line.GetSku(), Title: line.GetTitle(), Quantity: int(line.GetQuantity()), UnitPrice: &price})
	}
	if !ok {
		return order.Draft{}, order.ErrMoneyInvalid
	}
	return d, nil
}

func fromPatch(req *ordersv1.UpdateOrderRequest) order.Patch {
	p := order.Patch{
		ETag: req.GetEtag(), Priority: fromInt(req.Priority), FullName: req.CustomerName, Phone: req.Phone,
		WilayaCode: fromInt(req.WilayaCode), Commune: req.Commune, Address: req.Address,
	}
	if req.GetTags() != nil {
		tags := req.GetTags().GetValues()
		p.Tags = &tags
	}
	return p
}

func fromInt(n *int32) *int {
	if n == nil {
		return nil
	}
	wide := int(*n)
	return &wide
}
