package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const lockName = "launcher.lock"

// lockDataDir makes the folder and takes it for this process. The lock is the kernel's: it goes with the process, however that ends.
func lockDataDir(dir string) (*os.File, error) {
	// 0755 and not 0700: the private PostgreSQL of root runs as another user and must be able to walk in. Keys lie in a 0700 folder.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("DATA_DIR=%s cannot be made: %w; set DATA_DIR to a folder that you may write", dir, err)
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("DATA_DIR=%s cannot be used: %w; set DATA_DIR to a folder that you may write", dir, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		who, _ := os.ReadFile(path)
		_ = f.Close()
		return nil, fmt.Errorf("another launcher (process %s) is running on %s: stop it, or set DATA_DIR to another folder",
			strings.TrimSpace(string(who)), dir)
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}
