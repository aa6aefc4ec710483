// Command indexer keeps a search index up to date with events from Kafka. This
// package is the command line alone: it reads flags and settings, wires the
// packages together and prints what people read; what is done is theirs.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/search-indexer/search-indexer/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], config.ParseEnvironment(os.Environ()), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit code and touches nothing of the
// process but what it is given (and for the time of `indexer run` the runtime's
// memory limit), so tests start the real thing. It ends when the command is done,
// or soon after ctx is.
func run(ctx context.Context, args []string, env config.Environment, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	return p.execute(ctx, args)
}

// program is what every command is given of the outside.
type program struct {
	env            config.Environment
	stdin          io.Reader
	stdout, stderr io.Writer // results; all that is said about them
}
