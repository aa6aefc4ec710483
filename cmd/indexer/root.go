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

// helpWidth is the columns that help takes at most: those of a terminal's usual window.
const helpWidth = 80

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
		next := fmt.Sprintf("see %q", command.CommandPath()+" --help")
		if command.Runnable() {
			next = fmt.Sprintf("use it as %q; ", command.UseLine()) + next
		}
		ended = misused(errors.New(message), next)
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

Settings come from the environment: "indexer help settings" lists them all;
"indexer help events" is for those who publish. "indexer completion" prints a
script that lets the shell complete commands and flags. Exit codes: 0 done, 1
failed, 2 wrong usage or settings, 3 verify found differences.`,
		Example: `  indexer setup                  # topics, templates, indices, and aliases
  indexer produce --count 1000   # publish invented events
  indexer run                    # index until SIGTERM`,
		Version:       thisBuild().text(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().Bool("help", false, "explain the command")
	root.Flags().Bool("version", false, "print version, commit and librdkafka's version") // cobra's own has a short form
	root.SetVersionTemplate("{{.Version}}")
	root.SetHelpCommand(helpCommand())
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", helpWidth)) + fmt.Sprintf(`{{with index .Annotations %q}}
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
		p.completionCommand(),
		eventsTopic(),
		p.settingsTopic(),
		p.docsCommand(),
	)
	tellFailuresApart(root)
	completeValues(root)
	return root
}

// helpCommand is cobra's own, less its exit code 0 where there is no such topic.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command, the settings, or events",
		Example: `  indexer help setup
  indexer help settings
  indexer help events`,
		ValidArgsFunction: completeHelp,
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
		name := s.Name
		if s.Default != "" {
			name += " (" + breakable(s.Default) + ")"
		}
		b.WriteString(indented("  ", name) + indented("      ", s.Doc))
	}
	return map[string]string{settingsNote: b.String()}
}

// breakable is a list of settings with room for the end of a line.
func breakable(list string) string { return strings.ReplaceAll(list, ",", ", ") }

// indented wraps text to lines that begin so and are no wider than help.
func indented(indent, words string) string {
	var b strings.Builder
	for line := range strings.Lines(text.WrapSoft(words, helpWidth-len(indent))) { // which fills lines with spaces
		b.WriteString(indent + strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}
