package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/libertaphonix/libertaphonix/kit/auth"
	"github.com/libertaphonix/libertaphonix/kit/idempotency"
	accessv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/access/v1"
	identityv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/identity/v1"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/account"
	"github.com/libertaphonix/libertaphonix/services/identity/internal/signing"
)

func toUser(u account.User) *identityv1.User {
	return &identityv1.User{
		Id:                 u.ID,
		Email:              string(u.Email),
		Name:               u.Name,
		Role:               toRole(u.Role),
		Disabled:           !u.Active(),
		CreatedAt:          timestamppb.New(u.CreatedAt),
		UpdatedAt:          timestamppb.New(u.UpdatedAt),
		LastLoginAt:        toTime(u.LastLoginAt),
		MustChangePassword: u.MustChangePassword,
		Etag:               strconv.FormatInt(u.Version, 10),
	}
}

func toTime(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

// Roles are spelled alike in the contract and in the domain; what the contract does not know is shown as unspecified.
func toRole(r account.Role) accessv1.Role_Value {
	return accessv1.Role_Value(accessv1.Role_Value_value[string(r)])
}

func fromRole(r accessv1.Role_Value) account.Role { return account.Role(r.String()) }

func toKey(k signing.Key) *identityv1.JsonWebKey {
	return &identityv1.JsonWebKey{
		Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k.Public()), Kid: k.ID, Alg: "EdDSA", Use: "sig",
	}
}

// versionOf reads an etag of ours; what is none cannot be the present one.
func versionOf(etag string) (int64, error) {
	if etag == "" {
		return 0, nil
	}
	v, err := strconv.ParseInt(etag, 10, 64)
	if err != nil || v < 1 {
		return 0, account.ErrStale
	}
	return v, nil
}

const maxUserAgent = 256

// client is where the call comes from. The gateway tells the person's browser in x-client-agent; in user-agent gRPC puts its own
// name, which is the client of whoever calls without a gateway.
func client(ctx context.Context) account.Client {
	c := account.Client{Address: auth.From(ctx).Address}
	for _, key := range []string{"x-client-agent", "user-agent"} {
		if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
			agent := strings.ToValidUTF8(values[0], "")
			c.UserAgent = strings.ToValidUTF8(agent[:min(len(agent), maxUserAgent)], "")
			break
		}
	}
	return c
}

// actor is the id of the person who calls.
func actor(ctx context.Context) string { return auth.From(ctx).Person().Subject }

// shown is the refresh token of a request, or else the one that the gateway found in a browser's cookie.
func shown(ctx context.Context, given string) account.RefreshToken {
	if values := metadata.ValueFromIncomingContext(ctx, "x-refresh-cookie"); given == "" && len(values) == 1 {
		given = values[0]
	}
	return account.RefreshToken(given)
}

// once reads the request id, from the request or the header, and what it is bound to. The password is left out of the hash: a
// plain hash of it, kept for a day, would be the one place where it can be guessed fast.
func once(ctx context.Context, req *identityv1.CreateUserRequest) (account.Once, error) {
	key, err := idempotency.KeyFrom(ctx, req.GetRequestId())
	if err != nil || key == "" {
		return account.Once{}, err
	}
	bound := proto.CloneOf(req)
	bound.Password, bound.RequestId = "", ""
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(bound)
	if err != nil {
		return account.Once{}, fmt.Errorf("hash the request: %w", err)
	}
	return account.Once{Key: key, Request: sha256.Sum256(raw)}, nil
}

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
	return strings.Join(append([]string{list, actor(ctx), auth.From(ctx).Service}, filters...), "\x00")
}

var errDay = errors.New("not a day of the calendar, or the range ends before it begins")

// days turns a range of business days, both included, into instants; the end is the first instant that no longer belongs to it.
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

// removedOf counts what a cleanup removed of one kind; more than an int32 holds is shown as its most.
func removedOf(kind string, n int64) *identityv1.CleanupCount {
	return &identityv1.CleanupCount{Kind: kind, Count: int32(min(n, math.MaxInt32))} //nolint:gosec // G115: bounded
}
