package ecomanager

import (
	"testing"
	"time"
)

// FuzzCursor feeds the order check with anything a shop may name a bookmark: it
// is kept as it came, and never both unreadable and believed (lesson P1).
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{
		"", "garbage", "eyJpZCI6NzAwMTAxLCJfcG9pbnRzVG9OZXh0SXRlbXMiOnRydWV9",
		"eyJ1cGRhdGVkX2F0IjoiMjAyNS0xMS0xOCAxMDowMjo0NCIsImlkIjo3MDAxMjMsIl9wb2ludHNUb05leHRJdGVtcyI6dHJ1ZX0",
		"eyJ1cGRhdGVkX2F0IjoiMjAyNS0xMS0xOCAxMDowMjo0NCIsIl9wb2ludHNUb05leHRJdGVtcyI6dHJ1ZX0", "bnVsbA", "e30", "W10=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c := decodeCursor(token, time.UTC)
		if c.Token != token {
			t.Errorf("sent back as %q", c.Token)
		}
		if !c.Decoded && (c.TieBreak || c.ID != 0 || !c.At.IsZero()) {
			t.Errorf("not read, and believed: %+v", c)
		}
		if c.Decoded && c.At.IsZero() && !c.TieBreak {
			t.Errorf("a listing by id needs no second column: %+v", c)
		}
	})
}
