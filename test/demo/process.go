package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is one running `indexer <command>`. Its stdout is kept in memory, as the
// commands used here say little; what it logs goes to a file.
type process struct {
	command string
	log     string // path
	stdin   io.WriteCloser
	stdout  strings.Builder // to be read once it has ended
	cmd     *exec.Cmd
	ended   chan struct{}
	err     error // how it ended; to be read once it has
}

// start runs a command of the indexer.
func (s *stage) start(command string, args ...string) (*process, error) {
	p := &process{command: command, log: filepath.Join(s.logs, command+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("log of indexer %s: %w", command, err)
	}
	defer func() { _ = log.Close() }()                                     // the process has its own handle
	p.cmd = exec.Command(s.indexer, append([]string{command}, args...)...) //nolint:noctx // it is told to stop, not killed, when the context ends
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.settings, &p.stdout, log
	// Ctrl-C is for the demo, which then stops its processes in their order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start indexer %s: %w", command, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start indexer %s: %w", command, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// over is nil while the process runs, else how it ended.
func (p *process) over() error {
	select {
	case <-p.ended:
		return fmt.Errorf("`indexer %s` has ended (%s)", p.command, p.cmd.ProcessState)
	default:
		return nil
	}
}

// wait waits for the end, and is an error unless that was exit code 0.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.ended:
	case <-ctx.Done():
		return fmt.Errorf("wait for `indexer %s`: %w", p.command, ctx.Err())
	}
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("`indexer %s`: %w%s", p.command, p.err, p.lastWords())
}

// lastWords returns the end of the log, on a line of its own.
func (p *process) lastWords() string {
	text, _ := os.ReadFile(p.log) // best effort: the error that it explains counts
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "\n" + lines[len(lines)-1]
}

// stop asks the process to end, and makes it if it does not.
func (p *process) stop(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error: it has ended
	err := p.wait(ctx)
	if ctx.Err() != nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return err
}
