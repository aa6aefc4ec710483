package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/handlers"
)

// completionCommand prints what a shell needs to complete this program's commands.
func (p *program) completionCommand() *cobra.Command {
	scripts := map[string]func(root *cobra.Command) error{
		"bash":       func(root *cobra.Command) error { return root.GenBashCompletionV2(p.stdout, true) },
		"zsh":        func(root *cobra.Command) error { return root.GenZshCompletion(p.stdout) },
		"fish":       func(root *cobra.Command) error { return root.GenFishCompletion(p.stdout, true) },
		"powershell": func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(p.stdout) },
	}
	shells := slices.Sorted(maps.Keys(scripts))
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that completes commands and flags in a shell",
		Long:  "Prints a script for " + strings.Join(shells, ", ") + ".\nbash needs its package bash-completion.",
		Example: `  source <(indexer completion bash)     # for this shell; in ~/.bashrc for all
  indexer completion zsh > "${fpath[1]}/_indexer"
  indexer completion fish > ~/.config/fish/completions/indexer.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: shells,
		RunE:      func(c *cobra.Command, args []string) error { return scripts[args[0]](c.Root()) },
	}
}

// completeValues lets the shell offer values of flags, by the flag's name, in every
// command under c, and files only to commands that read some.
func completeValues(c *cobra.Command) {
	c.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	if strings.Contains(c.Use, "[FILE") {
		c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []cobra.Completion{"ndjson", "json", "jsonl"}, cobra.ShellCompDirectiveFilterFileExt
		}
	}
	for name, values := range map[string][]string{"entity": entityNames(), "reason": letterReasons()} {
		if c.Flags().Lookup(name) != nil {
			// An error would say that there is no such flag, or that it has values already.
			_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	for _, sub := range c.Commands() {
		completeValues(sub)
	}
}

func entityNames() []string {
	var names []string
	for _, entity := range handlers.Entities() {
		names = append(names, string(entity.Name))
	}
	return names
}

// completeHelp offers the commands and topics that help can explain.
func completeHelp(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	topic, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []cobra.Completion
	for _, sub := range topic.Commands() {
		if strings.HasPrefix(sub.Name(), begun) && (sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand()) {
			found = append(found, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
