package seal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/seal"
)

var binding = seal.Binding{Service: "ecosync", Owner: "stores/1", Version: 3}

func newKeyset(t *testing.T) conf.Secret {
	t.Helper()
	text, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return conf.Secret(text)
}

func sealerOf(t *testing.T, keyset conf.Secret) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealed(t *testing.T, s *seal.Sealer, plain string) []byte {
	t.Helper()
	out, err := s.Seal([]byte(plain), binding)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatIsSealedOpensAgainAndIsNotReadable(t *testing.T) {
	s := sealerOf(t, newKeyset(t))
	box := sealed(t, s, "an-api-token")
	if strings.Contains(string(box), "an-api-token") {
		t.Fatal("the sealed value holds the plaintext")
	}
	plain, err := s.Open(box, binding)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("an-api-token", string(plain)); diff != "" {
		t.Error(diff)
	}
}

func TestAnotherBindingDoesNotOpenIt(t *testing.T) {
	s := sealerOf(t, newKeyset(t))
	box := sealed(t, s, "an-api-token")
	for name, wrong := range map[string]seal.Binding{
		"another service":     {"shipping", "stores/1", 3},
		"another owner":       {"ecosync", "stores/2", 3},
		"an older version":    {"ecosync", "stores/1", 2},
		"a shifted boundary":  {"ecosyncs", "tores/1", 3},
		"nothing in its name": {},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Open(box, wrong); !errors.Is(err, seal.ErrNotOpened) {
				t.Errorf("Open answers %v; want ErrNotOpened", err)
			}
		})
	}
}

func TestOneAlteredBitDoesNotOpen(t *testing.T) {
	s := sealerOf(t, newKeyset(t))
	box := sealed(t, s, "an-api-token")
	for i := range box {
		altered := append([]byte(nil), box...)
		altered[i] ^= 1
		if _, err := s.Open(altered, binding); !errors.Is(err, seal.ErrNotOpened) {
			t.Fatalf("byte %d altered: Open answers %v; want ErrNotOpened", i, err)
		}
	}
	if _, err := s.Open(nil, binding); !errors.Is(err, seal.ErrNotOpened) {
		t.Errorf("nothing at all: Open answers %v; want ErrNotOpened", err)
	}
}

func TestARotatedKeysetOpensOldAndSealsWithTheNewKey(t *testing.T) {
	before := newKeyset(t)
	old := sealerOf(t, before)
	rotated, err := seal.RotateKeyset(before)
	if err != nil {
		t.Fatal(err)
	}
	renewed := sealerOf(t, conf.Secret(rotated))

	if plain, err := renewed.Open(sealed(t, old, "from before"), binding); err != nil || string(plain) != "from before" {
		t.Errorf("what the old key sealed opens as %q, %v", plain, err)
	}
	if _, err := old.Open(sealed(t, renewed, "from after"), binding); !errors.Is(err, seal.ErrNotOpened) {
		t.Errorf("the old keyset opens what the new key sealed: %v", err)
	}
}

func TestAStrangersKeysetDoesNotOpen(t *testing.T) {
	box := sealed(t, sealerOf(t, newKeyset(t)), "an-api-token")
	if _, err := sealerOf(t, newKeyset(t)).Open(box, binding); !errors.Is(err, seal.ErrNotOpened) {
		t.Errorf("Open answers %v; want ErrNotOpened", err)
	}
}

func TestAKeysetThatCannotBeUsedSaysWhatToDoAndShowsNothing(t *testing.T) {
	for name, text := range map[string]string{
		"none":         "",
		"not base64":   "hunter2-hunter2!",
		"not a keyset": "aHVudGVyMi1odW50ZXIy",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := seal.New(conf.Secret(text))
			if err == nil || !strings.Contains(err.Error(), "CREDENTIALS_KEYSET") || !strings.Contains(err.Error(), "--new-keyset") {
				t.Errorf("the error does not name the variable and the remedy: %v", err)
			}
			if text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}
