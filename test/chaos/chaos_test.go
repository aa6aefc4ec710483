package chaos

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// shortest is how long faults go on in `go test ./...`. The whole test takes about
// a minute more: services start, and what is left is drained.
const shortest = 40 * time.Second

// TestChaos is one run. CHAOS_SEED and CHAOS_DURATION (how long faults go on) come
// from `make chaos`; a seed that is not given is drawn and printed. The seed decides
// what is published and which faults come in which order; when exactly each one hits
// is up to the machine.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves the stack out")
	}
	seed, duration := uint64(time.Now().UnixMilli()), shortest
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	if text := os.Getenv("CHAOS_DURATION"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("CHAOS_DURATION: %v", err)
		}
	}
	t.Logf("seed %d, faults for %s", seed, duration)
	r := newRun(t, seed, duration)
	r.crew.fill()
	r.publishAndFail()
	r.mustEndWell()
	t.Log("\n" + r.table())
	const least = 30 // in ten minutes
	if want := int(least * duration / (10 * time.Minute)); r.tally.total() < want {
		t.Errorf("only %d faults, want %d: the run proves little", r.tally.total(), want)
	}
}
