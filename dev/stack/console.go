package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gopkg.in/natefinch/lumberjack.v2"
)

// console is the terminal: one line at a time, each behind the name of who says it.
type console struct {
	mu  sync.Mutex
	out io.Writer
}

func (c *console) say(who, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%-9s| %s\n", who, fmt.Sprintf(format, args...))
}

// childLog takes what a child writes: every line to its rotated file, warnings, errors and what is no log line also to the terminal.
type childLog struct {
	name    string
	quiet   bool // nothing goes to the terminal
	console *console
	file    *lumberjack.Logger

	// hushed keeps structured lines off the terminal while the stack starts and stops: programs that wait for each other, and miss each
	// other, say so in warnings that mean nothing to a person. A start that fails shows the latest of them.
	hushed atomic.Bool

	mu      sync.Mutex
	partial []byte
	last    []string // the latest lines worth showing when the child dies
}

const (
	logMegabytes = 10
	logBackups   = 3
	lastLines    = 10
)

func newChildLog(dir, name string, c *console) *childLog {
	return &childLog{name: name, console: c, file: &lumberjack.Logger{
		Filename: filepath.Join(dir, name+".log"), MaxSize: logMegabytes, MaxBackups: logBackups,
	}}
}

// spoken is the one secret that a program says to the person who starts it: the drawn password of the first administrator. The terminal
// shows it once; a file would keep it.
var spoken = regexp.MustCompile(`(with the password )\S+`)

// Write takes any piece of output; lines are put together again.
func (l *childLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, b...)
	for {
		i := bytes.IndexByte(l.partial, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := l.partial[:i+1]
		_, _ = l.file.Write(spoken.ReplaceAll(line, []byte("$1***"))) // a full disk must not stop the children
		if text, loud := digest(bytes.TrimRight(line, "\r\n")); loud {
			if structured := line[0] == '{'; !l.quiet && !(structured && l.hushed.Load()) {
				l.console.say(l.name, "%s", text)
			}
			l.last = append(l.last, text)
			l.last = l.last[max(0, len(l.last)-lastLines):]
		}
		l.partial = l.partial[i+1:]
	}
}

func (l *childLog) close() error { return l.file.Close() }

// digest turns a line of structured log into a short one for people, and says whether the terminal should show it. A line that is no
// structured log (a panic, a refused configuration) is shown as it is.
func digest(line []byte) (text string, loud bool) {
	var entry map[string]json.RawMessage
	if len(line) == 0 {
		return "", false
	}
	if err := json.Unmarshal(line, &entry); err != nil || entry["msg"] == nil {
		return string(line), true
	}
	level := unquoted(entry["level"])
	if level != "WARN" && level != "ERROR" {
		return "", false
	}
	names := make([]string, 0, len(entry))
	for name := range entry {
		if !slices.Contains([]string{"time", "level", "msg", "service", "version", "source"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	b := strings.Builder{}
	fmt.Fprintf(&b, "%s %s", level, unquoted(entry["msg"]))
	for _, name := range names {
		fmt.Fprintf(&b, " %s=%s", name, entry[name])
	}
	return b.String(), true
}

func unquoted(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}
