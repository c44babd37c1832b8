package auth_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/kit/auth"
)

var (
	noon       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	serviceKey = []byte(strings.Repeat("k", 32))
	otherKey   = []byte(strings.Repeat("o", 32))
	amina      = auth.Person{Subject: "0190-amina", Session: "s-1", Role: "MANAGER", Email: "amina@example.dz", Name: "Amina"}
)

func at(t time.Time) auth.Clock { return func() time.Time { return t } }

// world is identity's key and a verifier of the service "orders" that knows it, at noon.
type world struct {
	key      auth.SigningKey
	verifier *auth.Verifier
}

func newWorld(t *testing.T) world {
	t.Helper()
	key := signingKey(t)
	keys := auth.NewKeys(func(context.Context) ([]byte, error) { return auth.JWKS(key.Public()) }, nil, at(noon))
	return world{key: key, verifier: auth.NewVerifier("orders", serviceKey, keys, at(noon))}
}

func signingKey(t *testing.T) auth.SigningKey {
	t.Helper()
	key, err := auth.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func userToken(t *testing.T, key auth.SigningKey, p auth.Person, when time.Time) string {
	t.Helper()
	issuer := auth.NewIssuer(func(context.Context) (auth.SigningKey, error) { return key, nil }, at(when))
	token, expires, err := issuer.Issue(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	if want := when.Add(15 * time.Minute); !expires.Equal(want) {
		t.Fatalf("the token ends at %v, want %v", expires, want)
	}
	return token
}

func serviceToken(t *testing.T, ctx context.Context, self, audience string, key []byte, when time.Time) string {
	t.Helper()
	tokens, err := auth.NewServiceTokens(self, key, at(when))
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokens.Token(ctx, audience)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAUserTokenTellsWhoItsBearerIs(t *testing.T) {
	w := newWorld(t)
	got, err := w.verifier.Authenticate(context.Background(), userToken(t, w.key, amina, noon))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Principal{
		Kind: auth.User, Subject: "0190-amina", Session: "s-1", Role: "MANAGER", Email: "amina@example.dz", Name: "Amina",
		ExpiresAt: noon.Add(15 * time.Minute),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
}

func TestAServiceTokenTellsTheServiceAndThePersonBehindIt(t *testing.T) {
	w := newWorld(t)
	person := auth.Principal{Kind: auth.User, Subject: "0190-amina", Role: "MANAGER", Address: "41.111.0.7"}
	for name, tc := range map[string]struct {
		ctx  context.Context
		want *auth.Principal
	}{
		"by itself":    {context.Background(), nil},
		"for a person": {auth.With(context.Background(), person), &person},
		"for a person, through another service": {
			auth.With(context.Background(), auth.Principal{Kind: auth.Service, Service: "scheduler", Actor: &person}), &person,
		},
		"in the name of a service alone": {
			auth.With(context.Background(), auth.Principal{Kind: auth.Service, Service: "scheduler"}), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			token := serviceToken(t, tc.ctx, "ecosync", "orders", serviceKey, noon)
			got, err := w.verifier.Authenticate(context.Background(), token)
			if err != nil {
				t.Fatal(err)
			}
			want := auth.Principal{
				Kind: auth.Service, Subject: "ecosync", Service: "ecosync", Actor: tc.want, ExpiresAt: noon.Add(time.Minute),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
		})
	}
}

// forge signs any claims with any key, as an attacker who got hold of one could.
func forge(t *testing.T, alg jose.SignatureAlgorithm, kid string, key any, claims map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// unsigned builds a token by hand: header and payload as given, the signature as it comes.
func unsigned(header, payload, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + signature
}

func with(claims map[string]any, key string, value any) map[string]any {
	changed := map[string]any{}
	for k, v := range claims {
		changed[k] = v
	}
	if value == nil {
		delete(changed, key)
	} else {
		changed[key] = value
	}
	return changed
}

func TestEveryBadTokenIsRefusedForItsOwnReason(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	stranger := signingKey(t)
	kid, private := w.key.ID, w.key.Private
	good := userToken(t, w.key, amina, noon)
	parts := strings.Split(good, ".")
	serviceGood := serviceToken(t, ctx, "ecosync", "orders", serviceKey, noon)

	user := map[string]any{
		"iss": auth.UserIssuer, "aud": auth.UserAudience, "sub": "u", "sid": "s", "role": "ADMIN", "jti": "j",
		"iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix(),
	}
	payload, err := json.Marshal(user)
	if err != nil {
		t.Fatal(err)
	}
	forgeUser := func(key string, value any) string { return forge(t, jose.EdDSA, kid, private, with(user, key, value)) }
	if _, err := w.verifier.Authenticate(ctx, forge(t, jose.EdDSA, kid, private, user)); err != nil {
		t.Fatalf("the forged token that all others differ from in one thing must be good: %v", err)
	}
	serviceKid := headerOf(t, serviceGood)["kid"].(string)
	service := map[string]any{
		"iss": "ecosync", "sub": "ecosync", "aud": "orders", "jti": "j", "iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix(),
	}
	forgeService := func(key string, value any) string {
		return forge(t, jose.HS256, serviceKid, serviceKey, with(service, key, value))
	}
	if _, err := w.verifier.Authenticate(ctx, forge(t, jose.HS256, serviceKid, serviceKey, service)); err != nil {
		t.Fatalf("the forged service token that others differ from in one thing must be good: %v", err)
	}

	for name, tc := range map[string]struct {
		token  string
		reason auth.Reason
		flaw   auth.Flaw
	}{
		"no token":            {"", auth.TokenMissing, ""},
		"not a token":         {"hello", auth.TokenInvalid, auth.FlawForm},
		"longer than 4 KiB":   {strings.Repeat("a", auth.MaxTokenBytes+1), auth.TokenInvalid, auth.FlawOversized},
		"good, but too long":  {userToken(t, w.key, auth.Person{Subject: "u", Session: "s", Role: "ADMIN", Name: strings.Repeat("x", 4<<10)}, noon), auth.TokenInvalid, auth.FlawOversized},
		"alg none":            {unsigned(`{"alg":"none","kid":"`+kid+`"}`, string(payload), ""), auth.TokenInvalid, auth.FlawAlgorithm},
		"alg None":            {unsigned(`{"alg":"None","kid":"`+kid+`"}`, string(payload), ""), auth.TokenInvalid, auth.FlawAlgorithm},
		"no alg at all":       {unsigned(`{"kid":"`+kid+`"}`, string(payload), "AAAA"), auth.TokenInvalid, auth.FlawAlgorithm},
		"HS512":               {forge(t, jose.HS512, serviceKid, []byte(strings.Repeat("k", 64)), service), auth.TokenInvalid, auth.FlawAlgorithm},
		"no kid":              {forge(t, jose.EdDSA, "", private, user), auth.TokenInvalid, auth.FlawKey},
		"unknown kid":         {forge(t, jose.EdDSA, stranger.ID, stranger.Private, user), auth.TokenInvalid, auth.FlawKey},
		"stranger's key":      {forge(t, jose.EdDSA, kid, stranger.Private, user), auth.TokenInvalid, auth.FlawSignature},
		"public key as HMAC":  {forge(t, jose.HS256, kid, []byte(private.Public().(ed25519.PublicKey)), user), auth.TokenInvalid, auth.FlawKey},
		"payload changed":     {parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2], auth.TokenInvalid, auth.FlawSignature},
		"signature cut":       {parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-4], auth.TokenInvalid, auth.FlawSignature},
		"signature gone":      {parts[0] + "." + parts[1] + ".", auth.TokenInvalid, auth.FlawSignature},
		"expired":             {userToken(t, w.key, amina, noon.Add(-15*time.Minute-auth.Leeway)), auth.TokenExpired, ""},
		"from the future":     {userToken(t, w.key, amina, noon.Add(time.Minute)), auth.TokenInvalid, auth.FlawNotYetValid},
		"not before later":    {forgeUser("nbf", noon.Add(time.Minute).Unix()), auth.TokenInvalid, auth.FlawNotYetValid},
		"never ends":          {forgeUser("exp", nil), auth.TokenInvalid, auth.FlawClaims},
		"ends too late":       {forgeUser("exp", noon.Add(24*time.Hour).Unix()), auth.TokenInvalid, auth.FlawLifetime},
		"no issue time":       {forgeUser("iat", nil), auth.TokenInvalid, auth.FlawClaims},
		"no jti":              {forgeUser("jti", nil), auth.TokenInvalid, auth.FlawClaims},
		"another issuer":      {forgeUser("iss", "somebody"), auth.TokenInvalid, auth.FlawIssuer},
		"another audience":    {forgeUser("aud", "orders"), auth.TokenInvalid, auth.FlawAudience},
		"two audiences":       {forgeUser("aud", []string{auth.UserAudience, "x"}), auth.TokenInvalid, auth.FlawAudience},
		"no audience":         {forgeUser("aud", nil), auth.TokenInvalid, auth.FlawAudience},
		"no subject":          {forgeUser("sub", nil), auth.TokenInvalid, auth.FlawClaims},
		"no session":          {forgeUser("sid", nil), auth.TokenInvalid, auth.FlawClaims},
		"no role":             {forgeUser("role", nil), auth.TokenInvalid, auth.FlawClaims},
		"service, other key":  {serviceToken(t, ctx, "ecosync", "orders", otherKey, noon), auth.TokenInvalid, auth.FlawKey},
		"service, forged key": {forge(t, jose.HS256, serviceKid, otherKey, service), auth.TokenInvalid, auth.FlawSignature},
		"service, for others": {serviceToken(t, ctx, "ecosync", "shipping", serviceKey, noon), auth.TokenInvalid, auth.FlawAudience},
		"service, expired":    {serviceToken(t, ctx, "ecosync", "orders", serviceKey, noon.Add(-65*time.Second)), auth.TokenExpired, ""},
		"service, in future":  {serviceToken(t, ctx, "ecosync", "orders", serviceKey, noon.Add(time.Minute)), auth.TokenInvalid, auth.FlawNotYetValid},
		"service, long life":  {forgeService("exp", noon.Add(time.Hour).Unix()), auth.TokenInvalid, auth.FlawLifetime},
		"service, no issuer":  {forgeService("iss", nil), auth.TokenInvalid, auth.FlawIssuer},
		"service, two names":  {forgeService("sub", "identity"), auth.TokenInvalid, auth.FlawIssuer},
		"service, half actor": {forgeService("act", map[string]any{"sub": "u"}), auth.TokenInvalid, auth.FlawClaims},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := w.verifier.Authenticate(ctx, tc.token)
			wantRefusal(t, err, tc.reason, tc.flaw)
			if diff := cmp.Diff(auth.Principal{}, p); diff != "" {
				t.Errorf("who is refused is nobody:\n%s", diff)
			}
		})
	}
}

func TestChangingAnyCharacterOfATokenSpoilsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, token := range []string{
		userToken(t, w.key, amina, noon),
		serviceToken(t, context.Background(), "ecosync", "orders", serviceKey, noon),
	} {
		for i := range token {
			for _, c := range []byte{'A', 'g', '.'} { // far apart, so that no trailing bits hide the change
				if token[i] == c {
					continue
				}
				changed := token[:i] + string(c) + token[i+1:]
				if p, err := w.verifier.Authenticate(context.Background(), changed); err == nil {
					// The last character of a part carries unused bits: the same bytes may be spelled in several ways.
					if same(token, changed) {
						continue
					}
					t.Fatalf("character %d changed to %q and the token was taken for %+v", i, c, p)
				}
			}
		}
	}
}

// same tells whether two spellings of a token mean the same bytes.
func same(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		x, _ := base64.RawURLEncoding.DecodeString(as[i])
		y, err := base64.RawURLEncoding.DecodeString(bs[i])
		if err != nil || string(x) != string(y) {
			return false
		}
	}
	return true
}

func TestACertificateMustNameTheServiceOfTheToken(t *testing.T) {
	w := newWorld(t)
	token := serviceToken(t, context.Background(), "ecosync", "orders", serviceKey, noon)
	for name, tc := range map[string]struct {
		names []string
		flaw  auth.Flaw
	}{
		"its own":      {[]string{"ecosync.shop.svc", "ecosync"}, ""},
		"another's":    {[]string{"shipping"}, auth.FlawPeer},
		"without name": {nil, auth.FlawPeer},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.verifier.Authenticate(auth.WithPeerNames(context.Background(), tc.names), token)
			if tc.flaw == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantRefusal(t, err, auth.TokenInvalid, tc.flaw)
		})
	}
	t.Run("a user's token comes through the gateway's connection", func(t *testing.T) {
		ctx := auth.WithPeerNames(context.Background(), []string{"gateway"})
		if _, err := w.verifier.Authenticate(ctx, userToken(t, w.key, amina, noon)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheGatewayWithoutTheKeyBelievesNoService(t *testing.T) {
	v := auth.NewVerifier("gateway", nil, auth.NewKeys(nil, nil, at(noon)), at(noon))
	_, err := v.Authenticate(context.Background(), serviceToken(t, context.Background(), "ecosync", "gateway", serviceKey, noon))
	wantRefusal(t, err, auth.TokenInvalid, auth.FlawKey)
}

func TestAShortServiceKeyIsRefusedAtStart(t *testing.T) {
	if _, err := auth.NewServiceTokens("orders", []byte("short"), at(noon)); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("the error should say how to make a key, got %v", err)
	}
}

func wantRefusal(t *testing.T, err error, reason auth.Reason, flaw auth.Flaw) {
	t.Helper()
	var r *auth.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("want the refusal %s, got %v", reason, err)
	}
	if got, want := fmt.Sprint(r.Reason, " ", r.Flaw), fmt.Sprint(reason, " ", flaw); got != want {
		t.Fatalf("refused as %q, want %q (cause: %v)", got, want, r.Cause)
	}
}

func headerOf(t *testing.T, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return header
}
