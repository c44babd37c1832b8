package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestPasswordPolicy(t *testing.T) {
	tests := []struct {
		name     string
		password Password
		ok       bool
	}{
		{"ten characters will do", "correct ho", true},
		{"a sentence is welcome", "le facteur passe à dix heures", true},
		{"Arabic counts in characters", "كلمةالسرطويلة", true},
		{"nine characters are too few", "correcthr", false},
		{"nine Arabic characters are too few, whatever their bytes", "كلمةالسرط", false},
		{"128 bytes are allowed", Password(strings.Repeat("abcd", 32)), true},
		{"129 bytes are too many", Password(strings.Repeat("abcd", 32) + "e"), false},
		{"the e-mail is no password", "amina.benali@shop.dz", false},
		{"nor is it in capitals", "AMINA.BENALI@SHOP.DZ", false},
		{"nor its part before the at sign", "amina.benali", false},
		{"nor the name", "Amina Benali", false},
		{"one character repeated", "aaaaaaaaaaaa", false},
		{"two characters in turn", "121212121212", false},
		{"a line break", "correct\nhorse", false},
		{"bytes that are no text", "correct \xff horse", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkPassword(tt.password, "amina.benali@shop.dz", "Amina Benali")
			if (err == nil) != tt.ok {
				t.Fatalf("err = %v, want accepted = %v", err, tt.ok)
			}
			var weak WeakPasswordError
			if err != nil && (!errors.As(err, &weak) || weak.Rule == "") {
				t.Errorf("err = %v, want a WeakPasswordError that names its rule", err)
			}
		})
	}
}

// Whatever a secret is put into, stars come out (lessons P77, P78).
func TestSecretsPrintAsStars(t *testing.T) {
	const secret = "clear-text-secret"
	secrets := []any{Password(secret), PasswordHash(secret), RefreshToken(secret), AccessToken(secret)}
	for _, s := range secrets {
		t.Run(fmt.Sprintf("%T", s), func(t *testing.T) {
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "inside", struct{ S any }{s})
			asJSON, err := json.Marshal(map[string]any{"s": s})
			if err != nil {
				t.Fatal(err)
			}
			printed := fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s) + log.String() + string(asJSON)
			if strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
				t.Errorf("the secret is in: %s", printed)
			}
		})
	}
}

func TestRefreshTokensDiffer(t *testing.T) {
	a, b := NewRefreshToken(), NewRefreshToken()
	if a == b || a.Hash() == b.Hash() || len(a) < 43 {
		t.Error("tokens must be long and never the same")
	}
}
