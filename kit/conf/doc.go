// Package conf turns the environment into a service's configuration, once, at start.
//
// It owns: the variables every process understands (Process, Service), the rules
// production adds, the keys development makes for itself, and the words in which a
// fault is told. All faults are reported at once, each naming the variable, what is
// wrong with it and what to do, so that an operator fixes a deployment in one go.
//
// It never reads files other than key files in DATA_DIR, never reaches the network
// (that is --check's duty) and never prints a secret.
//
// Start reading at Load, then Service.
package conf
