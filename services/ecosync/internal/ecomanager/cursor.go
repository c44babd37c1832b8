package ecomanager

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// decodeCursor looks into the bookmark. It is opaque by contract, so nothing
// but the order check depends on what it says, and one that cannot be read is
// used all the same. Laravel writes base64url without padding, of an object
// with the sort columns of the last row and a direction flag.
func decodeCursor(token string, zone *time.Location) shop.Cursor {
	c := shop.Cursor{Token: token}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "="))
	if err != nil {
		return c
	}
	var columns map[string]json.RawMessage
	if json.Unmarshal(body, &columns) != nil {
		return c
	}
	const direction = "_pointsToNextItems"
	if _, ok := columns[direction]; !ok {
		return c
	}
	delete(columns, direction)
	r := &reader{zone: zone}
	for name, raw := range columns {
		// With a join Laravel qualifies its columns: "orders.updated_at".
		switch name[strings.LastIndexByte(name, '.')+1:] {
		case "updated_at":
			c.At = r.time(name, raw)
		case "id":
			c.ID, _ = r.whole(name, raw)
		}
	}
	if r.problem != nil {
		return shop.Cursor{Token: token}
	}
	c.Decoded = true
	c.TieBreak = c.At.IsZero() || len(columns) > 1
	return c
}
