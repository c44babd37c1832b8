package run

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// serve starts the program and stays until a signal or a failure.
func serve[C any](p Program[C], cfg C, proc process, log *slog.Logger) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	g := &Group{}
	ended := make(chan struct{})
	defer close(ended)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		watch(proc, g, cancel, ended, func(sig string) { log.Info("stopping", "signal", sig) })
	}()

	started := time.Now()
	err := p.New(ctx, cfg, g)
	if err != nil {
		err = fmt.Errorf("start: %w", err)
		g.fail(err)
		err = g.Wait()
	} else {
		log.Info("started", "milliseconds", time.Since(started).Milliseconds())
		err = g.Wait()
	}
	if err != nil {
		log.Error("stopped after a failure", "error", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitOK
}

// watch turns the first signal into an orderly stop and the second into the end.
func watch(proc process, g *Group, cancel context.CancelFunc, ended <-chan struct{}, say func(string)) {
	select {
	case sig := <-proc.signals:
		say(sig.String())
		cancel() // a start-up still under way gives up
		go func() { _ = g.Stop() }()
	case <-g.Stopping():
		cancel()
	case <-ended:
		return
	}
	select {
	case <-proc.signals:
		proc.exit(exitKilled)
	case <-ended:
	}
}

// once runs what a flag asked for instead of the program.
func once[C any](proc process, name, what string, timeout time.Duration, cfg C, f func(ctx context.Context, cfg C) error) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-proc.signals:
			cancel()
		case <-ended:
		}
	}()
	if f != nil {
		if err := f(ctx, cfg); err != nil {
			_, _ = fmt.Fprintf(proc.stderr, "%s: %s failed:\n%v\n", name, what, err)
			return exitFailed
		}
	}
	_, _ = fmt.Fprintf(proc.stdout, "%s: %s ok\n", name, what)
	return exitOK
}

func printKeyset(proc process, generate func() (string, error)) int {
	text, err := generate()
	if err != nil {
		_, _ = fmt.Fprintf(proc.stderr, "CREDENTIALS_KEYSET %v\n", err)
		return exitFailed
	}
	_, _ = fmt.Fprintln(proc.stdout, text)
	return exitOK
}

// VersionText is Version, or when the linker set none, what the toolchain recorded about the build.
func VersionText() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "development"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "development-" + s.Value[:12]
		}
	}
	return "development"
}
