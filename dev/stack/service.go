package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// service is one program of this launch: its place, its log and its present process.
type service struct {
	program
	stack *Stack
	place place
	log   *childLog

	mu       sync.Mutex
	process  *process
	quitting bool // it ends because it was told to
}

const (
	firstPause = time.Second // before a program that ended is started again, doubled up to
	longPause  = 30 * time.Second

	patience = 10 * time.Second // with a program that starts, before a person is told what it waits for
)

// launch starts the program and, unless the caller wants it to stay down when it ends, keeps it running.
func (s *service) launch() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := spawn(s.name, binary(s.stack.options, s.program), s.args(), s.environment(), "", s.log)
	if err != nil {
		return err
	}
	s.process, s.quitting = p, false
	go s.watch(p, firstPause)
	return nil
}

func (s *service) args() []string {
	if s != s.stack.shops {
		return nil
	}
	return []string{
		"-listen", s.place.addr,
		"-state", s.stack.dataDir + "/shops.jsonl",
		"-orders", strconv.Itoa(s.stack.options.DemoOrders),
		"-speed", strconv.FormatFloat(s.stack.options.DemoSpeed, 'g', -1, 64),
	}
}

func (s *service) environment() environment {
	e := s.stack.env.without(s.without...)
	if s.place.admin != "" {
		e = e.with("ADMIN_ADDR", s.place.admin)
	}
	return e
}

// watch brings a program back that ended by itself.
func (s *service) watch(p *process, pause time.Duration) {
	began := time.Now()
	<-p.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quitting || s.process != p {
		return
	}
	if p.misconfigured() {
		s.stack.fail(fmt.Errorf("%s refuses its configuration:\n%s", s.name, s.log.tail()))
		return
	}
	if s.stack.options.NoRestart {
		return
	}
	if time.Since(began) > longPause {
		pause = firstPause
	}
	s.stack.console.say(s.name, "ended (%s); starting it again in %v", p.verdict(), pause)
	time.AfterFunc(pause, func() { s.revive(p, min(2*pause, longPause)) })
}

func (s *service) revive(gone *process, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quitting || s.process != gone {
		return
	}
	p, err := spawn(s.name, binary(s.stack.options, s.program), s.args(), s.environment(), "", s.log)
	if err != nil {
		s.stack.fail(err)
		return
	}
	s.process = p
	go s.watch(p, pause)
}

// quit announces that ends are wanted from now on.
func (s *service) quit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quitting = true
}

func (s *service) end() error {
	s.quit()
	if p := s.current(); p != nil {
		return p.stop(stopTimeout)
	}
	return nil
}

func (s *service) kill() {
	if p := s.current(); p != nil {
		p.kill()
	}
}

func (s *service) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

func (s *service) pid() int { return s.current().cmd.Process.Pid }

// waitReady polls the program's own readiness. The gateway's comes last: it is ready once everything behind it has been.
func (s *service) waitReady(ctx context.Context) error {
	url := "http://" + s.place.admin + "/readyz"
	if s == s.stack.shops {
		url = "http://" + s.place.addr + "/control"
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	impatient := time.AfterFunc(patience, func() {
		s.log.hushed.Store(false)
		s.stack.console.say(s.name, "is not ready yet; what it said last: %s", s.log.latest())
	})
	defer impatient.Stop()
	var last error
	for {
		if last = probe(ctx, url); last == nil {
			return nil
		}
		select {
		case err := <-s.stack.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w\nits log is %s\n%s", s.name, startTimeout, last, s.log.file.Filename, s.log.tail())
		case <-time.After(50 * time.Millisecond):
		}
		if p := s.current(); s.stack.options.NoRestart {
			select {
			case <-p.done:
				return fmt.Errorf("%s ended at its start (%s):\n%s", s.name, p.verdict(), s.log.tail())
			default:
			}
		}
	}
}

func probe(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(resp.Status + " " + string(body)))
	}
	return nil
}

// latest is the last line of tail.
func (l *childLog) latest() string {
	lines := strings.Split(l.tail(), "\n")
	return lines[len(lines)-1]
}

// tail is what the program last said that was worth showing.
func (l *childLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}
