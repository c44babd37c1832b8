package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

// Whatever comes in, the answer is a refusal with a reason: never a panic, never a caller.
func FuzzAuthenticate(f *testing.F) {
	for _, seed := range []string{
		"", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.e30.AA",
		"eyJhbGciOiJIUzI1NiIsImtpZCI6IngifQ.e30.AA", strings.Repeat("a", 4<<10), `{"payload":"","signatures":[]}`,
		"eyJhbGciOiJFZERTQSIsImtpZCI6IngiLCJjcml0IjpbImI2NCJdLCJiNjQiOmZhbHNlfQ.e30.AA",
	} {
		f.Add(seed)
	}
	key, err := auth.NewSigningKey()
	if err != nil {
		f.Fatal(err)
	}
	keys := auth.NewKeys(func(context.Context) ([]byte, error) { return auth.JWKS(key.Public()) }, nil, time.Now)
	verifier := auth.NewVerifier("orders", serviceKey, keys, time.Now)
	f.Fuzz(func(t *testing.T, token string) {
		p, err := verifier.Authenticate(context.Background(), token)
		var refusal *auth.Refusal
		if !errors.As(err, &refusal) || refusal.Reason == "" || p.Kind != auth.Anonymous {
			t.Errorf("%q was answered by %+v, %v", token, p, err)
		}
	})
}
