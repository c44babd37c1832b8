// Package run starts and stops a process: everything that is opened is handed to a
// Group at once, and is stopped in the reverse order, on a signal, on the first
// failure, or when the start-up itself fails half-way.
//
// It owns: signals, the grace period, exit codes and the flags every binary has
// (--version, --check, --migrate, --new-keyset, --rotate-keyset). It is the only
// place that exits the process. It never knows what is being run.
//
// Start reading at Main, then Group.
package run
