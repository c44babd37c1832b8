// Command ecomanagersim serves the EcoManager simulator with the demo stores. GET /control on its address explains the control door.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/libertaphonix/libertaphonix/dev/ecomanagersim"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:7190", "address of the shop API and, under /control, the control door")
	seed := flag.Uint64("seed", 2026, "the same seed makes the same world")
	orders := flag.Int("orders", 400, "orders a shop has at the start, spread over the last 45 days")
	speed := flag.Float64("speed", 60, "business seconds a second; 0 = the world stands still")
	state := flag.String("state", "", "journal file that lets the world outlive the process")
	quota := flag.Bool("quota", true, "keep to the vendor's limits: 5 requests a second, 50 a minute, 1000 an hour, 10000 a day")
	deliverTo := flag.String("deliver-to", "", "hosts, with commas between, that webhooks may be delivered to beside this machine")
	flag.Parse()

	cfg := ecomanagersim.Demo(*seed, *orders)
	cfg.Engine = ecomanagersim.EngineSettings{Running: *speed > 0, Speed: *speed}
	cfg.StatePath = *state
	cfg.Quota.On = *quota
	if *deliverTo != "" {
		cfg.DeliveryHosts = strings.Split(*deliverTo, ",")
	}
	sim, err := ecomanagersim.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = sim.Close() }()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	server.RegisterOnShutdown(sim.Release)
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	fmt.Printf("ecomanagersim: http://%s (control door: /control)\n", l.Addr())
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(l) }()
	go func() { failed <- sim.Run(ctx) }()

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if stopErr := server.Shutdown(grace); err == nil || errors.Is(err, http.ErrServerClosed) {
		err = stopErr
	}
	return err
}
