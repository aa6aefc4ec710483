package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/config"
)

// settingsNote is the annotation of a command that holds its settings for help.
const settingsNote = "settings"

// execute runs the command that args name and returns the exit code.
func (p *program) execute(ctx context.Context, args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	command, err := root.ExecuteContextC(ctx)
	var ended *failure
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &ended):
	default: // cobra's own errors all come before a command begins
		message := strings.Join(strings.Fields(err.Error()), " ")
		ended = misused(errors.New(message), fmt.Sprintf("see %q", command.CommandPath()+" --help"))
	}
	p.complain(ended)
	return ended.code
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "indexer",
		Short: "Keeps a search index up to date with events from Kafka",
		Long: `indexer reads post and artist events from Kafka and keeps their documents in
OpenSearch, right whatever order the events arrive in.

Settings come from the environment: "indexer help settings" lists them all.
Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 verify found differences.`,
		Example: `  indexer setup                        # topics, templates, indices, aliases; safe to repeat
  indexer produce --count 1000         # publish invented events
  indexer run                          # index until SIGTERM`,
		Version:       thisBuild().text(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().Bool("help", false, "explain the command")
	root.Flags().Bool("version", false, "print version, commit and librdkafka's version") // cobra's own has a short form
	root.SetVersionTemplate("{{.Version}}")
	root.SetHelpCommand(helpCommand())
	root.SetUsageTemplate(root.UsageTemplate() + fmt.Sprintf(`{{with index .Annotations %q}}
Settings (environment; in full: indexer help settings, docs/configuration.md):
{{.}}{{end}}`, settingsNote))
	root.AddCommand(
		p.setupCommand(),
		p.runCommand(),
		p.statusCommand(),
		p.offsetsCommand(),
		p.rebuildCommand(),
		p.verifyCommand(),
		p.purgeCommand(),
		p.forgetCommand(),
		p.produceCommand(),
		p.dlqCommand(),
		p.versionCommand(),
		p.settingsTopic(),
		p.docsCommand(),
	)
	tellFailuresApart(root)
	return root
}

// helpCommand is cobra's own, less its exit code 0 where there is no such topic.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command, or the settings",
		Example: `  indexer help setup
  indexer help settings`,
		RunE: func(c *cobra.Command, args []string) error {
			topic, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return misused(fmt.Errorf("there is no help on %q", strings.Join(args, " ")), `see "indexer --help"`)
			}
			return topic.Help()
		},
	}
}

// tellFailuresApart makes the errors of commands that have begun failures, so
// that what is left is wrong usage.
func tellFailuresApart(command *cobra.Command) {
	if begin := command.RunE; begin != nil {
		command.RunE = func(c *cobra.Command, args []string) error {
			err := begin(c, args)
			var ended *failure
			if err != nil && !errors.As(err, &ended) {
				return failed(err, "")
			}
			return err
		}
	}
	for _, sub := range command.Commands() {
		tellFailuresApart(sub)
	}
}

// settingsHelp is the annotation that makes help list the settings of targets.
func settingsHelp(targets ...any) map[string]string {
	var b strings.Builder
	for _, s := range config.Describe(targets...) {
		fmt.Fprintf(&b, "  %s", s.Name)
		if s.Default != "" {
			fmt.Fprintf(&b, " (%s)", s.Default)
		}
		b.WriteString("\n")
		const indent = "      "
		for line := range strings.Lines(text.WrapSoft(s.Doc, 80-len(indent))) { // which fills lines with spaces
			b.WriteString(indent + strings.TrimRight(line, " \n") + "\n")
		}
	}
	return map[string]string{settingsNote: b.String()}
}
