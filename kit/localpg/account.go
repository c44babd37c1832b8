package localpg

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
)

// account is who the server runs as. PostgreSQL refuses to run as root, so root (in a
// container, usually) drops to the user postgres, else nobody; anybody else runs it
// as himself.
type account struct {
	drop     bool
	uid, gid uint32
	ambient  []uintptr
}

const nobodyID = 65534

func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{drop: true, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return account{drop: true, uid: nobodyID, gid: nobodyID}, nil
}

// own makes a folder that the server's user can use, whatever is in it already.
func (a account) own(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if !a.drop {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		//nolint:gosec // G122: the folder is ours and nobody else writes into it yet
		return os.Lchown(path, int(a.uid), int(a.gid))
	})
}

// capDACOverride ignores the permission bits of files and folders (capabilities(7)).
const capDACOverride = 1

// reach looks whether the server's user can walk down to dir. Below a private home
// (/root is 0700) it cannot; then the server keeps the one capability of root that
// lets it, so that a clone in /root works like any other.
func (a *account) reach(dir string) {
	if !a.drop {
		return
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err == nil && info.Mode()&0o001 == 0 {
			a.ambient = []uintptr{capDACOverride}
			return
		}
		if parent == filepath.Dir(parent) {
			return
		}
	}
}

// environ is little on purpose: the operator's PG* variables and locale must not
// reach a private server.
func (a account) environ() []string {
	env := []string{"HOME=/", "LC_ALL=C", "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	for _, name := range []string{"LD_LIBRARY_PATH", "TMPDIR"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// versionedFolders are Debian's, newest version first.
func versionedFolders() []string {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(folders, func(a, b string) int { return version(b) - version(a) })
	return folders
}
