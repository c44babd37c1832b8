// Command stack starts everything on this machine: `stack run` with simulated shops and demo data, `stack up` without, `stack reset`
// removes the data of earlier launches. It is configured by the environment, like the services; the README has the table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/libertaphonix/libertaphonix/dev/stack"
)

const usage = `stack starts everything on this machine.

  stack run      with five simulated shops and demo data, syncing
  stack up       against the upstreams that the environment names
  stack reset    removes the data of earlier launches from DATA_DIR (default .data)

`

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "\nstack: %v\n", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	flags := flag.NewFlagSet("stack", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	orders := flags.Int("orders", 400, "run: orders of each simulated shop at its first start")
	speed := flags.Float64("speed", 60, "run: how fast the simulated shops live; 60 = an hour of business a minute")
	prebuilt := flags.Bool("prebuilt", false, "use the programs in bin/ as they are")
	if len(args) == 0 {
		flags.Usage()
		return errors.New("say run, up or reset")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	o := stack.Options{Out: os.Stdout, DemoOrders: *orders, DemoSpeed: *speed, Prebuilt: *prebuilt}
	switch args[0] {
	case "run":
		o.Demo = true
		return launch(o)
	case "up":
		return launch(o)
	case "reset":
		return stack.Reset(os.Getenv("DATA_DIR"))
	default:
		flags.Usage()
		return fmt.Errorf("there is no command %q", args[0])
	}
}

// launch runs until the first signal or until the stack cannot go on. A second signal ends the launcher at once; the kernel ends the
// children with it.
func launch(o stack.Options) (err error) {
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	s, err := stack.Start(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before everything was ready")
		}
		return err
	}
	context.AfterFunc(ctx, release) // from now on a signal has its ordinary effect
	defer func() { err = errors.Join(err, s.Stop()) }()

	work, cancel := context.WithCancel(ctx)
	defer cancel()
	if !o.Demo {
		fmt.Printf("\n  Open           %s      every call explained: %[1]s/docs\n\n", s.GatewayURL())
	} else {
		syncing, err := open(work, s)
		if err != nil {
			return err
		}
		defer func() {
			cancel()
			<-syncing
		}()
	}
	select {
	case <-ctx.Done():
		fmt.Println()
		return nil
	case err := <-s.Failed():
		return err
	}
}

// open makes the demo, tells the person about it, and keeps it going; the channel closes when that has ended.
func open(ctx context.Context, s *stack.Stack) (<-chan struct{}, error) {
	d, err := s.OpenDemo(ctx)
	if err != nil {
		return nil, err
	}
	sum, err := d.Sync(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the first sync: %w", err), d.Close())
	}
	fmt.Printf("%-9s| %d stores synced in %.1f s: %d orders new, %d changed, %d unchanged\n", "sync",
		sum.Stores-sum.Failed, sum.Took.Round(100*time.Millisecond).Seconds(), sum.Created, sum.Updated, sum.Unchanged)
	for _, m := range sum.Messages {
		fmt.Printf("%-9s| failed: %s\n", "sync", m)
	}
	text, err := d.Welcome(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	fmt.Print(text)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.KeepSyncing(ctx)
		_ = d.Close()
	}()
	return done, nil
}
