package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/config"
)

//go:generate sh -c "go run . docs > ../../docs/configuration.md"

// docsCommand prints docs/configuration.md. It is for this project's own build.
func (p *program) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "docs",
		Short:   "Print docs/configuration.md",
		Example: `  indexer docs > docs/configuration.md`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.stdout, configurationPage())
			return err
		},
	}
}

// configurationPage is docs/configuration.md, written from the structs' tags.
func configurationPage() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n" +
		"<!-- Written by `make docs` from the Config structs; change their tags, not this page. -->\n\n" +
		"All settings are environment variables, and all have a default that suits a developer's machine. " +
		"A wrong one stops the program at once with exit code 2; every wrong one is named.\n\n" +
		"- Durations have a unit: `500ms`, `25s`, `24h`. Lists are separated by commas.\n" +
		"- A secret can also be read from a file: `NAME_FILE` names it, one newline at its end is ignored. Secrets are never shown in logs or errors.\n" +
		"- A variable that looks like a misspelt setting is warned of, other unknown ones are ignored.\n")
	for _, g := range new(settings).groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| variable | type | default | meaning |\n| --- | --- | --- | --- |\n", g.title)
		for _, s := range config.Describe(g.target) {
			name := "`" + s.Name + "`"
			if s.Secret {
				name += "<br>`" + s.Name + "_FILE`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, s.Type, codeOrNone(s.Default), strings.ReplaceAll(s.Doc, "|", `\|`))
		}
	}
	return b.String()
}

func codeOrNone(value string) string {
	if value == "" {
		return "none"
	}
	return "`" + value + "`"
}
