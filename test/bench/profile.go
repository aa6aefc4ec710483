package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// profile runs the worker once more, for about as long as it took before, and
// writes where its time and its allocations went: as Go's pprof reads it, and as
// text.
func (b *bench) profile(ctx context.Context, topics filled, s *runningSink, long time.Duration) error {
	if err := os.MkdirAll(b.options.profile, 0o750); err != nil {
		return fmt.Errorf("make a folder for profiles: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	side := b.before(s, "p")
	side.env = append(side.env, "PPROF_ADDR="+address)
	if err := b.setup(ctx, topics.prefix, side); err != nil {
		return err
	}
	p, err := b.start(ctx, topics, side)
	if err != nil {
		return err
	}
	seconds := int(math.Ceil(long.Seconds())) + 1 // joining the group takes a moment
	cpu := make(chan error, 1)
	go func() {
		cpu <- b.fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, seconds), "cpu.pb.gz")
	}()
	_, err = watchOne(ctx, p, topics.events)
	err = errors.Join(err, <-cpu, b.fetch(ctx, "http://"+address+"/debug/pprof/allocs", "allocs.pb.gz"))
	if err := p.Stop(err); err != nil {
		return err
	}
	return errors.Join(
		b.top(ctx, "cpu.pb.gz", "cpu", "cpu.txt"),
		b.top(ctx, "allocs.pb.gz", "alloc_objects", "allocations.txt"),
		b.top(ctx, "allocs.pb.gz", "alloc_space", "allocated-bytes.txt"),
		b.remove(ctx, side))
}

// freeAddress is one to listen on: the worker does not tell which it has chosen.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

func (b *bench) fetch(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", file, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch %s: status %d", file, resp.StatusCode)
	}
	to, err := os.Create(filepath.Join(b.options.profile, file))
	if err != nil {
		return fmt.Errorf("keep %s: %w", file, err)
	}
	_, err = io.Copy(to, resp.Body)
	return errors.Join(err, to.Close())
}

// top writes the functions of a profile, those that cost most first.
func (b *bench) top(ctx context.Context, profile, kind, file string) error {
	cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=80", "-sample_index="+kind,
		b.options.indexer, filepath.Join(b.options.profile, profile))
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("read %s: %w", profile, err)
	}
	path := filepath.Join(b.options.profile, file)
	b.say("%s", path)
	return os.WriteFile(path, text, 0o600)
}
