package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Standing says what an index is to its entity.
type Standing string

// What an index can be.
const (
	StandingLive Standing = "live" // behind an alias: searched or written
	StandingNext Standing = "next" // of a rebuild that is unfinished
	StandingKept Standing = "kept" // neither: replaced, and kept for a way back
)

// Copy is one document that an index holds.
type Copy struct {
	document.Key
	Index    string
	Standing Standing
	// Deleted tells a tombstone: it has the times of the delete and no contents.
	Deleted bool
}

// Copies returns the documents with that key in all indices that are named as the
// entity's own, sorted by index, as they were last written. An index that can't be
// read, such as a closed one, is an error beside what the others hold.
func (c *Client) Copies(ctx context.Context, key document.Key) ([]Copy, error) {
	live, s, err := c.ownIndices(ctx, key.Entity)
	if err != nil || len(live) == 0 {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(live))
	places := make([]place, len(names))
	for i, name := range names {
		places[i] = place{Index: name, ID: key.ID}
	}
	docs, err := c.documents(ctx, places)
	if err != nil {
		return nil, err
	}
	var copies []Copy
	var failed []error
	for i, doc := range docs {
		switch {
		case doc.Error != nil:
			failed = append(failed, fmt.Errorf("read index %s: %s", names[i], doc.Error.words()))
		case doc.Found:
			state, err := document.ParseSource(doc.Source)
			if err != nil {
				failed = append(failed, fmt.Errorf("read the document in index %s: %w", names[i], err))
				continue
			}
			copies = append(copies, Copy{
				Key: key, Index: names[i], Standing: s.of(names[i]),
				Deleted: !state.Visible() && len(state.Fields) == 0,
			})
		}
	}
	return copies, errors.Join(failed...)
}

// of returns what an index is. Where none takes the writes any may be the live one.
func (s standing) of(name string) Standing {
	switch {
	case slices.Contains(s.read, name) || slices.Contains(s.write, name) || slices.Contains(s.obstacles, name):
		return StandingLive
	case slices.Contains(s.next, name):
		return StandingNext
	case s.target == "":
		return StandingLive
	default:
		return StandingKept
	}
}

// RemoveCopy removes a document from a kept index. It refuses every other one: a
// live document would come back with the next event that is older than its delete,
// and a rebuild under way would not write it again.
func (c *Client) RemoveCopy(ctx context.Context, from Copy) error {
	found, s, err := c.ownIndices(ctx, from.Entity) // it may have become live meanwhile
	if err != nil {
		return err
	}
	if now := s.of(from.Index); now != StandingKept {
		return fmt.Errorf("remove a document from index %s: the index is %s, only kept ones are cleaned", from.Index, now)
	}
	if found[from.Index].Settings.Index.Blocks.Write != "true" {
		return c.removeDocument(ctx, from)
	}
	if err := c.UnblockWrites(ctx, from.Index); err != nil {
		return err
	}
	err = c.removeDocument(ctx, from)
	// Whatever became of it, and of ctx: a kept index takes no writes.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	return errors.Join(err, c.BlockWrites(ctx, from.Index))
}

// removeDocument deletes a document and leaves no tombstone.
func (c *Client) removeDocument(ctx context.Context, from Copy) error {
	line := append(append([]byte(`{"delete":{"_index":"`), from.Index...), `","_id":`...)
	line = append(appendID(line, from.ID), "}}\n"...)
	got, err := c.send(ctx, opensearchapi.BulkRequest{
		Body: bytes.NewReader(line), Timeout: shardTimeout, FilterPath: bulkFilter(), Refresh: "true",
	})
	if err != nil {
		return err
	}
	items, err := readItems(got.body, 1)
	switch {
	case got.status >= 300:
		return &serverError{status: got.status, fault: readFault(got.body)}
	case err != nil:
		return err
	case items[0].Error != nil:
		return fmt.Errorf("remove a document from index %s: %s", from.Index, items[0].Error.words())
	}
	return nil
}
