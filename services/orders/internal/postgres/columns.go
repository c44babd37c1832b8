package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// column is one column of orders.sales_order: the one place where its name, its type and its field meet. Reading, inserting
// and updating are made from the same table, so a column cannot be forgotten in one of them.
type column struct {
	name    string
	sqlType string
	read    string                 // how it is selected; empty: as it is
	value   func(*order.Order) any // what is written; nil: only read here (the courier's mirror, ids, versions of time)
	once    bool                   // written when the order is made, never again
	list    bool                   // an array, which unnest would flatten: written one row at a time only
}

var columns = []column{
	{name: "id", sqlType: "bigint"},
	{name: "origin", sqlType: "text", once: true, value: func(o *order.Order) any { return string(o.Origin) }},
	{name: "store_id", sqlType: "uuid", read: "o.store_id::text", once: true, value: func(o *order.Order) any { return o.StoreID }},
	{name: "upstream_id", sqlType: "bigint", read: "coalesce(o.upstream_id, 0)", once: true, value: func(o *order.Order) any { return orNull(o.UpstreamID) }},
	{name: "reference", sqlType: "text", once: true, value: func(o *order.Order) any { return o.Reference }},

	{name: "upstream_state", sqlType: "text", value: func(o *order.Order) any { return o.UpstreamState }},
	{name: "upstream_state_key", sqlType: "text", value: func(o *order.Order) any { return o.UpstreamStateKey }},
	{name: "meaning", sqlType: "text", value: func(o *order.Order) any { return string(o.Meaning) }},
	{name: "meaning_at", sqlType: "timestamptz", value: func(o *order.Order) any { return o.MeaningAt }},
	{name: "state_map_version", sqlType: "integer", value: func(o *order.Order) any { return o.StateMapVersion }},
	{name: "confirmation_state", sqlType: "text", value: func(o *order.Order) any { return o.ConfirmationState }},
	{name: "upstream_updated_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.UpstreamUpdatedAt) }},
	{name: "observed_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.ObservedAt) }},
	{name: "raw_hash", sqlType: "bytea", value: func(o *order.Order) any { return bytesOrNull(o.RawHash) }},
	{name: "upstream_deleted_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.UpstreamDeletedAt) }},

	{name: "status", sqlType: "text", value: func(o *order.Order) any { return string(o.Status) }},
	{name: "cancelled_by", sqlType: "text", read: "coalesce(o.cancelled_by, '')", value: func(o *order.Order) any { return orNull(string(o.CancelledBy)) }},
	{name: "disagreement", sqlType: "text", read: "coalesce(o.disagreement, '')", value: func(o *order.Order) any { return orNull(string(o.Disagreement)) }},
	{name: "disagreement_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.DisagreementAt) }},
	{name: "tags", sqlType: "text[]", list: true, value: func(o *order.Order) any { return append([]string{}, o.Tags...) }},
	{name: "priority", sqlType: "smallint", value: func(o *order.Order) any { return o.Priority }},
	{name: "duplicate_of", sqlType: "bigint", read: "coalesce(o.duplicate_of, 0)"},
	{name: "deleted_at", sqlType: "timestamptz"},

	{name: "placed_at", sqlType: "timestamptz", value: func(o *order.Order) any { return o.PlacedAt }},
	{name: "ingested_at", sqlType: "timestamptz"},
	{name: "dispatched_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.DispatchedAt) }},
	{name: "ready_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.ReadyAt) }},
	{name: "assigned_at", sqlType: "timestamptz"},
	{name: "first_call_at", sqlType: "timestamptz"},
	{name: "confirmed_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.ConfirmedAt) }},
	{name: "shipped_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.ShippedAt) }},
	{name: "delivered_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.DeliveredAt) }},
	{name: "returned_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.ReturnedAt) }},
	{name: "cancelled_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.CancelledAt) }},
	{name: "deliver_by", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.DeliverBy) }},
	{name: "touched_at", sqlType: "timestamptz", value: func(o *order.Order) any { return o.TouchedAt }},

	{name: "agent_id", sqlType: "uuid", read: "coalesce(o.agent_id::text, '')"},
	{name: "next_action", sqlType: "text", read: "coalesce(o.next_action, '')", value: func(o *order.Order) any { return orNull(o.NextAction) }},
	{name: "next_action_at", sqlType: "timestamptz", value: func(o *order.Order) any { return timeOrNull(o.NextActionAt) }},
	{name: "call_count", sqlType: "integer"},
	{name: "last_outcome", sqlType: "text", read: "coalesce(o.last_outcome, '')"},

	{name: "parcel_id", sqlType: "text", read: "coalesce(o.parcel_id, '')"},
	{name: "tracking_number", sqlType: "text", read: "coalesce(o.tracking_number, '')"},
	{name: "courier_code", sqlType: "integer", read: "coalesce(o.courier_code, 0)"},
	{name: "courier_state", sqlType: "text", read: "coalesce(o.courier_state, '')"},
	{name: "courier_at", sqlType: "timestamptz"},
	{name: "courier_attempts", sqlType: "integer"},
	{name: "courier_postponed_to", sqlType: "date", read: "coalesce(to_char(o.courier_postponed_to, 'YYYY-MM-DD'), '')"},
	{name: "courier_reason", sqlType: "text", read: "coalesce(o.courier_reason, '')"},
	{name: "mirror_seq", sqlType: "bigint"},
	{name: "no_parcel_at", sqlType: "timestamptz"},

	{name: "customer_id", sqlType: "bigint", read: "coalesce(o.customer_id, 0)"},
	{name: "full_name", sqlType: "text", value: func(o *order.Order) any { return o.FullName }},
	{name: "search_name", sqlType: "text", value: func(o *order.Order) any { return o.SearchName }},
	{name: "phone", sqlType: "text", value: func(o *order.Order) any { return o.Phone }},
	{name: "phone_e164", sqlType: "text", read: "coalesce(o.phone_e164, '')", value: func(o *order.Order) any { return orNull(o.PhoneE164) }},
	{name: "phone_problem", sqlType: "text", read: "coalesce(o.phone_problem, '')", value: func(o *order.Order) any { return orNull(string(o.PhoneProblem)) }},
	{name: "wilaya", sqlType: "text", value: func(o *order.Order) any { return o.Wilaya }},
	{name: "wilaya_code", sqlType: "smallint", read: "coalesce(o.wilaya_code, 0)", value: func(o *order.Order) any { return orNull(o.WilayaCode) }},
	{name: "commune", sqlType: "text", value: func(o *order.Order) any { return o.Commune }},
	{name: "address", sqlType: "text", value: func(o *order.Order) any { return o.Address }},

	{name: "goods_total", sqlType: "bigint", value: func(o *order.Order) any { return o.GoodsTotal }},
	{name: "shipping_fee", sqlType: "bigint", value: func(o *order.Order) any { return o.ShippingFee }},
	{name: "due", sqlType: "bigint", value: func(o *order.Order) any { return o.Due }},
	{name: "currency", sqlType: "char(3)", value: func(o *order.Order) any { return o.Currency }},

	{name: "version", sqlType: "bigint", value: func(o *order.Order) any { return max(o.Version, 1) }},
	{name: "shop_version", sqlType: "bigint", value: func(o *order.Order) any { return max(o.ShopVersion, 1) }},
	{name: "updated_at", sqlType: "timestamptz"},
}

// selectOrder begins every statement that reads orders, as `o`.
var selectOrder = "SELECT " + joined(func(column) bool { return true }, func(_ int, c column) string {
	if c.read == "" {
		return "o." + c.name
	}
	return c.read + " AS " + c.name
}) + " FROM orders.sales_order o"

func made(c column) bool    { return c.value != nil }
func madeSet(c column) bool { return c.value != nil && !c.list }
func kept(c column) bool    { return c.value != nil && !c.once }
func keptSet(c column) bool { return c.value != nil && !c.once && !c.list }

// joined lists the columns that are wanted, each as `as` writes it; n counts them from 1.
func joined(wanted func(column) bool, as func(n int, c column) string) string {
	var parts []string
	for _, c := range columns {
		if wanted(c) {
			parts = append(parts, as(len(parts)+1, c))
		}
	}
	return strings.Join(parts, ", ")
}

func names(wanted func(column) bool) string {
	return joined(wanted, func(_ int, c column) string { return c.name })
}

// arrays lists the parameters of an unnest over the wanted columns, the first being $first.
func arrays(wanted func(column) bool, first int) string {
	return joined(wanted, func(n int, c column) string { return fmt.Sprintf("$%d::%s[]", n+first-1, c.sqlType) })
}

// perColumn turns rows into one array per wanted column.
func perColumn(wanted func(column) bool, rows []*order.Order) []any {
	var args []any
	for _, c := range columns {
		if !wanted(c) {
			continue
		}
		values := make([]any, len(rows))
		for n, row := range rows {
			values[n] = c.value(row)
		}
		args = append(args, values)
	}
	return args
}

// perRow is the values of one row.
func perRow(wanted func(column) bool, row *order.Order) []any {
	var args []any
	for _, c := range columns {
		if wanted(c) {
			args = append(args, c.value(row))
		}
	}
	return args
}

// orNull writes nothing as NULL: in the table an absent code is absent, in Go it is the zero value.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func timeOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return *t
}

func bytesOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
