package dedup

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// probePause is the least time between two probes.
const probePause = time.Second

// health knows whether Redis can be used. While it is down no call waits for it:
// a probe in the background finds out when it is back.
type health struct {
	probe func(context.Context) error
	log   zerolog.Logger

	mu      sync.Mutex
	state   state
	tried   time.Time // when Redis was last heard of, or failed to be
	probing bool
	skipped int // calls that went without Redis since it is down
}

type state int

const (
	unknown state = iota
	up
	down
)

func newHealth(probe func(context.Context) error, log zerolog.Logger) *health {
	return &health{probe: probe, log: log}
}

func (h *health) isUp() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == up
}

// mayTry reports whether a call is worth its time.
func (h *health) mayTry() bool {
	h.mu.Lock()
	isDown := h.state == down
	if isDown {
		h.skipped++
	}
	h.mu.Unlock()
	if isDown {
		h.keepCurrent()
	}
	return !isDown
}

// keepCurrent starts a probe where nothing was heard for a while.
func (h *health) keepCurrent() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.probing || time.Since(h.tried) < probePause {
		return
	}
	h.probing = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		h.conclude(h.probe(ctx), true)
	}()
}

// note takes the outcome of a call. While Redis is down only a probe says that
// it is up: the call may have begun before it went.
func (h *health) note(err error) { h.conclude(err, false) }

func (h *health) conclude(err error, probed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = time.Now()
	if probed {
		h.probing = false
	}
	switch {
	case err != nil && h.state != down:
		h.state = down
		h.log.Warn().Err(err).Msg("Redis is down: going on without it, repeated events are written again, which changes nothing")
	case err == nil && (h.state == unknown || h.state == down && probed):
		h.state = up
		h.log.Info().Int("calls_without", h.skipped).Msg("Redis is up")
		h.skipped = 0
	}
}
