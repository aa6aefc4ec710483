package index

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Stored is a document as it lies in an index.
type Stored struct {
	document.Key
	Found  bool           // false: the index has no document of that id, and nothing below is set
	State  document.State // what Source says; zero where Err is set
	Source []byte         // as the index keeps it
	// SeqNo and PrimaryTerm name this very write of the document: see [Amendment].
	SeqNo, PrimaryTerm int64
	// Err says why Source can't be read as a State: it was altered by others, or
	// written by a newer program. It may quote the document, so it is not for logs.
	Err error
}

// Documents reads documents of one entity by id from an index, or from an alias of
// a single one, and returns one Stored for each id, in their order. It sees every
// write that was acknowledged before, without a refresh, and tombstones too. All of
// them come in one answer: the caller bounds the number of ids.
func (c *Client) Documents(ctx context.Context, index string, entity document.Entity, ids []string) ([]Stored, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	places := make([]place, len(ids))
	for i, id := range ids {
		places[i] = place{Index: index, ID: id}
	}
	docs, err := c.documents(ctx, places)
	if err != nil {
		return nil, err
	}
	stored := make([]Stored, len(ids))
	for i, id := range ids {
		if refusal := docs[i].Error; refusal != nil {
			return nil, fmt.Errorf("read documents of %s: %w", index, refusal.ofOne())
		}
		stored[i] = docs[i].as(document.Key{Entity: entity, ID: id})
		stored[i].Read()
	}
	return stored, nil
}

// place is where a document lies. The id travels in bodies: in a path it could be
// anything, such as "..".
type place struct {
	Index string `json:"_index"`
	ID    string `json:"_id"`
}

// storedDocument is what one index says of one id.
type storedDocument struct {
	ID          string         `json:"_id"`
	Found       bool           `json:"found"`
	Source      jsontext.Value `json:"_source"`
	SeqNo       int64          `json:"_seq_no"`
	PrimaryTerm int64          `json:"_primary_term"`
	Error       *fault         `json:"error"`
}

// as returns d as the document of that key, not read yet.
func (d *storedDocument) as(key document.Key) Stored {
	s := Stored{Key: key, Found: d.Found}
	if d.Found {
		s.Source, s.SeqNo, s.PrimaryTerm = d.Source, d.SeqNo, d.PrimaryTerm
	}
	return s
}

// Read sets State, or Err, to what Source says.
func (s *Stored) Read() {
	if s.Source != nil {
		s.State, s.Err = document.ParseSource(s.Source)
	}
}

// documents reads the documents at the given places, in their order.
func (c *Client) documents(ctx context.Context, places []place) ([]storedDocument, error) {
	var answer struct {
		Docs []storedDocument `json:"docs"`
	}
	question := opensearchapi.MgetRequest{Body: encoded(map[string]any{"docs": places})}
	if err := c.ask(ctx, question, &answer); err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	if len(answer.Docs) != len(places) {
		return nil, fmt.Errorf("read documents: %d answers for %d places", len(answer.Docs), len(places))
	}
	return answer.Docs, nil
}
