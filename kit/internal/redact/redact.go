// Package redact takes secrets out of text and JSON, and masks telephone numbers, for
// everything that leaves the process as a log line and for what audit keeps.
//
// It works by key (password, token, …) and by shape (bearer tokens, JWTs, passwords in
// URLs, phones in any Algerian spelling). It must leave ids, timestamps and durations
// as they are: a log that cannot be searched by id is of no use. It is the second
// line: the first is that secrets have types that print as stars.
//
// Start reading at Text and Key.
package redact

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// Stars stand where a secret stood.
const Stars = "***"

// secretWords make a key secret wherever they stand in it, separators left out.
var secretWords = []string{
	"password", "passwd", "secret", "token", "authorization", "apikey", "credential",
	"cookie", "keyset", "privatekey", "authkey", "signature", "ticket",
}

// harmlessEnds are what may stand of a secret: a hint, a count, a time, an id.
var harmlessEnds = []string{
	"last4", "lastfour", "hint", "id", "count", "size", "type", "kind", "at", "version", "seconds", "milliseconds", "name", "reason", "code", "state",
}

// phoneWords make a number under the key a telephone number.
var phoneWords = []string{"phone", "mobile", "telephone", "msisdn"}

// identifies reports whether the key says that its value is an id or a time, whose
// digits are looked for in logs and are nobody's number.
func identifies(key string) bool {
	for _, end := range []string{"id", "ids", "_at", "time", "etag", "version"} {
		if strings.HasSuffix(strings.ToLower(key), end) {
			return true
		}
	}
	return false
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// Key reports whether the value under this key is a secret.
func Key(key string) bool {
	key = separators.Replace(strings.ToLower(key))
	for _, end := range harmlessEnds {
		if strings.HasSuffix(key, end) {
			return false
		}
	}
	return containsAny(key, secretWords)
}

// PhoneKey reports whether the value under this key is a telephone number.
func PhoneKey(key string) bool {
	return containsAny(separators.Replace(strings.ToLower(key)), phoneWords)
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

var (
	// header.payload.signature in base64url; every JWT's header begins with {" = eyJ.
	jwt = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*)?`)
	// What follows the word Bearer. Tokens of the shops may be letters alone, so only
	// the length tells one from the English word in "bearer token is missing".
	bearer = regexp.MustCompile(`(?i)\b(bearer|basic)[ :=]+"?([A-Za-z0-9._~+/=|-]{8,})`)
	// Authorization: Token …, as some APIs spell it.
	token = regexp.MustCompile(`(?i)\b(token)[ :=]+"?([A-Za-z0-9._~+/=|-]{20,})`)
	// scheme://user:password@host
	userinfo = regexp.MustCompile(`(://[^\s:/@]*:)[^\s/@]+@`)
	// password=…, "apiKey":"…", api_key: …, in query strings, DSNs and JSON.
	assigned = regexp.MustCompile(`(?i)\b((?:[a-z]+[_-])*(?:password|passwd|secret|api[_-]?key|access[_-]?token|refresh[_-]?token|token|authorization|cookie))("?\s*[=:]\s*)("[^"]*"|[^\s"&,;}]+)`)
)

// Text takes secrets out of a text by their shape and masks telephone numbers.
func Text(s string) string { return phones(secrets(s)) }

func secrets(s string) string {
	if len(s) < 8 {
		return s // nothing that short has a secret's shape
	}
	s = jwt.ReplaceAllString(s, Stars)
	s = bearer.ReplaceAllStringFunc(s, func(match string) string { return afterWord(bearer, match, 16) })
	s = token.ReplaceAllStringFunc(s, func(match string) string { return afterWord(token, match, 20) })
	s = userinfo.ReplaceAllString(s, "${1}"+Stars+"@")
	return assigned.ReplaceAllStringFunc(s, assignment)
}

// afterWord hides what follows the word, unless it is a word itself: letters only and
// shorter than any token.
func afterWord(shape *regexp.Regexp, match string, tokenLength int) string {
	parts := shape.FindStringSubmatch(match)
	if value := parts[2]; len(value) < tokenLength && onlyLetters(value) {
		return match
	}
	return parts[1] + " " + Stars
}

// assignment hides the value of name=value and "name":"value". After "name: " a plain
// word stays, or "invalid token: signature mismatch" would lose its meaning.
func assignment(match string) string {
	parts := assigned.FindStringSubmatch(match)
	name, sign, value := parts[1], parts[2], parts[3]
	quoted := strings.HasPrefix(value, `"`)
	switch {
	case strings.Contains(value, Stars):
		return match
	case quoted:
		return name + sign + `"` + Stars + `"`
	case strings.HasSuffix(sign, " ") && onlyLetters(value) && len(value) < 16:
		return match
	default:
		return name + sign + Stars
	}
}

func onlyLetters(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// JSON masks the values of secret keys in a JSON document, at any depth, and keeps
// everything else, numbers exactly as written. Telephone numbers stay: who may read
// an audit may read them.
func JSON(doc []byte) ([]byte, error) {
	v, err := decode(doc)
	if err != nil {
		return nil, err
	}
	return json.Marshal(walk("", v, func(key, s string) string {
		if Key(key) && s != "" {
			return Stars
		}
		return s
	}))
}

// Loggable is the value of a key as the logger may print it: through JSON, with
// secrets and telephone numbers taken out at any depth.
func Loggable(key string, v any) (any, error) {
	doc, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	tree, err := decode(doc)
	if err != nil {
		return nil, err
	}
	return walk(key, tree, Value), nil
}

// Value is one text under its key.
func Value(key, s string) string {
	switch {
	case s == "":
		return s
	case Key(key):
		return Stars
	case PhoneKey(key):
		return maskDigits(s)
	case identifies(key):
		return secrets(s)
	default:
		return Text(s)
	}
}

func decode(doc []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	return v, err
}

// walk rebuilds a decoded document with every text replaced, each with the nearest key
// around it. A number is replaced only where its key names a secret or a phone.
func walk(key string, v any, replace func(key, s string) string) any {
	switch v := v.(type) {
	case string:
		return replace(key, v)
	case json.Number:
		if PhoneKey(key) || Key(key) {
			return replace(key, v.String())
		}
		return v
	case map[string]any:
		for k, child := range v {
			if Key(key) && !Key(k) {
				v[k] = walk(key, child, replace) // whatever stands below a secret is one
				continue
			}
			v[k] = walk(k, child, replace)
		}
		return v
	case []any:
		for i, child := range v {
			v[i] = walk(key, child, replace)
		}
		return v
	default:
		return v
	}
}
