package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// backlog is what a full backlog takes with the default settings. With larger ones
	// the limit grows with what is in use, not with what might be.
	backlog = 48 << 20
	// room is for chunks on their way, answers, metrics and the runtime, 8 MiB, and for
	// garbage, of which a full backlog makes some 300 MB a second. With 8 MiB alone it
	// was collected 40 times a second, which took two thirds of the worker's CPU.
	room = 36 << 20
)

// limitMemory has Go collect its garbage when its memory comes near what the settings
// let be in use, and not before: neither doubles a full backlog what it takes, nor is
// garbage collected hundreds of times a second while little is in use. An operator's
// GOGC or GOMEMLIMIT stands. It returns what undoes it.
func (p *program) limitMemory(s settings) (undo func()) {
	_, percent := p.env.Lookup("GOGC")
	_, limit := p.env.Lookup("GOMEMLIMIT")
	if percent || limit {
		return func() {}
	}
	return followMemory(int64(min(s.Batch.Memory(), backlog)) + room)
}

// followMemory keeps Go's memory limit above what is in use, by room or a quarter, and
// never below least. A fixed limit would not do: with more in use than that (records
// of 10 MB) Go would collect without a pause, with up to half of all CPU.
func followMemory(least int64) (undo func()) {
	wasPercent, wasLimit := debug.SetGCPercent(-1), debug.SetMemoryLimit(least)
	l := &memoryLimit{least: least}
	l.follow()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.over = true
		debug.SetGCPercent(wasPercent)
		debug.SetMemoryLimit(wasLimit)
	}
}

// memoryLimit is set anew after each collection of garbage.
type memoryLimit struct {
	least int64

	mu   sync.Mutex
	over bool
}

func (l *memoryLimit) follow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(inUse)
	live := int64(inUse[0].Value.Uint64()) //nolint:gosec // no heap has 8 EiB
	debug.SetMemoryLimit(max(l.least, live+max(room, live/4)))
	// Nothing refers to this, so the next collection finds it. It holds a pointer, as
	// others without would share their memory with what lives on.
	runtime.AddCleanup(new(*memoryLimit), (*memoryLimit).follow, l)
}
