// Package keyset makes and reads the Tink keysets that seal credentials, in the one
// form in which they travel: base64 of Tink's cleartext JSON, fit for an environment
// variable. It is apart from kit/seal because kit/conf makes one in development and
// kit/seal takes a conf.Secret.
//
// It never prints key material in an error.
package keyset

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// New makes a keyset with one AES-256-GCM key.
func New() (string, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("make a keyset: %w", err)
	}
	return encode(handle)
}

// Rotate adds a fresh key to a keyset and makes it the primary: what the older keys
// sealed still opens, what is sealed from now on uses the new one.
func Rotate(old string) (string, error) {
	handle, err := Parse(old)
	if err != nil {
		return "", err
	}
	manager := keyset.NewManagerFromHandle(handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("add a key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return "", fmt.Errorf("make the new key primary: %w", err)
	}
	rotated, err := manager.Handle()
	if err != nil {
		return "", fmt.Errorf("rotate the keyset: %w", err)
	}
	return encode(rotated)
}

// Parse reads what New and Rotate print.
func Parse(encoded string) (*keyset.Handle, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, errors.New("is not a Tink keyset in JSON")
	}
	return handle, nil
}

func encode(handle *keyset.Handle) (string, error) {
	var raw bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&raw)); err != nil {
		return "", fmt.Errorf("write the keyset: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw.Bytes()), nil
}
