package fold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Fold holds what is known of each document. Its methods may be called side by
// side; Close when none is under way, and last.
type Fold struct {
	db      *pebble.DB
	scratch *scratch
	memory  int

	records, events, bad, skipped, other, bytes atomic.Int64
}

// Entry is what is known of one document.
type Entry struct {
	document.Key
	State document.State
}

// Open makes an empty Fold with a private directory inside cfg.Dir, and removes
// those that killed processes left there.
func Open(cfg Config) (*Fold, error) {
	dir, err := newScratch(cfg.Path())
	if err != nil {
		return nil, err
	}
	db, err := pebble.Open(filepath.Join(dir.path, "states"), options(cfg.Memory))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open working files: %w", err), dir.remove())
	}
	return &Fold{db: db, scratch: dir, memory: cfg.Memory}, nil
}

// options suits files that are written once, read once in key order, and never
// needed after a crash.
func options(memory int) *pebble.Options {
	return &pebble.Options{
		Merger:                      newMerger(),
		DisableWAL:                  true,
		NoSyncOnClose:               true,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   int64(memory / 16),
		MemTableSize:                uint64(memory / 16), //nolint:gosec // a setting above 0
		MemTableStopWritesThreshold: 3,
		// Each flush leaves a sorted run, and reading merges the runs as they are: to
		// merge them before pays only where they are many.
		L0CompactionThreshold:      32,
		L0StopWritesThreshold:      1000,
		MaxOpenFiles:               256,
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, max(1, runtime.GOMAXPROCS(0)/2) },
		Logger:                     quiet{},
	}
}

// quiet leaves Pebble's own lines out: what fails is returned by its methods.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called where Pebble can't go on, as with files that were altered.
func (quiet) Fatalf(format string, args ...any) { panic("fold: " + fmt.Sprintf(format, args...)) }

// Close removes the working files.
func (f *Fold) Close() error {
	err := f.db.Close()
	return errors.Join(err, f.scratch.remove())
}

// Join adds what is known of some documents, such as what an index holds of them.
func (f *Fold) Join(entries []Entry) error {
	w := writer{db: f.db}
	for _, e := range entries {
		if err := w.add(appendKey(nil, e.Key), e.State.AppendBinary(nil)); err != nil {
			return err
		}
	}
	return w.flush()
}

// Get returns what is known of a document; false where that is nothing.
func (f *Fold) Get(key document.Key) (document.State, bool, error) {
	value, closer, err := f.db.Get(appendKey(nil, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return document.State{}, false, nil
	}
	if err != nil {
		return document.State{}, false, fmt.Errorf("read the state of a document: %w", err)
	}
	defer func() { _ = closer.Close() }() // it only frees memory
	state, err := document.ParseBinary(bytes.Clone(value))
	return state, err == nil, err
}

// Each hands every document of an entity that something is known of to fn, in the
// order of ids, from this goroutine: what was joined before the call. Deleted
// documents come as their tombstones. fn may keep what it is given. Each ends with
// fn's error or, when ctx ends, with that of ctx.
func (f *Fold) Each(ctx context.Context, entity document.Entity, fn func(document.Key, document.State) error) error {
	return f.each(ctx, entity, func([]byte) bool { return true }, fn)
}

// each is Each for the documents whose ids wanted chooses.
func (f *Fold) each(ctx context.Context, entity document.Entity, wanted func(id []byte) bool, fn func(document.Key, document.State) error) error {
	first, end := bounds(entity)
	found, err := f.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: first, UpperBound: end})
	if err != nil {
		return fmt.Errorf("read the states of documents: %w", err)
	}
	for ok := found.First(); ok && err == nil; ok = found.Next() {
		if err = ctx.Err(); err != nil {
			break
		}
		id := found.Key()[len(first):]
		if !wanted(id) {
			continue
		}
		var state document.State
		if state, err = stateAt(found); err == nil {
			err = fn(document.Key{Entity: entity, ID: string(id)}, state)
		}
	}
	return errors.Join(err, found.Close())
}

// stateAt returns the State that an iterator stands at.
func stateAt(found *pebble.Iterator) (document.State, error) {
	value, err := found.ValueAndErr()
	if err != nil {
		return document.State{}, fmt.Errorf("read the state of a document: %w", err)
	}
	return document.ParseBinary(bytes.Clone(value))
}

// Stats is what a Fold has read, and what it takes of the disk.
type Stats struct {
	Records int64 // that the log gave; the sum of the four below
	Events  int64 // joined
	Bad     int64 // that their publisher has to mend
	Skipped int64 // by Options.Skip
	Other   int64 // of an entity that was not asked for
	Bytes   int64 // of the records
	Disk    int64 // bytes of the working files now
}

// Stats returns the numbers of now.
func (f *Fold) Stats() Stats {
	return Stats{
		Records: f.records.Load(), Events: f.events.Load(), Bad: f.bad.Load(), Skipped: f.skipped.Load(),
		Other: f.other.Load(), Bytes: f.bytes.Load(),
		Disk: int64(f.db.Metrics().DiskSpaceUsage()), //nolint:gosec // no disk is that large
	}
}
