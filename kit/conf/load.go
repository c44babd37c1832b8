package conf

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a container image without zone files still knows Africa/Algiers

	"github.com/caarlos0/env/v11"
)

// Load parses environ ("NAME=value", as os.Environ gives it) into C.
//
// Beside the tags of caarlos0/env it understands:
//   - `fallback:"NODE_ENV"`: another variable that is read when this one is unset;
//   - `oneof:"a b"`: the only values that are accepted;
//   - `doc:"…"`: one sentence for the configuration table of the README.
//
// A variable set to the empty string counts as unset: that is what an environment
// file with an empty right-hand side means to the person who wrote it.
//
// When *C (or C) has Validate() []error, its faults join the others. Load changes
// nothing outside; keys that development makes for itself are made by MakeKeys.
func Load[C any](environ []string) (C, []Warning, error) {
	var cfg C
	root := reflect.ValueOf(&cfg).Elem()
	values := parseEnviron(environ)
	vars := variablesOf(root.Type(), "")
	var faults Faults

	for _, v := range vars {
		if v.Fallback == "" {
			continue
		}
		if _, set := values[v.Name]; set {
			continue
		}
		if other, set := values[v.Fallback]; set {
			values[v.Name] = other
		}
	}
	for _, v := range vars {
		value, set := values[v.Name]
		if !set || len(v.OneOf) == 0 || contains(v.OneOf, value) {
			continue
		}
		faults = append(faults, Fault{v.named(values), quoted(v, value) + " is not known", "set one of: " + strings.Join(v.OneOf, ", ")})
		delete(values, v.Name) // one fault for one mistake; the default stands in for the rest of the checks
	}

	err := env.ParseWithOptions(&cfg, env.Options{Environment: values})
	faults = append(faults, parseFaults(err, vars, values)...)

	var warnings []Warning
	if s := serviceOf(root); s != nil {
		w, f := s.finish()
		warnings, faults = append(warnings, w...), append(faults, f...)
	}
	if p := processOf(root); p != nil {
		w, f := p.finish()
		warnings, faults = append(warnings, w...), append(faults, f...)
	}
	if v, ok := any(&cfg).(interface{ Validate() []error }); ok {
		faults = append(faults, v.Validate()...)
	}
	if len(faults) > 0 {
		return cfg, warnings, faults
	}
	return cfg, warnings, nil
}

func parseEnviron(environ []string) map[string]string {
	values := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value = strings.TrimSpace(value); name != "" && value != "" {
			values[name] = value
		}
	}
	return values
}

// parseFaults rewrites the library's errors, which name Go fields, into faults that
// name variables and say what to do.
func parseFaults(err error, vars []Variable, values map[string]string) []error {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{fmt.Errorf("the configuration cannot be read: %w", err)}
	}
	var faults []error
	for _, one := range all.Errors {
		var missing env.VarIsNotSetError
		var parse env.ParseError
		switch {
		case errors.As(one, &missing):
			faults = append(faults, missingFault(vars, missing.Key))
		case errors.As(one, &parse):
			faults = append(faults, malformedFaults(parse, vars, values)...)
		default:
			faults = append(faults, one)
		}
	}
	return faults
}

func missingFault(vars []Variable, name string) Fault {
	f := Fault{name, "is not set", "set it"}
	for _, v := range vars {
		if v.Name == name && v.Doc != "" {
			f.Remedy = "set it: " + v.Doc
		}
	}
	return f
}

// malformedFaults finds the variables behind a field name (two nested structs may
// use one field name; a value that parses is not blamed).
func malformedFaults(parse env.ParseError, vars []Variable, values map[string]string) []error {
	var faults []error
	for _, v := range vars {
		value, set := values[v.Name]
		if v.field != parse.Name || !set || parses(v.typ, value) {
			continue
		}
		problem, remedy := wantOf(v.typ)
		var own Fault
		if errors.As(parse.Err, &own) {
			problem, remedy = own.Problem, own.Remedy
		}
		faults = append(faults, Fault{v.named(values), quoted(v, value) + " " + problem, remedy})
	}
	if len(faults) == 0 {
		faults = append(faults, parse)
	}
	return faults
}

// parses reports whether value is fine for the kinds whose errors are ambiguous.
func parses(t reflect.Type, value string) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if t == reflect.TypeFor[time.Duration]() {
			_, err := time.ParseDuration(value)
			return err == nil
		}
		_, err := strconv.ParseInt(value, 10, t.Bits())
		return err == nil
	case reflect.Bool:
		_, err := strconv.ParseBool(value)
		return err == nil
	default:
		return false
	}
}

// wantOf says what a value of this type looks like.
func wantOf(t reflect.Type) (problem, remedy string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "is not a duration", "write a number with a unit, such as 2s, 500ms or 15m"
	case reflect.TypeFor[time.Location]():
		return "is not a time zone", "use a name of the IANA list, such as Africa/Algiers"
	case slogLevel:
		return "is not a log level", "use debug, info, warn or error"
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "is not a whole number in range", "write digits only, such as 10"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "is not a whole number from 0 up", "write digits only, such as 10"
	case reflect.Float32, reflect.Float64:
		return "is not a number", "write a number such as 0.8"
	case reflect.Bool:
		return "is neither true nor false", "set true or false"
	default:
		return "cannot be read", "see the configuration table of the README"
	}
}

// quoted shows a value in a fault, unless it is a secret.
func quoted(v Variable, value string) string {
	if v.Secret {
		return "the value"
	}
	return strconv.Quote(value)
}

func contains(list []string, one string) bool {
	for _, s := range list {
		if s == one {
			return true
		}
	}
	return false
}
