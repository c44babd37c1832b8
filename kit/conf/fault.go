package conf

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with the configuration, told so that an operator can act.
type Fault struct {
	Variable string // the environment variable, e.g. DATABASE_URL
	Problem  string // what is wrong with its value; a secret's value never stands here
	Remedy   string // what to do about it
}

func (f Fault) Error() string {
	if f.Remedy == "" {
		return f.Variable + ": " + f.Problem
	}
	return f.Variable + ": " + f.Problem + "; " + f.Remedy
}

// Faults is everything wrong with a configuration, in the order of the fields.
type Faults []error

func (f Faults) Error() string {
	lines := make([]string, 0, len(f)+1)
	lines = append(lines, fmt.Sprintf("%d fault(s) in the configuration:", len(f)))
	for _, err := range f {
		lines = append(lines, "  - "+err.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As look at each fault.
func (f Faults) Unwrap() []error { return f }

// Warning is something the process can live with and the operator should know.
type Warning struct {
	Variable string
	Text     string
}

func (w Warning) String() string { return w.Variable + ": " + w.Text }
