package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ours is all that the launcher and the programs make in a data folder. Reset removes nothing else: DATA_DIR may be a typing mistake.
var ours = []string{"postgres", "redis", "keys", "logs", "shops.jsonl", demoFolder}

// Reset removes the data of earlier launches from a data folder that no launcher is running on. A database or Redis of the operator's
// own is not touched.
func Reset(dataDir string) error {
	if dataDir == "" {
		dataDir = defaultDataDir
	}
	if _, err := os.Stat(filepath.Join(dataDir, lockName)); errors.Is(err, fs.ErrNotExist) {
		return nil // no launcher was ever here
	}
	lock, err := lockDataDir(dataDir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	for _, name := range ours {
		if err := os.RemoveAll(filepath.Join(dataDir, name)); err != nil {
			return fmt.Errorf("remove the data of earlier launches: %w", err)
		}
	}
	if err := os.Remove(lock.Name()); err != nil {
		return err
	}
	_ = os.Remove(dataDir) // only when nothing else is in it
	return nil
}
