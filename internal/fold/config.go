package fold

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Config says what a Fold may use of the machine.
type Config struct {
	Dir    string `env:"FOLD_DIR" doc:"Existing directory for the working files of rebuild and verify; empty for the system's temporary one. They take up to twice the bytes of all documents and twice FOLD_MEMORY, hold the documents' contents, are readable by this user alone, and are removed at the end."`
	Memory int    `env:"FOLD_MEMORY, default=536870912" doc:"About how many bytes of memory rebuild and verify use for joining events, 67108864 or more; the program takes up to 200 MB besides. Less means more work on disk."`
}

const leastMemory = 64 << 20

// Validate names every wrong setting.
func (c Config) Validate() error {
	var wrong []error
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
			wrong = append(wrong, fmt.Errorf("FOLD_DIR: %q is no directory that can be used", c.Dir))
		}
	}
	if c.Memory < leastMemory {
		wrong = append(wrong, fmt.Errorf("FOLD_MEMORY: use %d (64 MiB) or more", leastMemory))
	}
	return errors.Join(wrong...)
}

// Path returns the directory that holds the working files' own ones.
func (c Config) Path() string {
	if c.Dir != "" {
		return c.Dir
	}
	return os.TempDir()
}

// WorkingDirs returns the directories in Path that hold working files, of runs that are
// under way or were killed. Other users' are named too.
func (c Config) WorkingDirs() ([]string, error) {
	dirs, err := filepath.Glob(filepath.Join(c.Path(), scratchPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("look for working files in %s: %w", c.Path(), err)
	}
	return dirs, nil
}

// Free returns how many bytes of Path's file system this user may still write.
func (c Config) Free() (int64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(c.Path(), &disk); err != nil {
		return 0, fmt.Errorf("look how much disk is free in %s: %w", c.Path(), err)
	}
	return int64(disk.Bavail) * disk.Bsize, nil //nolint:gosec // disks are smaller
}
