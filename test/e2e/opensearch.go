package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Cluster asks an OpenSearch node, by plain HTTP.
type Cluster struct{ URL string }

// Do sends a request with a JSON (or NDJSON) body, empty for none, and decodes
// the answer into out, where not nil. A status of 300 or more is an error.
func (c Cluster) Do(ctx context.Context, method, path, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask OpenSearch: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: status %d: %.2000s", method, path, resp.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(out); err != nil {
		return fmt.Errorf("%s %s: decode answer: %w", method, path, err)
	}
	return nil
}

// Aliases returns the read aliases under prefix by the entity behind them.
func Aliases(prefix string) map[string]string {
	return map[string]string{"post": prefix + "posts", "artist": prefix + "artists"}
}

// Index returns the one index that an entity's write alias stands for.
func (c Cluster) Index(ctx context.Context, alias string) (string, error) {
	var behind map[string]any
	if err := c.Do(ctx, http.MethodGet, "/_alias/"+alias+"-write", "", &behind); err != nil {
		return "", err
	}
	for index := range behind {
		if len(behind) == 1 {
			return index, nil
		}
	}
	return "", fmt.Errorf("alias %s-write stands for %d indices", alias, len(behind))
}

// Snapshot refreshes and reads every document of the indices under prefix, from
// the indices themselves, and what a search through the read aliases finds.
func (c Cluster) Snapshot(ctx context.Context, prefix string) (Snapshot, error) {
	all := make(Snapshot)
	for entity, alias := range Aliases(prefix) {
		index, err := c.Index(ctx, alias)
		if err != nil {
			return nil, err
		}
		if err := c.Do(ctx, http.MethodPost, "/"+index+"/_refresh", "", nil); err != nil {
			return nil, err
		}
		err = c.each(ctx, index, func(h hit) { all[Key{entity, h.ID}] = Stored{Source: h.Source} })
		if err != nil {
			return nil, err
		}
		err = c.each(ctx, alias, func(h hit) {
			k := Key{entity, h.ID}
			all[k] = Stored{Source: all[k].Source, Found: true}
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

type hit struct {
	ID     string         `json:"_id"`
	Source map[string]any `json:"_source"`
}

// each calls take with every document behind a name.
func (c Cluster) each(ctx context.Context, name string, take func(hit)) error {
	var page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct {
			Hits []hit `json:"hits"`
		} `json:"hits"`
	}
	err := c.Do(ctx, http.MethodPost, "/"+name+"/_search?scroll=1m", `{"size":1000,"sort":["_doc"]}`, &page)
	for err == nil && len(page.Hits.Hits) > 0 {
		for _, h := range page.Hits.Hits {
			take(h)
		}
		next := `{"scroll":"1m","scroll_id":"` + page.Scroll + `"}`
		page.Hits.Hits = nil
		err = c.Do(ctx, http.MethodPost, "/_search/scroll", next, &page)
	}
	if page.Scroll != "" {
		end := `{"scroll_id":"` + page.Scroll + `"}`
		if closing := c.Do(ctx, http.MethodDelete, "/_search/scroll", end, nil); err == nil {
			err = closing
		}
	}
	return err
}

// Remove deletes every index under prefix. It names them one by one, since a
// cluster may refuse to delete by a pattern.
func (c Cluster) Remove(ctx context.Context, prefix string) error {
	var indices map[string]any
	if err := c.Do(ctx, http.MethodGet, "/"+prefix+"*", "", &indices); err != nil {
		return err
	}
	for index := range indices {
		if err := c.Do(ctx, http.MethodDelete, "/"+index, "", nil); err != nil {
			return err
		}
	}
	return nil
}
