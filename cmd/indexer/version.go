package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/stream"
)

// Set at the build: -ldflags "-X main.version=1.2.3 -X main.commit=abc".
var version, commit = "dev", ""

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and librdkafka's version",
		Example: `  indexer version
  indexer version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			build := thisBuild()
			if !asJSON {
				_, err := io.WriteString(p.stdout, build.text())
				return err
			}
			raw, err := json.Marshal(build)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "%s\n", raw)
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}

// buildDescription is what `version` prints.
type buildDescription struct {
	Version    string `json:"version"`
	Commit     string `json:"commit"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	Librdkafka string `json:"librdkafka"`
}

func thisBuild() buildDescription {
	number, hash := buildVersion()
	return buildDescription{
		Version: number, Commit: hash, Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Librdkafka: stream.LibraryVersion(),
	}
}

func (b buildDescription) text() string {
	return fmt.Sprintf("search-indexer  %s\ncommit          %s\ngo              %s %s\nlibrdkafka      %s\n",
		b.Version, b.Commit, b.Go, b.Platform, b.Librdkafka)
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
