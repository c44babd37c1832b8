package conf

import (
	"cmp"
	"log/slog"
	"reflect"
	"slices"
	"strings"
)

var slogLevel = reflect.TypeFor[slog.Level]()

// Variable describes one environment variable, for the README's table and for the
// words of a fault.
type Variable struct {
	Name     string
	Default  string
	Required bool
	Secret   bool
	Fallback string   // another variable read when this one is unset
	OneOf    []string // the accepted values, when there are few
	Doc      string   // one sentence

	field string
	typ   reflect.Type
}

// named is how a fault calls the variable: by the fallback's name when the value
// came from there.
func (v Variable) named(values map[string]string) string {
	if v.Fallback == "" || values[v.Fallback] != values[v.Name] {
		return v.Name
	}
	return v.Name + " (from " + v.Fallback + ")"
}

// Describe lists the variables of the given configuration structs (values or
// pointers), each once, by name.
func Describe(configs ...any) []Variable {
	var all []Variable
	for _, c := range configs {
		t := reflect.TypeOf(c)
		if t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		all = append(all, variablesOf(t, "")...)
	}
	slices.SortStableFunc(all, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b Variable) bool { return a.Name == b.Name })
}

// variablesOf walks the struct in field order, into embedded and nested structs.
func variablesOf(t reflect.Type, prefix string) []Variable {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var all []Variable
	for f := range t.Fields() {
		tag, hasTag := f.Tag.Lookup("env")
		if !hasTag {
			all = append(all, variablesOf(f.Type, prefix+f.Tag.Get("envPrefix"))...)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			continue
		}
		all = append(all, Variable{
			Name:     prefix + name,
			Default:  f.Tag.Get("envDefault"),
			Required: slices.Contains(strings.Split(options, ","), "required"),
			Secret:   f.Type == reflect.TypeFor[Secret](),
			Fallback: f.Tag.Get("fallback"),
			OneOf:    strings.Fields(f.Tag.Get("oneof")),
			Doc:      f.Tag.Get("doc"),
			field:    f.Name,
			typ:      f.Type,
		})
	}
	return all
}

// serviceOf and processOf find the shared part of a configuration, however deeply
// it is embedded, so that its rules run without each service having to call them.
func serviceOf(root reflect.Value) *Service { return partOf[Service](root) }

func processOf(root reflect.Value) *Process { return partOf[Process](root) }

func partOf[P any](v reflect.Value) *P {
	if v.Kind() != reflect.Struct {
		return nil
	}
	if p, ok := v.Addr().Interface().(*P); ok {
		return p
	}
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if p := partOf[P](v.Field(i)); p != nil {
			return p
		}
	}
	return nil
}
