package stack

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	loopback    = "127.0.0.1"
	adminOffset = 1000 // health and metrics, from the gRPC port
	step        = 10   // to the next candidate when a documented port is taken
	candidates  = 50
)

// place is where a program listens.
type place struct {
	addr  string // host:port that others dial
	admin string // host:port of health and metrics; empty for the simulator
	moved bool   // not the documented port
}

// ports hands out addresses. It holds every port it gave out open until release, so that two programs never get the same one.
type ports struct {
	any  bool
	held []net.Listener
}

// holdAny takes a port that nobody has. It draws below the range from which the kernel serves port 0 and outgoing connections (32768 on
// Linux): between release and the program's own bind, nobody else is then likely to be given the same one.
func (p *ports) holdAny() (int, bool) {
	const low, high = 20_000, 32_000
	for range 10 * candidates {
		if port, free := p.hold(low + rand.IntN(high-low)); free {
			return port, true
		}
	}
	return 0, false
}

func (p *ports) hold(port int) (int, bool) {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return 0, false
	}
	p.held = append(p.held, l)
	return l.Addr().(*net.TCPAddr).Port, true
}

func (p *ports) release() {
	for _, l := range p.held {
		_ = l.Close()
	}
	p.held = nil
}

// place finds where a program listens: the address its variable names, else the documented port, else the next free one above.
func (p *ports) place(prog program, configured string, admin bool) (place, error) {
	if configured != "" {
		return p.configured(prog, configured, admin)
	}
	if p.any {
		return p.anywhere(prog, admin)
	}
	for i := range candidates {
		port := prog.port + i*step
		if _, free := p.hold(port); !free {
			continue
		}
		at := place{addr: at(port), moved: i > 0}
		if admin {
			if _, free := p.hold(port + adminOffset); !free {
				continue
			}
			at.admin = atAdmin(port)
		}
		return at, nil
	}
	return place{}, fmt.Errorf("no port is free for %s from %d on: set %s to host:port", prog.name, prog.port, prog.address)
}

func (p *ports) configured(prog program, addr string, admin bool) (place, error) {
	_, text, err := net.SplitHostPort(addr)
	port, portErr := strconv.Atoi(text)
	if err := errors.Join(err, portErr); err != nil {
		return place{}, fmt.Errorf("%s=%s is not host:port", prog.address, addr)
	}
	wanted := []int{port}
	if admin {
		wanted = append(wanted, port+adminOffset)
	}
	for _, n := range wanted {
		if _, free := p.hold(n); !free {
			return place{}, fmt.Errorf("%s=%s: port %d is in use; free it, or set %s to another", prog.address, addr, n, prog.address)
		}
	}
	there := place{addr: addr}
	if admin {
		there.admin = atAdmin(port)
	}
	return there, nil
}

func (p *ports) anywhere(prog program, admin bool) (place, error) {
	port, ok := p.holdAny()
	if !ok {
		return place{}, fmt.Errorf("no port is free for %s", prog.name)
	}
	there := place{addr: at(port)}
	if admin {
		other, ok := p.holdAny()
		if !ok {
			return place{}, fmt.Errorf("no port is free for %s", prog.name)
		}
		there.admin = at(other)
	}
	return there, nil
}

func at(port int) string      { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
func atAdmin(port int) string { return at(port + adminOffset) }
