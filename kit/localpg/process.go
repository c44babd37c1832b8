package localpg

import (
	"os/exec"
	"runtime"
	"syscall"
)

// process is a child that ends with its parent.
type process struct {
	pid  int
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended and was waited for
	err  error         // how it ended; read after done
}

// launch starts cmd from a goroutine that keeps its OS thread until the child ends:
// the kernel ties the parent-death signal to the thread that forked, and a thread of
// Go's pool may end long before the process does.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// signal is safe at any time: os.Process knows when its child was waited for and
// then sends nothing, so a reused pid is never hit.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }
