package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/internal/web"
)

// settings is the Config of every package; a command loads those it needs.
type settings struct {
	Kafka stream.Config
	Index index.Config
	Dedup dedup.Config
	Batch pipeline.Config
	Web   web.Config
	Fold  fold.Config
	Log   logConfig
}

// group is the settings of one owner.
type group struct {
	title  string
	target any
}

func (s *settings) groups() []group {
	return []group{
		{"Kafka", &s.Kafka},
		{"OpenSearch", &s.Index},
		{"Redis and deduplication", &s.Dedup},
		{"Batching and draining", &s.Batch},
		{"Rebuild and verify", &s.Fold},
		{"HTTP", &s.Web},
		{"Logs", &s.Log},
	}
}

// all returns every Config, as config.Load takes them.
func (s *settings) all() []any {
	var targets []any
	for _, g := range s.groups() {
		targets = append(targets, g.target)
	}
	return targets
}

// load fills targets, parts of a settings, from the environment. It names every
// wrong variable, and warns of those that look like a slip of the keyboard.
func (p *program) load(ctx context.Context, targets ...any) error {
	for _, slip := range p.env.Misspelled(new(settings).all()...) {
		p.warn(slip)
	}
	if err := config.Load(ctx, p.env, targets...); err != nil {
		return misused(err, `correct the environment; "indexer help settings" lists all settings, docs/configuration.md too`)
	}
	return nil
}

// settingsTopic is "indexer help settings"; a command that runs nothing is a
// topic of help to cobra.
func (p *program) settingsTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("Settings come from environment variables. Each secret can also be read from the\nfile that NAME_FILE names. docs/configuration.md explains every one of them.\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, g := range new(settings).groups() {
		_, _ = fmt.Fprintf(w, "\n%s\n", g.title)
		for _, s := range config.Describe(g.target) {
			const rest = 38 // columns behind the longest name and type
			name, kind := s.Name, s.Type
			for line := range strings.SplitSeq(text.WrapSoft(breakable(s.Default), rest), "\n") {
				_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\n", name, kind, strings.TrimRight(line, " "))
				name, kind = "", ""
			}
		}
	}
	_ = w.Flush() // to memory
	return &cobra.Command{Use: "settings", Short: "Every setting with its default", Long: b.String()}
}
