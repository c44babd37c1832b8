package stack

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options say what to start. The zero value is `make up` with the environment of this process.
type Options struct {
	// Demo starts the simulated shops, makes the demo logins and stores, and keeps syncing: `make run`.
	Demo bool

	// Env is the environment in the form of os.Environ; nil = this process's. All variables of the README's table are honoured and
	// handed on; DATA_DIR, DATABASE_URL, REDIS_URL and the addresses are read here too.
	Env []string

	// Out is the terminal: milestones, warnings and errors. nil = nothing is printed.
	Out io.Writer

	// Bin is the folder of the built programs; empty = bin/ in the repository. Unless Prebuilt, what is there is brought up to date first.
	Bin      string
	Prebuilt bool
	Race     bool // build with the race detector

	// FreePorts takes any free ports in place of the documented ones, so that tests run side by side.
	FreePorts bool

	// Throwaway gives durability up for speed: the data does not outlive the test (a kill of PostgreSQL still loses nothing).
	Throwaway bool

	// NoRestart leaves a program that ended down, for tests that kill one.
	NoRestart bool

	// DemoOrders is how many orders each demo shop has at the start; 0 = 400. DemoSpeed is the simulator's business time per real time;
	// 0 = 60. SyncEvery is the pause between the launcher's own syncs; 0 = 15 s, which stays within what the vendor allows a token a day.
	DemoOrders int
	DemoSpeed  float64
	SyncEvery  time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.DemoOrders == 0 {
		o.DemoOrders = 400
	}
	if o.DemoSpeed == 0 {
		o.DemoSpeed = 60
	}
	if o.SyncEvery == 0 {
		o.SyncEvery = 15 * time.Second
	}
	if o.Bin == "" {
		root, err := repository()
		switch {
		case err == nil:
			o.Bin = filepath.Join(root, "bin")
		case o.Prebuilt:
			self, err := os.Executable()
			if err != nil {
				return o, err
			}
			o.Bin = filepath.Dir(self)
		default:
			return o, err
		}
	}
	var err error
	o.Bin, err = filepath.Abs(o.Bin)
	return o, err
}

// repository finds the root of the repository: the nearest folder upwards with a go.work.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("this is not inside the repository (no go.work upwards): start the launcher there")
		}
		dir = parent
	}
}
