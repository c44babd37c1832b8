package rest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// parameters are the query parameters of a route by name, in lowerCamelCase, with dots into nested messages.
//
// The router's own parser accepts more than the contract promises: it passes over unknown names, takes snake_case beside
// lowerCamelCase, numbers for enums, and "1" for true; and it is not asked at all where every field stands in the path.
// A mistyped filter would silently list everything, so queries are judged here, before the router's parser reads them.
// Whatever is accepted here, that parser reads the same way (see FuzzQuery).
type parameters map[string]protoreflect.FieldDescriptor

// maxNesting is how deep a parameter may reach into messages: it ends the walk over a message that contains itself.
const maxNesting = 4

// queryParameters finds the parameters of a request whose fields in bound come from the path or the body.
func queryParameters(request protoreflect.MessageDescriptor, bound []string) (parameters, error) {
	p := parameters{}
	return p, p.add(request, "", "", bound, maxNesting)
}

func (p parameters) add(message protoreflect.MessageDescriptor, prefix, path string, bound []string, depth int) error {
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		name, field := prefix+f.JSONName(), path+string(f.Name())
		switch {
		case slices.Contains(bound, field) || f.IsMap() || depth == 0:
		case f.Message() == nil || f.Message().FullName() == timestampName:
			p[name] = f
		case f.IsList():
			// A list of messages cannot be written in a query.
		case strings.HasPrefix(string(f.Message().FullName()), "google.protobuf."):
			return fmt.Errorf("field %s: %s is not known as a query parameter yet", f.FullName(), f.Message().FullName())
		default:
			if err := p.add(f.Message(), name+".", field+".", bound, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

const timestampName protoreflect.FullName = "google.protobuf.Timestamp"

// check answers everything wrong with a query, by parameter; nothing when it can be read.
func (p parameters) check(query url.Values) []rpcerr.Field {
	var faults []rpcerr.Field
	for _, name := range slices.Sorted(maps.Keys(query)) {
		field, known := p[name]
		if !known {
			faults = append(faults, rpcerr.Field{Path: printable(name), Description: "no such parameter; " + p.hint(name)})
			continue
		}
		values := query[name]
		if len(values) > 1 && !field.IsList() {
			faults = append(faults, rpcerr.Field{Path: name, Description: "given more than once; give it once"})
			continue
		}
		for _, value := range values {
			if problem := valueProblem(field, value); problem != "" {
				faults = append(faults, rpcerr.Field{Path: name, Description: problem})
				break
			}
		}
	}
	return faults
}

// hint names what the caller may have meant: the near ones when there are some, else all.
func (p parameters) hint(name string) string {
	if len(p) == 0 {
		return "this request takes none"
	}
	all := slices.Sorted(maps.Keys(p))
	near := slices.DeleteFunc(slices.Clone(all), func(known string) bool { return distance(name, known) > 2+len(known)/5 })
	if len(near) == 0 {
		return "known are: " + strings.Join(all, ", ")
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
	return "did you mean " + strings.Join(near[:min(len(near), 3)], " or ") + "?"
}

// distance counts the slips of the finger between two names. Case and underscores do not count: page_size means pageSize.
func distance(typed, known string) int {
	fold := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	return levenshtein.ComputeDistance(fold(printable(typed)), fold(known))
}

// printable bounds what is repeated of a name that a stranger chose.
func printable(name string) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	return strings.ToValidUTF8(name, "?")
}

// valueProblem says why a value cannot be one of the field, and what would be; "" when it can.
func valueProblem(field protoreflect.FieldDescriptor, value string) string {
	if !utf8.ValidString(value) {
		return "not valid UTF-8"
	}
	switch field.Kind() {
	case protoreflect.StringKind:
		return ""
	case protoreflect.BoolKind:
		if value != "true" && value != "false" {
			return "must be true or false"
		}
	case protoreflect.EnumKind:
		if field.Enum().Values().ByName(protoreflect.Name(value)) == nil {
			return "must be one of " + strings.Join(enumNames(field.Enum()), ", ")
		}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return wholeNumber(strconv.ParseInt(value, 10, 32))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return wholeNumber(strconv.ParseInt(value, 10, 64))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return wholeNumber(strconv.ParseUint(value, 10, 32))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return wholeNumber(strconv.ParseUint(value, 10, 64))
	case protoreflect.FloatKind:
		return number(strconv.ParseFloat(value, 32))
	case protoreflect.DoubleKind:
		return number(strconv.ParseFloat(value, 64))
	case protoreflect.BytesKind:
		if _, err := base64.StdEncoding.DecodeString(value); err != nil {
			return "must be base64"
		}
	case protoreflect.MessageKind, protoreflect.GroupKind: // a timestamp: queryParameters lets in no other
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil || !timestamppb.New(t).IsValid() {
			return "must be a time like 2026-01-31T08:00:00Z (write + as %2B)"
		}
	}
	return ""
}

func wholeNumber[N int64 | uint64](_ N, err error) string {
	if err != nil {
		return "must be a whole number in range"
	}
	return ""
}

func number(f float64, err error) string {
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return "must be a number"
	}
	return ""
}

func enumNames(enum protoreflect.EnumDescriptor) []string {
	var names []string
	for i := range enum.Values().Len() {
		if v := enum.Values().Get(i); v.Number() != 0 { // zero is "not said" and refused wherever it matters
			names = append(names, string(v.Name()))
		}
	}
	return names
}
