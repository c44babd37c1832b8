// Package statemap turns the display text of a shop's order state into one of
// five meanings.
//
// It owns the folding of state names and the default map; it never guesses: a
// state that no entry covers is unknown, which is stored, counted and shown,
// and means NONE until a person maps it (lesson P15). A map is versioned and
// belongs to one store, because every tenant words its states anew. Start
// reading at Map. The one import beyond the standard library is x/text, whose
// Unicode tables the standard library leaves out.
package statemap

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Meaning is what a shop's state means to us.
type Meaning string

const (
	// None asks for nothing.
	None Meaning = "NONE"
	// FollowUp: confirmed and handed to the carrier; our agents chase the
	// delivery.
	FollowUp Meaning = "FOLLOW_UP"
	// Cancelled by the shop.
	Cancelled Meaning = "CANCELLED"
	// Delivered, or its cash collected.
	Delivered Meaning = "DELIVERED"
	// Returned, or on its way back.
	Returned Meaning = "RETURNED"
)

// Meanings lists every meaning.
func Meanings() []Meaning { return []Meaning{None, FollowUp, Cancelled, Delivered, Returned} }

// Valid tells a meaning from a typing mistake.
func (m Meaning) Valid() bool { return slices.Contains(Meanings(), m) }

// Entry maps one state, or with Prefix every state that begins with its words.
type Entry struct {
	State   string  `json:"state"`
	Prefix  bool    `json:"prefix,omitempty"`
	Meaning Meaning `json:"meaning"`
}

// Map is one version of a store's map, ready to look up.
type Map struct {
	// Version counts from 1; orders knows by it which map gave a row its
	// meaning.
	Version int64
	// Entries is the map as a person wrote it.
	Entries []Entry

	exact    map[string]Meaning
	prefixes []prefix // the longest first
}

type prefix struct {
	folded  string
	meaning Meaning
}

// InvalidError tells what is wrong with one entry of a map.
type InvalidError struct {
	Index  int
	Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("state map entry %d: %s", e.Index+1, e.Reason)
}

// New checks entries and makes a map of them. Two entries that fold alike are
// refused when they disagree: which one wins would depend on their order.
func New(version int64, entries []Entry) (Map, error) {
	m := Map{Version: version, Entries: slices.Clone(entries), exact: make(map[string]Meaning, len(entries))}
	seen := make(map[string]Meaning, len(entries))
	for i, e := range entries {
		folded := Fold(e.State)
		if folded == "" {
			return Map{}, &InvalidError{i, "the state is empty"}
		}
		if !e.Meaning.Valid() {
			return Map{}, &InvalidError{i, fmt.Sprintf("%q is no meaning", string(e.Meaning))}
		}
		id := fmt.Sprintf("%t %s", e.Prefix, folded)
		if before, ok := seen[id]; ok {
			if before != e.Meaning {
				return Map{}, &InvalidError{i, fmt.Sprintf("%q is mapped twice, to %s and to %s", e.State, before, e.Meaning)}
			}
			continue
		}
		seen[id] = e.Meaning
		if e.Prefix {
			m.prefixes = append(m.prefixes, prefix{folded, e.Meaning})
		} else {
			m.exact[folded] = e.Meaning
		}
	}
	slices.SortFunc(m.prefixes, func(a, b prefix) int { return len(b.folded) - len(a.folded) })
	return m, nil
}

// Meaning looks a state up. An exact entry beats a prefix, a longer prefix a
// shorter one. known is false when no entry covers the state.
func (m Map) Meaning(state string) (meaning Meaning, known bool) {
	folded := Fold(state)
	if meaning, known = m.exact[folded]; known {
		return meaning, true
	}
	for _, p := range m.prefixes {
		// Whole words only: "Livré…" must not swallow "Livreur en route".
		if folded == p.folded || strings.HasPrefix(folded, p.folded+" ") {
			return p.meaning, true
		}
	}
	return None, false
}

// Default is the map of a new store. The shop's own first steps are entered as
// NONE so that they do not count as unknown; "Expédié" is left out on purpose:
// what it asks of an agent differs between tenants, so a person decides.
func Default() []Entry {
	return []Entry{
		{State: "En confirmation", Meaning: None},
		{State: "Confirmé", Meaning: None},
		{State: "En préparation", Meaning: None},
		{State: "En cours", Meaning: None},
		{State: "En dispatch", Meaning: FollowUp},
		{State: "En livraison", Meaning: FollowUp},
		{State: "Annulé", Prefix: true, Meaning: Cancelled},
		{State: "Livré", Prefix: true, Meaning: Delivered},
		{State: "Encaissé", Prefix: true, Meaning: Delivered},
		{State: "Retour", Prefix: true, Meaning: Returned},
		{State: "Retourné", Prefix: true, Meaning: Returned},
	}
}

// Fold reduces a state name to what its writers agree on: "Livrée", "LIVRES",
// "livré(e)(s)" and an NFD "Livré" are one. Accents, case, punctuation and the
// French endings of gender and number go; words stay apart.
func Fold(state string) string {
	// NFKD and not NFC first: it takes accents off their letters, and makes
	// full-width and presentation forms plain, in one step.
	var b strings.Builder
	for _, r := range cases.Fold().String(norm.NFKD.String(state)) {
		switch {
		case unicode.Is(unicode.Mn, r), r == '(', r == ')':
			// "(e)(s)" glues its endings to the word, where stem takes them off.
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	words := strings.Fields(b.String())
	for i, w := range words {
		words[i] = stem(w)
	}
	return strings.Join(words, " ")
}

// stem takes the endings -s, -e after -e, off words long enough to have them.
// It is applied to both sides of every comparison, so that cutting the s of
// "cours" does no harm.
func stem(w string) string {
	if len(w) < 4 {
		return w
	}
	w = strings.TrimSuffix(w, "s")
	if strings.HasSuffix(w, "ee") {
		w = strings.TrimSuffix(w, "e")
	}
	return w
}
