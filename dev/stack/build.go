package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build brings the programs up to date. Go's own cache decides what there is to do.
func build(ctx context.Context, o Options, progs []program, c *console) error {
	missing := func() []string {
		var names []string
		for _, p := range progs {
			if _, err := os.Stat(binary(o, p)); err != nil {
				names = append(names, filepath.Base(p.source))
			}
		}
		return names
	}
	if o.Prebuilt {
		if names := missing(); len(names) > 0 {
			return fmt.Errorf("%s has no %s: run `make build`", o.Bin, strings.Join(names, ", "))
		}
		return nil
	}
	root, err := repository()
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("no Go is installed (no `go` on the PATH): install Go 1.26 or newer from https://go.dev/dl")
	}
	if len(missing()) > 0 {
		c.say("launcher", "building the programs (the first time takes some minutes)")
	}
	args := []string{"build", "-o", o.Bin + string(filepath.Separator)}
	if o.Race {
		args = append(args, "-race")
	}
	for _, p := range progs {
		args = append(args, p.source)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = environment(os.Environ()).without("GOWORK") // the programs are of several modules, which only the workspace joins
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the programs do not build (%w):\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func binary(o Options, p program) string { return filepath.Join(o.Bin, filepath.Base(p.source)) }
