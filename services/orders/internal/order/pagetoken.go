package order

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// ErrPageTokenInvalid says that a page token is damaged, or belongs to another list, other filters or another user.
var ErrPageTokenInvalid = errors.New("page token invalid")

// Cursor is the last row of a page: the next page begins behind it. At is the sort key (zero for lists sorted by id alone), ID the tie-break,
// so that a row is never shown twice and never skipped, whatever is written meanwhile.
type Cursor struct {
	At time.Time
	ID int64
}

const (
	pageTokenKey   = 16 // two big-endian 64-bit numbers: microseconds, id
	pageTokenBytes = pageTokenKey + 8
)

// PageToken writes a cursor for clients to hand back. The scope names the list, its filters and its user; a token shown with another scope is
// refused. It is a checksum and not a signature: a forged position reads nothing that the filters, judged anew on every page, would not show.
func PageToken(c Cursor, scope string) string {
	raw := make([]byte, pageTokenBytes)
	micros := int64(0)
	if !c.At.IsZero() {
		micros = c.At.UnixMicro()
	}
	binary.BigEndian.PutUint64(raw, uint64(micros))
	binary.BigEndian.PutUint64(raw[8:], uint64(c.ID)) //nolint:gosec // G115: the bits are the value
	sum := pageTokenSum(raw[:pageTokenKey], scope)
	copy(raw[pageTokenKey:], sum[:])
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParsePageToken reads a token made for the same scope. An empty token is the first page: nil. Anything else that PageToken did not make for
// this scope is ErrPageTokenInvalid.
func ParsePageToken(token, scope string) (*Cursor, error) {
	if token == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != pageTokenBytes {
		return nil, ErrPageTokenInvalid
	}
	if sum := pageTokenSum(raw[:pageTokenKey], scope); string(sum[:]) != string(raw[pageTokenKey:]) {
		return nil, ErrPageTokenInvalid
	}
	c := Cursor{ID: int64(binary.BigEndian.Uint64(raw[8:]))}        //nolint:gosec // G115: as written
	if micros := int64(binary.BigEndian.Uint64(raw)); micros != 0 { //nolint:gosec // G115: as written
		c.At = time.UnixMicro(micros).UTC()
	}
	return &c, nil
}

func pageTokenSum(key []byte, scope string) [8]byte {
	whole := sha256.Sum256(append(key[:pageTokenKey:pageTokenKey], scope...))
	return [8]byte(whole[:8])
}
