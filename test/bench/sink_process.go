package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// serveSink is this program as the sink's process, apart from the one that
// measures: it prints its address and answers until its input ends.
func serveSink(ctx context.Context, upstream string, stdin io.Reader, stdout io.Writer) error {
	s, err := newSink(upstream)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if _, err := fmt.Fprintf(stdout, "http://%s\n", listener.Addr()); err != nil {
		return fmt.Errorf("tell the address: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		_ = server.Close()
	}()
	_ = server.Serve(listener) // until it is closed
	return nil
}

// runningSink is a sink in a process of its own.
type runningSink struct {
	url string
	cmd *exec.Cmd
	in  io.Closer
}

// startSink starts a sink before a cluster.
func startSink(ctx context.Context, cluster e2e.Cluster) (*runningSink, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "-sink", cluster.URL)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	s := &runningSink{cmd: cmd, in: in}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	s.url = strings.TrimSpace(address)
	return s, nil
}

// stop ends the process.
func (s *runningSink) stop() {
	_ = s.in.Close()
	_ = s.cmd.Wait()
}

// counts asks what the sink has taken so far.
func (s *runningSink) counts(ctx context.Context) (counts sinkCounts, err error) {
	err = e2e.Cluster{URL: s.url}.Do(ctx, http.MethodGet, sinkCountsPath, "", &counts)
	return counts, err
}
