// Package progress tells people how far a long command is: by a bar on a terminal,
// elsewhere by a line of the log every few seconds. It is not for metrics, nor for
// the report at a command's end.
package progress

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/schollz/progressbar/v3"
)

const (
	defaultEvery = 5 * time.Second
	redraw       = 200 * time.Millisecond
)

// Config says where progress goes.
type Config struct {
	Out      io.Writer      // the terminal, stderr as a rule; unused without one
	Terminal bool           // whether Out is a terminal: it gets a bar, and the log nothing
	Log      zerolog.Logger // gets the lines where there is no terminal
	Every    time.Duration  // between two lines of the log; 0 is 5 s
}

// Progress shows one phase of a command after the other. It is safe for concurrent
// use.
type Progress struct {
	cfg   Config
	stop  context.CancelFunc
	ended sync.WaitGroup
	count atomic.Int64 // of the phase

	drawing sync.Mutex               // held while something is written, which may hang
	bar     *progressbar.ProgressBar // of the phase; nil without a terminal

	mu    sync.Mutex // comes after drawing, and is never held for long
	phase *phase     // nil between phases
}

// New returns a Progress that shows nothing before the first [Progress.Phase]. It
// owns a goroutine until [Progress.Done].
func New(cfg Config) *Progress {
	if cfg.Every <= 0 {
		cfg.Every = defaultEvery
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Progress{cfg: cfg, stop: stop}
	p.ended.Go(func() { p.run(ctx) })
	return p
}

func (p *Progress) run(ctx context.Context) {
	every := p.cfg.Every
	if p.cfg.Terminal {
		every = redraw
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.show()
		}
	}
}

// Phase begins the next phase and ends the one before. Total is what it has to do,
// -1 where nobody knows; unit is the plural of what it counts, such as "events". A
// phase that took longer than Config.Every leaves a line.
func (p *Progress) Phase(name string, total int64, unit string) {
	p.drawing.Lock()
	defer p.drawing.Unlock()
	p.end()
	p.count.Store(0)
	p.mu.Lock()
	p.phase = newPhase(name, total, unit, time.Now())
	p.mu.Unlock()
	if p.cfg.Terminal {
		p.bar = newBar(p.cfg.Out, total)
	}
}

// Add counts n more as done in this phase.
func (p *Progress) Add(n int64) { p.count.Add(n) }

// Set says how many are done in this phase.
func (p *Progress) Set(n int64) { p.count.Store(n) }

// Done ends the last phase and takes the bar off the terminal. Nothing is shown
// after it.
func (p *Progress) Done() {
	p.stop()
	p.ended.Wait()
	p.drawing.Lock()
	defer p.drawing.Unlock()
	p.end()
}

// Write writes whole lines to Config.Out, above the bar: what else the command says
// on the terminal, its log for instance, goes through here.
func (p *Progress) Write(lines []byte) (int, error) {
	p.drawing.Lock()
	defer p.drawing.Unlock()
	if p.bar == nil {
		return p.cfg.Out.Write(lines)
	}
	_ = p.bar.Clear() // a terminal that takes no bar does not take the lines either
	n, err := p.cfg.Out.Write(lines)
	_ = p.bar.RenderBlank()
	return n, err
}

// Standing tells others than the terminal or the log how far the command is. It waits
// for neither, should they hang.
func (p *Progress) Standing() Standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase == nil {
		return Standing{}
	}
	return p.phase.at(p.count.Load(), time.Now())
}

func (p *Progress) show() {
	p.drawing.Lock()
	defer p.drawing.Unlock()
	at := p.Standing()
	if at.Phase == "" {
		return
	}
	if p.bar == nil {
		at.log(p.cfg.Log).Msg(at.Phase)
		return
	}
	p.bar.Describe(at.String())
	_ = p.bar.Set64(at.shown())
}

// end needs drawing.
func (p *Progress) end() {
	p.mu.Lock()
	ended := p.phase
	p.phase = nil
	p.mu.Unlock()
	if ended == nil {
		return
	}
	bar := p.bar
	p.bar = nil
	if bar != nil {
		_ = bar.Clear()
	}
	took := time.Since(ended.began)
	if took <= p.cfg.Every {
		return
	}
	over := ended.over(p.count.Load(), took)
	if bar == nil {
		over.log(p.cfg.Log).Float64("seconds", float64(took.Milliseconds())/1000).Msg(over.Phase)
	} else {
		_, _ = fmt.Fprintf(p.cfg.Out, "%s, took %s\n", over, took.Round(time.Second))
	}
}

// newBar has neither texts nor a goroutine of its own: it is drawn when it is told,
// and told what to say. (The goroutine that turns a spinner every so often outlives
// the bar, and reads what others write: progressbar 3.19.)
func newBar(out io.Writer, total int64) *progressbar.ProgressBar {
	const spinner = 14 // the dots of Braille
	if total <= 0 {    // a bar of nothing is not taken off again (progressbar 3.19)
		total = -1
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(out),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSpinnerType(spinner),
		progressbar.OptionSetSpinnerChangeInterval(0),
	)
}
