package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// showLetters reads the dead-letter topic.
func (s *story) showLetters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	letters, err := s.broker.Letters(ctx, s.dlq())
	if err != nil {
		return err
	}
	slices.SortFunc(letters, func(a, b e2e.Letter) int { return strings.Compare(a.Said["dlq.topic"], b.Said["dlq.topic"]) })
	rows := [][]string{{"topic", "part", "offset", "reason", "error"}}
	var reasons []string
	for i := range letters {
		l := &letters[i]
		rows = append(rows, []string{strings.TrimPrefix(l.Said["dlq.topic"], s.prefix()), l.Said["dlq.partition"], l.Said["dlq.offset"], l.Reason, l.Said["dlq.error"]})
		reasons = append(reasons, l.Reason)
	}
	s.page.table([]int{12, 4, 6, 13}, rows...)
	s.page.check(fmt.Sprintf("%d events are broken, %d letters say why", len(s.samples.broken), len(letters)),
		differs("what the letters say", "invalid_json, invalid_field", strings.Join(reasons, ", ")))
	problem := ""
	for _, e := range s.samples.broken {
		same := func(l e2e.Letter) bool { return string(l.Key) == e.id && bytes.Equal(l.Value, e.value) }
		problem = first(problem, unless(slices.ContainsFunc(letters, same), "none of them is %s", e.value))
	}
	s.page.check("they hold the events as published, byte for byte", problem)

	spared, err := s.read(ctx, "post", "post-101")
	if err != nil {
		return err
	}
	s.page.check("post-101 is unharmed by its broken update: "+spared.text("title"),
		first(differs("its title", readable(s.samples.repeat.data["title"]), spared.text("title")), differs("its version", "2", spared.text("version"))))
	return nil
}
