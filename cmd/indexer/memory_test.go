package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// The garbage beside more than the limit, as records of 10 MB may take, is not
// collected piece by piece.
func TestMemoryLimitFollowsWhatIsInUse(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	undo := followMemory(backlog + room)
	inUse := make([][]byte, 200<<10)
	for i := range inUse {
		inUse[i] = make([]byte, 1<<10)
	}
	runtime.GC()
	var from, to runtime.MemStats
	runtime.ReadMemStats(&from)
	var garbage []byte
	for range 2 << 20 {
		garbage = make([]byte, 1<<10)
	}
	runtime.ReadMemStats(&to)
	runtime.KeepAlive(inUse)
	runtime.KeepAlive(garbage)
	if got := to.NumGC - from.NumGC; got > 80 { // with a limit that stays there are 100 and more
		t.Errorf("%d collections for 2 GB of garbage beside 200 MB", got)
	}
	undo()
	runtime.GC()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("left a limit of %d behind", got)
	}
}
