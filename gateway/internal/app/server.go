package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/libertaphonix/libertaphonix/gateway/internal/rest"
	"github.com/libertaphonix/libertaphonix/kit/obs"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

// Every timeout is set: a client that sends or reads a byte a minute must not keep a connection for ever.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 20 * time.Second // 1 MiB over a slow line
	writeTimeout  = 45 * time.Second // more than a request may take in all (30 s), so that its refusal still gets out
	idleTimeout   = 2 * time.Minute  // longer than a proxy's usual minute: the side that opened the connection closes it
	maxHeader     = 64 << 10         // twice what rest accepts, so that the refusal is ours and says why
	drainTimeout  = 20 * time.Second
)

// serve listens, and stops in order: not ready, no new connections, the requests under way to their end.
func serve(g *run.Group, cfg Config, o *obs.Observability, handler http.Handler, ready *rest.Readiness) error {
	listener, err := listen(cfg)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug), // what strangers do to a socket
	}
	o.Log.Info("serving HTTP", "address", listener.Addr().String(), "tls", cfg.GatewayTLS)
	g.Go("http", func(context.Context) error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.OnStop("http drain", func(ctx context.Context) error {
		ready.Drain()
		ctx, cancel := context.WithTimeout(ctx, drainTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(errors.New("requests under way were cut: the grace period is over"), server.Close())
		}
		return nil
	})
	return nil
}

func listen(cfg Config) (net.Listener, error) {
	config, err := serverTLS(cfg)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cfg.GatewayAddr)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP at %s: %w (is the port taken? GATEWAY_ADDR chooses another)", cfg.GatewayAddr, err)
	}
	if config == nil {
		return listener, nil
	}
	return tls.NewListener(listener, config), nil
}

// serverTLS is nil unless the gateway serves HTTPS itself.
func serverTLS(cfg Config) (*tls.Config, error) {
	if !cfg.GatewayTLS {
		return nil, nil //nolint:nilnil // no TLS is an answer here, as everywhere in net/http
	}
	certificate, err := cfg.Certificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}
