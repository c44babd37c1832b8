package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const superuser = "postgres"

// ErrMissing says that no PostgreSQL is installed here.
var ErrMissing = errors.New("no PostgreSQL server is installed")

// findBinaries looks for a folder with initdb and postgres: PG_BIN, then what
// pg_config on the PATH names, then the PATH itself (through symbolic links, because
// postgres finds its shared files relative to itself), then Debian's folders, newest
// version first.
func findBinaries() (string, error) {
	var candidates []string
	if dir := os.Getenv("PG_BIN"); dir != "" {
		if !hasServer(dir) {
			return "", fmt.Errorf("%w in PG_BIN=%s: it must hold initdb and postgres", ErrMissing, dir)
		}
		return dir, nil
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			candidates = append(candidates, filepath.Dir(real))
		}
	}
	candidates = append(candidates, versionedFolders()...)
	for _, dir := range candidates {
		if hasServer(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: %s, or set PG_BIN to the folder of initdb and postgres, or DATABASE_URL to a server of yours", ErrMissing, howToInstall())
}

func howToInstall() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	return "apt-get install -y --no-install-recommends postgresql"
}

func hasServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// initialise makes the cluster unless there is one. It is made aside and renamed, so
// that an initdb that was interrupted is not mistaken for a cluster.
func initialise(ctx context.Context, bin, data string, a account, fsync bool) error {
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return nil
	}
	aside := data + ".new"
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	// LC_CTYPE C.UTF-8 gives Arabic trigrams and É a lower case; collation C sorts by
	// bytes, the same on every machine.
	args := []string{
		"-D", aside, "-U", superuser, "--auth=trust", "-E", "UTF8",
		"--locale=C", "--lc-ctype=C.UTF-8", "--no-instructions",
	}
	if !fsync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), args...)
	cmd.Dir, cmd.Env = "/", a.environ() // "/": the child changes folder before it holds any capability
	cmd.SysProcAttr = a.attributes()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := launch(cmd) // from a thread that stays: see there
	if err != nil {
		return fmt.Errorf("initdb in %s: %w", data, err)
	}
	if <-p.done; p.err != nil {
		return fmt.Errorf("initdb in %s: %w\n%s", data, p.err, strings.TrimSpace(out.String()))
	}
	return os.Rename(aside, data)
}
