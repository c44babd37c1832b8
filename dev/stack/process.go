package stack

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one child. It runs in a process group of its own, so that Ctrl-C in the terminal reaches the launcher alone and the stop
// stays ordered; and it is killed by the kernel when the launcher dies.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all it wrote was read
	err  error         // how it ended; read after done
}

// spawn starts a child. Pdeathsig is tied to the OS thread that forked, not to the process: the goroutine that starts the child locks
// its thread and lives exactly as long as the child, else the child would be killed when the Go runtime retires that thread.
func spawn(name, path string, args, env []string, dir string, out io.Writer) (*process, error) {
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Dir = env, dir
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttributes()
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// stop asks the child to end and, when it does not within the grace, ends it.
func (p *process) stop(grace time.Duration) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
		p.signal(syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not stop within %v and was killed", p.name, grace)
	}
}

// kill ends the child at once, as kill -9 does.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal never reaches a stranger: os.Process sends nothing after the child was waited for.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// misconfigured says that the child refused its configuration (kit/run exits with 2): starting it again would not help.
func (p *process) misconfigured() bool {
	var exit *exec.ExitError
	return errors.As(p.err, &exit) && exit.ExitCode() == 2
}

// verdict is how the child ended, in words.
func (p *process) verdict() string {
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}
