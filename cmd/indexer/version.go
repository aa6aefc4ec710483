package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/stream"
)

// Set at the build: -ldflags "-X main.version=1.2.3 -X main.commit=abc".
var version, commit = "dev", ""

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit and librdkafka's version",
		Example: `  indexer version`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			number, hash := buildVersion()
			_, err := fmt.Fprintf(p.stdout, "search-indexer  %s\ncommit          %s\ngo              %s %s/%s\nlibrdkafka      %s\n",
				number, hash, runtime.Version(), runtime.GOOS, runtime.GOARCH, stream.LibraryVersion())
			return err
		},
	}
}

// buildVersion returns what the build was stamped with, else what the Go tool
// recorded of the repository.
func buildVersion() (number, hash string) {
	number, hash = version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return number, hash
	}
	if number == "dev" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		number = info.Main.Version
	}
	modified := false
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && commit == "":
			hash = s.Value
		case s.Key == "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if hash == "" {
		return number, "unknown"
	}
	if commit == "" && modified {
		hash += " (modified)"
	}
	return number, hash
}
