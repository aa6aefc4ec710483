package progress

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/rs/zerolog"
)

// recent is the time over which the rate is taken: long enough to be calm, short
// enough to tell when things slow down.
const recent = 15 * time.Second

// phase is one part of a command.
type phase struct {
	name  string
	total int64 // below 0: unknown
	unit  string
	began time.Time
	marks []mark // the last of those before recent, and all since
}

// mark is how many were done at a time.
type mark struct {
	count int64
	at    time.Time
}

func newPhase(name string, total int64, unit string, now time.Time) *phase {
	return &phase{name: name, total: total, unit: unit, began: now, marks: []mark{{0, now}}}
}

// at returns how far the phase is.
func (p *phase) at(count int64, now time.Time) Standing {
	p.marks = append(p.marks, mark{count, now})
	for now.Sub(p.marks[1].at) > recent {
		p.marks = p.marks[1:]
	}
	first := p.marks[0]
	s := p.standing(count, perSecond(count-first.count, now.Sub(first.at)))
	if p.total > count && s.PerSecond > 0 {
		s.SecondsLeft = float64(p.total-count) / s.PerSecond
	}
	return s
}

// over returns how the phase went as a whole.
func (p *phase) over(count int64, took time.Duration) Standing {
	return p.standing(count, perSecond(count, took))
}

func (p *phase) standing(count int64, rate float64) Standing {
	return Standing{Phase: p.name, Done: count, Total: max(p.total, -1), Unit: p.unit, PerSecond: rate, SecondsLeft: -1}
}

func perSecond(count int64, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return max(float64(count)/in.Seconds(), 0)
}

// Standing is how far a command is.
type Standing struct {
	Phase       string // what the command does now; empty between phases
	Done        int64  // of the phase
	Total       int64  // of the phase, perhaps an estimate; -1 where nobody knows
	Unit        string // the plural of what is counted
	PerSecond   float64
	SecondsLeft float64 // until the end of the phase; -1 where nobody knows
}

// shown is what a bar can show of the count: one that is over its total would be an
// error.
func (s Standing) shown() int64 {
	if s.Total < 0 {
		return s.Done
	}
	return min(s.Done, s.Total)
}

// String is a line for people: "fold: 4,500 of 10,000 events, 1,234/s, 3m20s left".
func (s Standing) String() string {
	text := s.Phase + ": " + humanize.Comma(s.Done)
	if s.Total > s.Done {
		text += " of " + humanize.Comma(s.Total)
	}
	text += fmt.Sprintf(" %s, %s/s", s.Unit, humanize.Comma(int64(s.PerSecond)))
	if s.SecondsLeft >= 0 {
		text += fmt.Sprintf(", %s left", inSeconds(s.SecondsLeft))
	}
	return text
}

func inSeconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// log returns the line for machines, to be completed.
func (s Standing) log(log zerolog.Logger) *zerolog.Event {
	line := log.Info().Str("unit", s.Unit).Int64("count", s.Done)
	if s.Total >= 0 {
		line.Int64("total", s.Total)
	}
	line.Float64("per_second", float64(int64(s.PerSecond*10))/10)
	if s.SecondsLeft >= 0 {
		line.Int64("seconds_left", int64(s.SecondsLeft))
	}
	return line
}
