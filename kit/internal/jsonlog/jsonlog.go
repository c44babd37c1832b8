// Package jsonlog makes the one logger of the suite: slog as JSON lines, with
// secrets taken out and telephone numbers masked at the handler, where no call site
// can forget it (lesson P77).
//
// It is apart from kit/obs because kit/run, which obs builds upon, logs as well.
// Start reading at New; what is secret is decided in kit/internal/redact.
package jsonlog

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/libertaphonix/libertaphonix/kit/internal/redact"
)

// New returns a logger that writes JSON lines to w, each naming service and version.
func New(w io.Writer, service, version string, level slog.Level) *slog.Logger {
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: clean})
	return slog.New(handler).With("service", service, "version", version)
}

// clean is called for every attribute that is not a group, the message included, with
// LogValuers resolved; the names of the groups around count as part of its key.
func clean(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return a
	}
	key := a.Key
	if !redact.Key(key) && !redact.PhoneKey(key) && len(groups) > 0 && redact.Key(groups[len(groups)-1]) {
		key = groups[len(groups)-1]
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, redact.Value(key, a.Value.String()))
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		if redact.PhoneKey(key) {
			return slog.String(a.Key, redact.Value(key, a.Value.String()))
		}
		return a
	case slog.KindAny:
		return slog.Any(a.Key, cleanAny(key, a.Value.Any()))
	default: // bool, duration, time: nothing to hide in them
		return a
	}
}

func cleanAny(key string, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case *slog.Source:
		return v
	case error:
		return redact.Value(key, v.Error())
	case []byte: // nobody reads base64 in a log, and a body must not stand there
		return fmt.Sprintf("%d bytes", len(v))
	case fmt.Stringer:
		return redact.Value(key, v.String())
	}
	if redact.Key(key) {
		return redact.Stars
	}
	safe, err := redact.Loggable(key, v)
	if err != nil {
		return fmt.Sprintf("not loggable: %T", v)
	}
	return safe
}
