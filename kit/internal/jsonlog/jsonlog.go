// Package jsonlog makes the one logger of the suite: slog as JSON lines, with
// secrets taken out and telephone numbers masked at the handler, where no call site
// can forget it (lesson P77).
//
// It is apart from kit/obs because kit/run, which obs builds upon, logs as well.
// Start reading at New, then redact.go.
package jsonlog

import (
	"io"
	"log/slog"
)

// New returns a logger that writes JSON lines to w, each naming service and version.
func New(w io.Writer, service, version string, level slog.Level) *slog.Logger {
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: replace})
	return slog.New(handler).With("service", service, "version", version)
}
