package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// consent is how a command that changes things is told to go ahead.
type consent struct {
	yes, dryRun bool
}

// addFlags gives the command --yes and --dry-run.
func (c *consent) addFlags(command *cobra.Command) {
	command.Flags().BoolVar(&c.yes, "yes", false, "do it without asking; needed where nobody sits at a terminal")
	command.Flags().BoolVar(&c.dryRun, "dry-run", false, "say what would be done, and do nothing")
	command.MarkFlagsMutuallyExclusive("yes", "dry-run")
}

// confirm reports whether to go ahead with what has been said: nil means yes. On
// a terminal a person is asked.
func (p *program) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if !isTerminal(p.stdin) {
		return misused(errors.New("nothing was changed: nobody is there to ask"), "repeat it with --yes, or with --dry-run")
	}
	_, _ = fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err == nil && (strings.EqualFold(strings.TrimSpace(answer), "y") || strings.EqualFold(strings.TrimSpace(answer), "yes")) {
		return nil
	}
	return failed(errors.New("nothing was changed"), "")
}
