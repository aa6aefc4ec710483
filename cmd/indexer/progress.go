package main

import "github.com/search-indexer/search-indexer/internal/progress"

// newProgress returns what shows people how far a command is. Until done is called,
// all that the command says on a terminal stands above the bar there.
func (p *program) newProgress(c logConfig) (shown *progress.Progress, done func()) {
	stderr := p.stderr
	if !isTerminal(stderr) {
		shown = progress.New(progress.Config{Log: c.logger(stderr)})
		return shown, shown.Done
	}
	shown = progress.New(progress.Config{Out: stderr, Terminal: true})
	p.stderr = shown
	return shown, func() {
		shown.Done()
		p.stderr = stderr
	}
}
