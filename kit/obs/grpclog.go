package obs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/grpclog"
)

// grpcLog is where gRPC and the REST gateway made from it tell what they do not answer. They know one logger for the
// whole process and take it only before anything else of theirs runs, which is why it is put there with its declaration
// and learns its target later.
var grpcLog = listening()

func listening() *grpcLogger {
	g := &grpcLogger{LoggerV2: grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)}
	grpclog.SetLoggerV2(g)
	return g
}

// grpcLogger writes errors as warnings, because the call they belong to is answered and logged by itself, and warnings,
// which are about connections that come and go, for who debugs. What is fatal goes to stderr as gRPC has it.
type grpcLogger struct {
	grpclog.LoggerV2
	target atomic.Pointer[slog.Logger] // nil: nobody listens yet
}

func (g *grpcLogger) tell(level slog.Level, text string) {
	if log := g.target.Load(); log != nil {
		log.Log(context.Background(), level, "grpc", "says", strings.TrimSpace(text))
	}
}

func (g *grpcLogger) Error(args ...any)   { g.tell(slog.LevelWarn, fmt.Sprint(args...)) }
func (g *grpcLogger) Errorln(args ...any) { g.tell(slog.LevelWarn, fmt.Sprintln(args...)) }
func (g *grpcLogger) Errorf(format string, args ...any) {
	g.tell(slog.LevelWarn, fmt.Sprintf(format, args...))
}
func (g *grpcLogger) Warning(args ...any)   { g.tell(slog.LevelDebug, fmt.Sprint(args...)) }
func (g *grpcLogger) Warningln(args ...any) { g.tell(slog.LevelDebug, fmt.Sprintln(args...)) }
func (g *grpcLogger) Warningf(format string, args ...any) {
	g.tell(slog.LevelDebug, fmt.Sprintf(format, args...))
}
