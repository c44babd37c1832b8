package localpg

import "syscall"

// attributes puts the child into a process group of its own, so that Ctrl-C in a
// terminal reaches the parent alone and the stop stays ordered, and has the kernel end
// it (SIGQUIT: immediate shutdown) when the parent dies.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
		attr.AmbientCaps = a.ambient
	}
	return attr
}
