package conf

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/libertaphonix/libertaphonix/kit/internal/keyset"
)

// MakeKeys fills the keys that are unset, in development only, from DATA_DIR/keys:
// the first process of a fresh machine makes them (0600), every later one reads
// them, so that nobody has to make keys to try the system and nothing sealed
// yesterday is unreadable today. Several processes starting at once agree: a key is
// written aside and linked into place, which succeeds for exactly one.
//
// It is apart from Load because --check must change nothing.
func MakeKeys[C any](cfg *C) error {
	s := serviceOf(reflect.ValueOf(cfg).Elem())
	if s == nil || s.Production() {
		return nil
	}
	var err error
	if s.ServiceAuthKey.IsZero() {
		s.ServiceAuthKey, err = keyFile(s.DataDir, "service-auth-key", newServiceKey)
		if err != nil {
			return err
		}
	}
	if s.CredentialsKeyset.IsZero() {
		s.CredentialsKeyset, err = keyFile(s.DataDir, "credentials-keyset", keyset.New)
		if err != nil {
			return err
		}
	}
	return nil
}

func newServiceKey() (string, error) {
	key := make([]byte, serviceKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(key), nil
}

// keyFile reads DATA_DIR/keys/name, making it first when there is none.
func keyFile(dataDir, name string, generate func() (string, error)) (Secret, error) {
	dir := filepath.Join(dataDir, "keys")
	path := filepath.Join(dir, name)
	if key, err := readKey(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", Fault{"DATA_DIR", fmt.Sprintf("cannot hold keys: %v", err), "name a folder this user may write"}
	}
	key, err := generate()
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	aside, err := os.CreateTemp(dir, name+".new-*") // 0600 by itself
	if err != nil {
		return "", Fault{"DATA_DIR", fmt.Sprintf("cannot hold keys: %v", err), "name a folder this user may write"}
	}
	defer func() { _ = os.Remove(aside.Name()) }()
	_, err = aside.WriteString(key + "\n")
	if err := errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	// A link never replaces: of several processes one wins and the others read its key.
	if err := os.Link(aside.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keep %s: %w", path, err)
	}
	return readKey(path)
}

func readKey(path string) (Secret, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(raw))
	if key == "" {
		return "", fmt.Errorf("the key file %s is empty: restore it from a backup, or remove it to have a new key made (what was sealed with the old one is lost)", path)
	}
	return Secret(key), nil
}

func checkKeyset(s Secret) error {
	if _, err := keyset.Parse(s.Reveal()); err != nil {
		return Fault{"CREDENTIALS_KEYSET", err.Error(), "make one with: " + binaryName() + " --new-keyset"}
	}
	return nil
}

func binaryName() string { return filepath.Base(os.Args[0]) }
