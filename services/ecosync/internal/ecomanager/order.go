package ecomanager

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// wireOrder takes every field as it comes; the reader types them one by one, so
// that a surprise names its field. Fields that are not listed are tolerated and
// live on in the raw payload.
type wireOrder struct {
	ID                    json.RawMessage `json:"id"`
	Reference             json.RawMessage `json:"reference"`
	FullName              json.RawMessage `json:"full_name"`
	Telephone             json.RawMessage `json:"telephone"`
	Wilaya                json.RawMessage `json:"wilaya"`
	Commune               json.RawMessage `json:"commune"`
	OrderStateName        json.RawMessage `json:"order_state_name"`
	ConfirmationStateName json.RawMessage `json:"confirmation_state_name"`
	Items                 json.RawMessage `json:"items"`
	TotalProducts         json.RawMessage `json:"total_products"`
	Total                 json.RawMessage `json:"total"`
	TotalShipping         json.RawMessage `json:"total_shipping"`
	CreatedAt             json.RawMessage `json:"created_at"`
	UpdatedAt             json.RawMessage `json:"updated_at"`
}

type wireItem struct {
	ID           json.RawMessage `json:"id"`
	ProductID    json.RawMessage `json:"product_id"`
	SKU          json.RawMessage `json:"sku"`
	Title        json.RawMessage `json:"title"`
	Quantity     json.RawMessage `json:"quantity"`
	SellingPrice json.RawMessage `json:"selling_price"`
}

// decodeRow turns one element of a page, or the body of a single read, into an
// order or a named problem. Every field that is read is one that an order is
// worked or paid by, so a field that cannot be read is a problem and never a
// default.
func decodeRow(raw json.RawMessage, zone *time.Location) shop.Row {
	// A copy: raw is a window into the page, which would otherwise stay in
	// memory as long as one of its rows.
	row := shop.Row{Raw: bytes.Clone(raw)}
	var w wireOrder
	if kind(raw) != '{' || json.Unmarshal(raw, &w) != nil {
		row.Problem = &shop.Problem{Reason: shop.NotAnObject, Detail: "the row is no JSON object"}
		return row
	}
	r := &reader{zone: zone}
	o := r.order(w)
	if len(raw) > shop.MaxRow {
		// It would be refused by size together with the rows it travels with.
		r.problem = &shop.Problem{Reason: shop.RowTooLarge, Detail: "the row is larger than any order"}
	}
	if r.problem != nil {
		row.Problem = r.problem
		row.Problem.ID, row.Problem.Reference = o.ID, o.Reference
		return row
	}
	row.Order = o
	return row
}

func (r *reader) order(w wireOrder) *shop.Order {
	id, present := r.whole("id", w.ID)
	if !present || id <= 0 {
		id = 0
		r.fail(shop.FieldMissing, "id", "the order has no number")
	}
	o := &shop.Order{
		ID:        id,
		Reference: r.text("reference", w.Reference),
		Customer:  r.text("full_name", w.FullName),
		Phone:     r.text("telephone", w.Telephone),
		Wilaya:    r.text("wilaya", w.Wilaya),
		Commune:   r.text("commune", w.Commune),
		State:     r.text("order_state_name", w.OrderStateName),

		ConfirmationState: r.text("confirmation_state_name", w.ConfirmationStateName),

		Items:      r.items(w.Items),
		GoodsTotal: r.money("total_products", w.TotalProducts),
		Shipping:   r.money("total_shipping", w.TotalShipping),
		Due:        r.money("total", w.Total),

		PlacedAt:  r.time("created_at", w.CreatedAt),
		UpdatedAt: r.time("updated_at", w.UpdatedAt),
	}
	if o.Reference == "" {
		// The courier knows the order by its reference alone: without one it
		// could never be followed.
		r.fail(shop.FieldMissing, "reference", "the order has no reference")
	}
	return o
}

// items reads the lines; none at all is legal (quirk Q6).
func (r *reader) items(raw json.RawMessage) []shop.Item {
	if absent(raw) {
		return nil
	}
	lines, ok := list(raw)
	if !ok {
		r.fail(shop.FieldType, "items", "a list was expected")
		return nil
	}
	items := make([]shop.Item, 0, len(lines))
	for i, raw := range lines {
		at := func(field string) string { return fmt.Sprintf("items[%d].%s", i, field) }
		var w wireItem
		if kind(raw) != '{' || json.Unmarshal(raw, &w) != nil {
			r.fail(shop.NotAnObject, fmt.Sprintf("items[%d]", i), "the line is no JSON object")
			return nil
		}
		quantity, present := r.whole(at("quantity"), w.Quantity)
		if !present || quantity < 1 || quantity > math.MaxInt32 {
			// Not taken for 1: how many pieces leave is money.
			r.fail(shop.BadNumber, at("quantity"), "a quantity is 1 or more")
		}
		line, _ := r.whole(at("id"), w.ID)
		items = append(items, shop.Item{
			LineID:    line,
			ProductID: r.text(at("product_id"), w.ProductID),
			SKU:       r.text(at("sku"), w.SKU),
			Title:     r.text(at("title"), w.Title),
			Quantity:  int32(quantity), //nolint:gosec // G115: checked above; a row with a problem is not used
			UnitPrice: r.money(at("selling_price"), w.SellingPrice),
		})
	}
	return items
}

// list reads a JSON list, and an object with numeric keys as well: PHP writes a
// list with a hole in it as {"0": …, "2": …}.
func list(raw json.RawMessage) ([]json.RawMessage, bool) {
	var lines []json.RawMessage
	if json.Unmarshal(raw, &lines) == nil {
		return lines, true
	}
	var keyed map[string]json.RawMessage
	if json.Unmarshal(raw, &keyed) != nil {
		return nil, false
	}
	keys := make([]int, 0, len(keyed))
	for key := range keyed {
		n, err := strconv.Atoi(key)
		if err != nil || strconv.Itoa(n) != key {
			return nil, false
		}
		keys = append(keys, n)
	}
	slices.Sort(keys)
	for _, n := range keys {
		lines = append(lines, keyed[strconv.Itoa(n)])
	}
	return lines, true
}
