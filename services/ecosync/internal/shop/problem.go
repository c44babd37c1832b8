package shop

import "fmt"

// Reason names why a row could not become an order. The names are stored in
// quarantine rows and shown to people, so they are never renamed.
type Reason string

const (
	// NotAnObject is a row that is no JSON object.
	NotAnObject Reason = "NOT_AN_OBJECT"
	// FieldMissing is a field without which the order has no identity.
	FieldMissing Reason = "FIELD_MISSING"
	// FieldType is a field of another JSON type than any that was ever seen.
	FieldType Reason = "FIELD_TYPE"
	// BadNumber is text where a whole number was expected.
	BadNumber Reason = "BAD_NUMBER"
	// BadMoney is an amount that is not exact in centimes, or whose separators
	// can be read in two ways.
	BadMoney Reason = "BAD_MONEY"
	// BadTime is a time in no known shape.
	BadTime Reason = "BAD_TIME"
	// RowTooLarge is a row of a size that no order has; see MaxRow.
	RowTooLarge Reason = "ROW_TOO_LARGE"
	// Rejected is a row that was decoded and that the orders service refused.
	Rejected Reason = "REJECTED"
)

// MaxRow is the most JSON that one order may be, in bytes: as much as the orders
// service keeps. A usual order is one or two thousand.
const MaxRow = 256 << 10

// Problem says which field of which row stood in the way.
type Problem struct {
	Reason Reason
	// Field is the path inside the row, like "items[1].selling_price".
	Field string
	// Detail is for people; it never quotes a value, since the value may be a
	// name or a phone.
	Detail string
	// ID and Reference are what could be read of the row's identity, so that a
	// person can find it in the shop; zero when unreadable.
	ID        int64
	Reference string
}

func (p *Problem) Error() string {
	if p.Field == "" {
		return fmt.Sprintf("%s: %s", p.Reason, p.Detail)
	}
	return fmt.Sprintf("%s at %s: %s", p.Reason, p.Field, p.Detail)
}
