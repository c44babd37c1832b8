//go:build !linux

package localpg

import "syscall"

// attributes puts the child into a process group of its own. Other systems than Linux
// do not end a child with its parent: there a server outlives a parent that is killed,
// and the next start on its folder says so.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}
