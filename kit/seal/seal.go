// Package seal encrypts credentials (API tokens, signing keys) for the database with
// Tink's AES-256-GCM, bound to what they belong to: a row copied onto another row,
// or an old row put back over a newer one, does not open.
//
// It owns: the keyset's form in the environment, its rotation and the binding. It
// never stores anything and never prints key material or plaintext.
//
// Start reading at New.
package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/internal/keyset"
)

// ErrNotOpened says that what was given does not open with this keyset and binding:
// it was altered, belongs to something else, or was sealed with a key that is gone.
// Which of them cannot be told, by design.
var ErrNotOpened = errors.New("the sealed value does not open with this keyset and binding")

// Binding is what a sealed value belongs to. It is authenticated, not stored in it.
type Binding struct {
	Service string // e.g. ecosync
	Owner   string // e.g. stores/0190…: what the credential is of
	Version int64  // of the credential: raised with each change, so that an old one cannot come back
}

// associatedData writes the binding without ambiguity: each text after its length.
func (b Binding) associatedData() []byte {
	data := []byte("libertaphonix-seal-1")
	for _, text := range []string{b.Service, b.Owner} {
		data = binary.BigEndian.AppendUint64(data, uint64(len(text)))
		data = append(data, text...)
	}
	return binary.BigEndian.AppendUint64(data, uint64(b.Version)) //nolint:gosec // G115: the bits are what is bound
}

// Sealer seals with the primary key of a keyset and opens with any of its keys. It
// is safe for concurrent use.
type Sealer struct{ aead tink.AEAD }

// New reads a keyset as NewKeyset prints it. Its errors say what to do.
func New(encoded conf.Secret) (*Sealer, error) {
	remedy := "make one with: " + filepath.Base(os.Args[0]) + " --new-keyset"
	if encoded.IsZero() {
		return nil, conf.Fault{Variable: "CREDENTIALS_KEYSET", Problem: "is not set", Remedy: remedy}
	}
	handle, err := keyset.Parse(encoded.Reveal())
	if err != nil {
		return nil, conf.Fault{Variable: "CREDENTIALS_KEYSET", Problem: err.Error(), Remedy: remedy}
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, conf.Fault{Variable: "CREDENTIALS_KEYSET", Problem: "holds keys that do not encrypt with associated data", Remedy: remedy}
	}
	return &Sealer{primitive}, nil
}

// NewKeyset makes a keyset with one key, in the form of CREDENTIALS_KEYSET.
func NewKeyset() (string, error) { return keyset.New() }

// RotateKeyset adds a key and makes it the primary; what the old keys sealed still
// opens. Deploy the result everywhere, re-seal, and only then drop old keys.
func RotateKeyset(old conf.Secret) (string, error) { return keyset.Rotate(old.Reveal()) }

// Seal encrypts plain for its binding.
func (s *Sealer) Seal(plain []byte, b Binding) ([]byte, error) {
	sealed, err := s.aead.Encrypt(plain, b.associatedData())
	if err != nil {
		return nil, fmt.Errorf("seal a credential of %s: %w", b.Owner, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same binding; else ErrNotOpened.
func (s *Sealer) Open(sealed []byte, b Binding) ([]byte, error) {
	plain, err := s.aead.Decrypt(sealed, b.associatedData())
	if err != nil {
		return nil, ErrNotOpened
	}
	return plain, nil
}
