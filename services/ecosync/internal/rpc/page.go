package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

var (
	errPageToken = errors.New("the page token is damaged or belongs to another list")
	errDay       = errors.New("not a day of the calendar, or the range ends before it begins")
)

const (
	defaultPage = 50
	maxPage     = 200
)

func pageSize(asked int32) int {
	if asked <= 0 {
		return defaultPage
	}
	return min(int(asked), maxPage)
}

// scope binds a page token to its list, its filters and its user.
func scope(ctx context.Context, list string, filters ...string) string {
	who := auth.From(ctx)
	return strings.Join(append([]string{list, who.Person().Subject, who.Service}, filters...), "\x00")
}

const pageTokenSum = 8

// pageToken writes the key of a page's last row for clients to hand back. It is
// checksummed and not signed: a forged position reads nothing that the filters,
// judged anew on every page, would not show.
func pageToken(key, scope string) string {
	sum := sumOf(key, scope)
	return base64.RawURLEncoding.EncodeToString(append(sum[:], key...))
}

// parsePageToken reads the key of a token made for the same scope; no token is
// the first page and an empty key.
func parsePageToken(token, scope string) (key string, err error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= pageTokenSum {
		return "", errPageToken
	}
	key = string(raw[pageTokenSum:])
	if sum := sumOf(key, scope); string(sum[:]) != string(raw[:pageTokenSum]) {
		return "", errPageToken
	}
	return key, nil
}

func sumOf(key, scope string) [pageTokenSum]byte {
	whole := sha256.Sum256([]byte(scope + "\x00" + key))
	return [pageTokenSum]byte(whole[:])
}

// days turns a range of business days, both included, into instants; the end is
// the first instant that no longer belongs to it.
func days(from, to string, zone *time.Location) (begin, end time.Time, err error) {
	if from != "" {
		if begin, err = time.ParseInLocation(time.DateOnly, from, zone); err != nil {
			return time.Time{}, time.Time{}, errDay
		}
	}
	if to != "" {
		last, err := time.ParseInLocation(time.DateOnly, to, zone)
		if err != nil || last.Before(begin) {
			return time.Time{}, time.Time{}, errDay
		}
		end = last.AddDate(0, 0, 1)
	}
	return begin, end, nil
}
