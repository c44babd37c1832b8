package ecomanagersim

import (
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/text/unicode/norm"
)

// wireOrder is an order as the shop API shows it: the bare object of GET /orders/{id} and a row of the listing alike.
type wireOrder struct {
	ID           int64                   `json:"id"`
	Reference    string                  `json:"reference"`
	Code         optional[string]        `json:"code,omitzero"`
	Name         optional[string]        `json:"name,omitzero"`
	FullName     string                  `json:"full_name"`
	Telephone    string                  `json:"telephone"`
	Wilaya       optional[string]        `json:"wilaya"`
	Commune      optional[string]        `json:"commune"`
	StateID      optional[int]           `json:"order_state_id,omitzero"`
	StateName    string                  `json:"order_state_name"`
	Confirmation optional[string]        `json:"confirmation_state_name"`
	History      optional[[]wireOutcome] `json:"confirmation_history,omitzero"`
	Confirmator  optional[Confirmator]   `json:"confirmator"`
	ConfirmedAt  optional[string]        `json:"confirmed_at"`
	Items        []wireItem              `json:"items"`
	Goods        looseNumber             `json:"total_products"`
	Total        looseNumber             `json:"total"`
	Shipping     optional[looseNumber]   `json:"total_shipping,omitzero"`
	Source       optional[string]        `json:"api_source,omitzero"`
	CreatedAt    string                  `json:"created_at"`
	UpdatedAt    optional[string]        `json:"updated_at"`
}

type wireOutcome struct {
	State     string `json:"state_name"`
	CreatedAt string `json:"created_at"`
}

type wireItem struct {
	ID        int64            `json:"id"`
	ProductID looseNumber      `json:"product_id"`
	SKU       optional[string] `json:"sku"`
	Title     string           `json:"title"`
	Quantity  looseNumber      `json:"quantity"`
	Price     looseNumber      `json:"selling_price"` // the real unit price; unit_price and total_price do not exist (lesson P13)
}

// show renders the truth with today's dirt.
func show(o *Order, d Dirt, dialect Dialect, zone *time.Location) wireOrder {
	text := func(s string) string {
		if shows(o, "nfd", d.DecomposedText) {
			return norm.NFD.String(s)
		}
		return s
	}
	layout := time.DateTime
	if shows(o, "t", d.DatesWithT) {
		layout = "2006-01-02T15:04:05"
	}
	date := func(t time.Time) string { return t.In(zone).Format(layout) }
	money := func(field string, centimes int64) looseNumber {
		return looseNumber{hundredths: centimes, quoted: shows(o, field, d.NumericStrings), places: 2}
	}

	w := wireOrder{
		ID: o.ID, Reference: o.Reference,
		FullName: text(o.Name), Telephone: o.Phone,
		Wilaya: filled(text(o.Wilaya)), Commune: filled(text(o.Commune)),
		StateName:    text(o.State),
		Confirmation: filled(text(o.Confirmation)),
		Confirmator:  null[Confirmator](), ConfirmedAt: null[string](),
		Items:     make([]wireItem, 0, len(o.Items)),
		Goods:     money("total_products", o.Goods),
		Total:     money("total", o.Total),
		CreatedAt: date(o.CreatedAt), UpdatedAt: of(date(o.UpdatedAt)),
	}
	if shows(o, "updated_at", d.MissingUpdatedAt) {
		w.UpdatedAt = null[string]()
	}
	if o.Confirmator != nil {
		w.Confirmator = of(*o.Confirmator)
	}
	if !o.ConfirmedAt.IsZero() {
		w.ConfirmedAt = of(date(o.ConfirmedAt))
	}
	for _, it := range o.Items {
		w.Items = append(w.Items, wireItem{
			ID:        it.ID,
			ProductID: looseNumber{hundredths: it.ProductID * 100, quoted: shows(o, "product_id", d.ProductIDStrings)},
			SKU:       filled(it.SKU),
			Title:     text(it.Title),
			Quantity:  looseNumber{hundredths: it.Quantity * 100, quoted: shows(o, "quantity", d.NumericStrings)},
			Price:     money("selling_price", it.Price),
		})
	}
	if shows(o, "optional", d.MissingOptional) {
		return w
	}
	w.Code, w.Name = null[string](), null[string]()
	w.StateID, w.Source = null[int](), filled(o.Source)
	if id := dialect.stateID(o.State); id != 0 {
		w.StateID = of(id)
	}
	history := make([]wireOutcome, 0, len(o.Outcomes))
	for _, c := range o.Outcomes {
		history = append(history, wireOutcome{State: text(c.State), CreatedAt: date(c.At)})
	}
	w.History, w.Shipping = of(history), of(money("total_shipping", o.Shipping))
	return w
}

// optional is a field that is absent (the zero value, with omitzero), null, or a value: three things JSON tells apart.
type optional[T any] struct {
	present bool
	value   *T
}

func of[T any](v T) optional[T] { return optional[T]{present: true, value: &v} }
func null[T any]() optional[T]  { return optional[T]{present: true} }

// filled is a text that is null when empty.
func filled(s string) optional[string] {
	if s == "" {
		return null[string]()
	}
	return of(s)
}

// IsZero is true for the absent value; encoding/json asks it for omitzero.
func (v optional[T]) IsZero() bool { return !v.present }

// MarshalJSON writes the value or null.
func (v optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(v.value) }

// looseNumber is a number the vendor writes as a JSON number in one row and as a string in the next.
type looseNumber struct {
	hundredths int64
	quoted     bool
	places     int // decimals a quoted amount carries: "3600.00"
}

// MarshalJSON writes 3600, 3600.5, "3600.00" or, without places, "3600".
func (n looseNumber) MarshalJSON() ([]byte, error) {
	whole, rest := n.hundredths/100, n.hundredths%100
	sign := ""
	if n.hundredths < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	switch {
	case n.quoted && n.places == 2:
		return fmt.Appendf(nil, `"%s%d.%02d"`, sign, whole, rest), nil
	case n.quoted:
		return fmt.Appendf(nil, `"%s%d"`, sign, whole), nil
	case rest == 0:
		return fmt.Appendf(nil, "%s%d", sign, whole), nil
	default:
		return fmt.Appendf(nil, "%s%d.%02d", sign, whole, rest), nil
	}
}
