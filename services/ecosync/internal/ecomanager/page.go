package ecomanager

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

// wirePage is Laravel's cursor paginator. Presence is checked field by field:
// an envelope without its cursor is a broken answer, never the end of data
// (lesson P29).
type wirePage struct {
	Data  *[]json.RawMessage         `json:"data"`
	Links *struct{ Next *string }    `json:"links"`
	Meta  map[string]json.RawMessage `json:"meta"`
}

// decodePage reads a listing. Its errors are faults of class Truncated or
// WrongShape; a bad row is no error but a Row with a Problem.
func decodePage(body []byte, zone *time.Location) (shop.Page, error) {
	var w wirePage
	if err := decodeJSON(body, &w); err != nil {
		return shop.Page{}, err
	}
	next, present := w.Meta["next_cursor"]
	if w.Data == nil || !present {
		return shop.Page{}, shop.NewFault(shop.WrongShape, 0, errEnvelope)
	}
	var token *string
	// The end of data is null. An empty text is a cursor that was lost, and
	// taking it for the end would move the head over pages nobody read (lesson P29).
	if json.Unmarshal(next, &token) != nil || token != nil && *token == "" {
		return shop.Page{}, shop.NewFault(shop.WrongShape, 0, errEnvelope)
	}
	// The two statements of "what comes next" must agree where both are made:
	// a lost cursor would end the walk early and in silence.
	if w.Links != nil && (w.Links.Next != nil) != (token != nil) {
		return shop.Page{}, shop.NewFault(shop.WrongShape, 0, errEnvelope)
	}
	page := shop.Page{Rows: make([]shop.Row, 0, len(*w.Data))}
	if token != nil {
		page.Next = decodeCursor(*token, zone)
	}
	for _, raw := range *w.Data {
		page.Rows = append(page.Rows, decodeRow(raw, zone))
	}
	return page, nil
}

var (
	errEnvelope = errors.New("the envelope of the listing is not the one of this API")
	errNotJSON  = errors.New("the answer is not JSON")
)

// decodeJSON tells an answer that broke off from one that is something else:
// the first is worth a second try, the second is most often an error page.
func decodeJSON(body []byte, into *wirePage) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	err := dec.Decode(into)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return shop.NewFault(shop.WrongShape, 0, errNotJSON)
		}
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return shop.NewFault(shop.Truncated, 0, err)
	case errors.As(err, &syntax):
		return shop.NewFault(shop.WrongShape, 0, errNotJSON)
	}
	return shop.NewFault(shop.WrongShape, 0, errEnvelope)
}

// sorting is what a listing is sorted by; without a word it is the id (1.4).
type sorting string

const (
	byID     sorting = ""
	byChange sorting = "updated_at"
)

// listing builds the address of a page. Unknown parameters are ignored by the
// shop without a word (lesson P1), so exactly these are sent.
func listing(base string, perPage string, sort sorting, cursor string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u = u.JoinPath("orders")
	q := url.Values{
		"per_page":       {perPage},
		"sort_direction": {"desc"},
	}
	if sort != byID {
		q.Set("sort_by", string(sort))
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
