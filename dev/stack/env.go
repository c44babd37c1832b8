package stack

import (
	"slices"
	"strings"
)

// environment is a list of NAME=value in which the last one of a name wins, as in the kernel's.
type environment []string

func (e environment) get(name string) string {
	for _, pair := range slices.Backward(e) {
		if n, value, _ := strings.Cut(pair, "="); n == name {
			return value
		}
	}
	return ""
}

func (e environment) with(name, value string) environment {
	return append(e.without(name), name+"="+value)
}

func (e environment) without(names ...string) environment {
	return slices.DeleteFunc(slices.Clone(e), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(names, name)
	})
}
