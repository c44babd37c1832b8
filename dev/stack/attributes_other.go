//go:build !linux

package stack

import "syscall"

// childAttributes puts a child into a process group of its own. Only Linux can tie it to its parent's life: elsewhere a launcher that is
// killed with kill -9 leaves its children, and the next one reports their ports as taken.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
