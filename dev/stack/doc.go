// Package stack is the launcher: the one way in which everything is started on a developer's machine, by `make run`, by `make up` and by
// the end-to-end tests.
//
// It owns: a private PostgreSQL and Redis when no address of them is given, the built programs of the services as child processes, their
// ports, their logs, the order of start and stop, and, for `make run`, the simulated shops and the demo data, which it makes through the
// public API like anybody else. It never reads or writes a service's schema, and holds no rule of the business.
//
// Every child dies with the launcher, kill -9 included: the kernel ends it (Pdeathsig) when the thread that forked it goes, and that
// thread is kept for exactly this (process.go).
//
// Start reading at Start; services.go is the table to which a new service adds its row.
package stack
