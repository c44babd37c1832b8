package auth

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// PublicKey is one key that user tokens are verified with.
type PublicKey struct {
	ID  string // the kid of the tokens it verifies
	Key ed25519.PublicKey
}

// JWKS is the document that identity publishes at /.well-known/jwks.json.
func JWKS(keys ...PublicKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Key, KeyID: k.ID, Algorithm: string(jose.EdDSA), Use: "sig"})
	}
	return json.Marshal(set)
}

// ParseJWKS reads such a document. Keys of other sorts are passed over, so that identity may publish one some day; a
// document without a usable key is an error, because taking it for the truth would refuse everybody.
func ParseJWKS(document []byte) ([]PublicKey, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	var keys []PublicKey
	for _, k := range set.Keys {
		key, ok := k.Key.(ed25519.PublicKey)
		if !ok || k.KeyID == "" || len(key) != ed25519.PublicKeySize || k.Use != "" && k.Use != "sig" {
			continue
		}
		keys = append(keys, PublicKey{ID: k.KeyID, Key: key})
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set holds no Ed25519 key with a kid")
	}
	return keys, nil
}
