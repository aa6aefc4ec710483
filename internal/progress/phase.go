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
func (p *phase) at(count int64, now time.Time) standing {
	p.marks = append(p.marks, mark{count, now})
	for now.Sub(p.marks[1].at) > recent {
		p.marks = p.marks[1:]
	}
	first := p.marks[0]
	s := standing{phase: p, count: count, rate: perSecond(count-first.count, now.Sub(first.at)), left: -1}
	if p.total > count && s.rate > 0 {
		s.left = time.Duration(float64(p.total-count) / s.rate * float64(time.Second))
	}
	return s
}

// over returns how the phase went as a whole.
func (p *phase) over(count int64, took time.Duration) standing {
	return standing{phase: p, count: count, rate: perSecond(count, took), left: -1, took: took}
}

func perSecond(count int64, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return max(float64(count)/in.Seconds(), 0)
}

// standing is how far a phase is.
type standing struct {
	*phase

	count int64
	rate  float64       // a second
	left  time.Duration // below 0: unknown
	took  time.Duration // 0 while the phase goes on
}

// shown is what a bar can show of the count: one that is over its total would be an
// error.
func (s standing) shown() int64 {
	if s.total < 0 {
		return s.count
	}
	return min(s.count, s.total)
}

// text is a line for people: "folding: 4,500 of 10,000 events, 1,234/s, 3m20s left".
func (s standing) text() string {
	text := s.name + ": " + humanize.Comma(s.count)
	if s.total >= 0 && s.total != s.count {
		text += " of " + humanize.Comma(s.total)
	}
	text += fmt.Sprintf(" %s, %s/s", s.unit, humanize.Comma(int64(s.rate)))
	switch {
	case s.took > 0:
		text += fmt.Sprintf(", took %s", s.took.Round(time.Second))
	case s.left >= 0:
		text += fmt.Sprintf(", %s left", s.left.Round(time.Second))
	}
	return text
}

// log writes the line for machines.
func (s standing) log(log zerolog.Logger) {
	line := log.Info().Str("unit", s.unit).Int64("count", s.count)
	if s.total >= 0 {
		line.Int64("total", s.total)
	}
	line.Float64("per_second", float64(int64(s.rate*10))/10)
	if s.left >= 0 {
		line.Int64("seconds_left", int64(s.left.Seconds()))
	}
	if s.took > 0 {
		line.Float64("seconds", float64(s.took.Milliseconds())/1000)
	}
	line.Msg(s.name)
}
