package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// nothing stands where a document or an event has no such field.
const nothing = "-"

// doc is a document as a search returns it.
type doc struct {
	ID       string         `json:"_id"`
	Revision int64          `json:"_version"` // OpenSearch's own count of writes
	Source   map[string]any `json:"_source"`  // numbers as json.Number
	// Highlight holds the field that was searched, with ⟨⟩ around each word found.
	Highlight map[string][]string `json:"highlight"`
}

// matched returns the first word that a search has found in a field.
func (d *doc) matched(field string) string {
	for _, text := range d.Highlight[field] {
		_, text, _ = strings.Cut(text, "⟨")
		text, _, _ = strings.Cut(text, "⟩")
		return text
	}
	return ""
}

// text returns a field for a person to read; of a nil doc nothing.
func (d *doc) text(field string) string {
	if d == nil {
		return nothing
	}
	return readable(d.Source[field])
}

func readable(value any) string {
	switch v := value.(type) {
	case nil:
		return nothing
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = readable(v[i])
		}
		return strings.Join(parts, ", ")
	default:
		return fmt.Sprint(v)
	}
}

// alias returns the read alias of an entity, post or artist.
func (s *stage) alias(entity string) string { return e2e.Aliases(s.prefix())[entity] }

// search returns what a query finds through the read alias, of all that has been
// written by now.
func (s *stage) search(ctx context.Context, entity string, query map[string]any) ([]doc, error) {
	if err := s.cluster.Do(ctx, http.MethodPost, "/"+s.alias(entity)+"/_refresh", "", nil); err != nil {
		return nil, fmt.Errorf("refresh: %w", err)
	}
	return s.visible(ctx, entity, query)
}

// visible is search without waiting for a refresh.
func (s *stage) visible(ctx context.Context, entity string, query map[string]any) ([]doc, error) {
	body, err := json.Marshal(map[string]any{
		"size": 100, "version": true, "query": query,
		"highlight": map[string]any{"fields": map[string]any{"*": map[string]any{}}, "number_of_fragments": 0, "pre_tags": "⟨", "post_tags": "⟩"},
	})
	if err != nil {
		return nil, fmt.Errorf("encode query: %w", err)
	}
	var found struct {
		Hits struct{ Hits []doc }
	}
	if err := s.cluster.Do(ctx, http.MethodPost, "/"+s.alias(entity)+"/_search", string(body), &found); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return found.Hits.Hits, nil
}

// byWords finds documents by words in a field, as a visitor of a site would.
func byWords(field, words string) map[string]any {
	return map[string]any{"match": map[string]any{field: words}}
}

// read returns the document of an id as searches see it, nil where they don't.
func (s *stage) read(ctx context.Context, entity, id string) (*doc, error) {
	docs, err := s.search(ctx, entity, map[string]any{"ids": map[string]any{"values": []string{id}}})
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	return &docs[0], nil
}

// stored returns the document of an id as it stands in the index, tombstones
// included: a get by id goes past the filter of an alias.
func (s *stage) stored(ctx context.Context, entity, id string) (*doc, error) {
	var found doc
	if err := s.cluster.Do(ctx, http.MethodGet, "/"+s.alias(entity)+"/_doc/"+id, "", &found); err != nil {
		return nil, fmt.Errorf("get document: %w", err)
	}
	return &found, nil
}
