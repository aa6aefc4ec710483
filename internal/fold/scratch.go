package fold

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// Names of working directories. One that is in the making has no owner's lock yet,
// so that nobody may take it for a leftover.
const (
	scratchPrefix = "search-indexer-fold-"
	makingPrefix  = "search-indexer-making-"
)

// scratch is a private directory, locked while its owner lives.
type scratch struct {
	path string
	lock *os.File
}

// newScratch makes a directory inside parent, and removes those whose owner died
// without doing so.
func newScratch(parent string) (*scratch, error) {
	if err := sweep(parent); err != nil {
		return nil, err
	}
	making, err := os.MkdirTemp(parent, makingPrefix) // for this user alone: 0700
	if err != nil {
		return nil, fmt.Errorf("make a working directory: %w", err)
	}
	s := &scratch{path: filepath.Join(parent, scratchPrefix+strings.TrimPrefix(filepath.Base(making), makingPrefix))}
	if s.lock, err = lockDir(making); err == nil {
		err = os.Rename(making, s.path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a working directory: %w", err), os.RemoveAll(making))
	}
	return s, nil
}

// remove takes the directory away with all that is in it.
func (s *scratch) remove() error {
	err := os.RemoveAll(s.path)
	return errors.Join(err, s.lock.Close())
}

// checkRoom tells a disk without room for bytes more before it is full: a full one
// would have Pebble (2.1) try to write again and again without saying so.
func (s *scratch) checkRoom(bytes int) error {
	const margin = 64 << 20 // what Pebble holds in memory and writes besides
	usage, err := vfs.Default.GetDiskUsage(s.path)
	if err != nil {
		return fmt.Errorf("look for room for working files: %w", err)
	}
	if needed := uint64(bytes) + margin; usage.AvailBytes < needed { //nolint:gosec // not below 0
		return fmt.Errorf("working files need %d bytes more, but the disk of %s has %d left; make room or set FOLD_DIR to another disk",
			needed, filepath.Dir(s.path), usage.AvailBytes)
	}
	return nil
}

// lockDir locks a directory until the file is closed, at the latest by the end of
// the process. The lock stays with the directory when it is renamed.
func lockDir(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// sweep removes the working directories in parent that nobody holds. Those that
// can't be locked are in use, or another user's.
func sweep(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return fmt.Errorf("look for left working directories: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), scratchPrefix) {
			continue
		}
		left := &scratch{path: filepath.Join(parent, entry.Name())}
		if left.lock, err = lockDir(left.path); err != nil {
			continue
		}
		if err := left.remove(); err != nil {
			return fmt.Errorf("remove a left working directory: %w", err)
		}
	}
	return nil
}
