package ecomanagersim

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// cursor is a place between two rows, as the vendor's framework writes it: the sort columns of the row beside it, and whether the page
// lies beyond that row or before it.
type cursor struct {
	key     key
	forward bool
}

// wireCursor is the JSON inside a cursor. The time comes first where it is the first sort column.
type wireCursor struct {
	UpdatedAt *string      `json:"updated_at,omitempty"`
	ID        *json.Number `json:"id,omitempty"`
	Forward   *bool        `json:"_pointsToNextItems,omitempty"`
}

func (c cursor) encode(l listing, zone *time.Location) string {
	id := json.Number(decimal(c.key.ID))
	w := wireCursor{ID: &id, Forward: &c.forward}
	if l.byTime {
		at := time.Unix(c.key.At, 0).In(zone).Format(time.DateTime)
		w.UpdatedAt = &at
		if !l.tieBreak {
			w.ID = nil
		}
	}
	b, err := json.Marshal(w)
	if err != nil {
		panic("ecomanagersim: a cursor cannot fail to encode: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor reads a cursor for a listing in the given order. Anything else (no base64, no JSON, a column missing, a cursor of another
// order) answers false, and the listing starts from its first page: the vendor does not complain, which is the trap (lesson P1).
func decodeCursor(text string, byTime bool, zone *time.Location) (cursor, bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return cursor{}, false
	}
	var w wireCursor
	if err := json.Unmarshal(b, &w); err != nil || w.ID == nil || w.Forward == nil || byTime != (w.UpdatedAt != nil) {
		return cursor{}, false
	}
	c := cursor{forward: *w.Forward}
	if c.key.ID, err = w.ID.Int64(); err != nil {
		return cursor{}, false
	}
	if byTime {
		at, err := time.ParseInLocation(time.DateTime, *w.UpdatedAt, zone)
		if err != nil {
			return cursor{}, false
		}
		c.key.At = at.Unix()
	}
	return c, true
}

// decodeUntiedCursor reads a cursor that carries the time alone. The listing goes on at the next second, as a database asked for
// updated_at < ? does: what is left of this second is lost.
func decodeUntiedCursor(text string, descending bool, zone *time.Location) (cursor, bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return cursor{}, false
	}
	var w wireCursor
	if err := json.Unmarshal(b, &w); err != nil || w.ID != nil || w.Forward == nil || w.UpdatedAt == nil {
		return cursor{}, false
	}
	at, err := time.ParseInLocation(time.DateTime, *w.UpdatedAt, zone)
	if err != nil {
		return cursor{}, false
	}
	c := cursor{key: key{At: at.Unix(), ID: math.MaxInt64}, forward: *w.Forward}
	if descending == c.forward {
		c.key.ID = math.MinInt64
	}
	return c, true
}
