package index

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Problem is one thing that is not as the worker needs it.
type Problem struct {
	What   string // what is wrong, with the name of what it is about
	WayOut string // what to do about it
}

// String returns both in one line.
func (p Problem) String() string { return p.What + "; " + p.WayOut }

// liveIndex is an index as GET /name describes it.
type liveIndex struct {
	template
	Aliases map[string]liveAlias `json:"aliases"`
}

type liveAlias struct {
	Filter  jsontext.Value `json:"filter"`
	IsWrite *bool          `json:"is_write_index"` // nil where it was never said
}

// uuid returns the index's own id, which no other index ever has.
func (i liveIndex) uuid() string {
	id, _ := flat(i.Settings)["index.uuid"].(string)
	return id
}

// indices returns the indices behind the given names of indices and aliases, by
// their own names, closed ones too. Names that do not exist are left out.
func (c *Client) indices(ctx context.Context, names []string, filter ...string) (map[string]liveIndex, error) {
	return describe[liveIndex](ctx, c, names, filter...)
}

// describe is indices for what else is to be known of them.
func describe[T any](ctx context.Context, c *Client, names []string, filter ...string) (map[string]T, error) {
	ignoreMissing := true
	request := opensearchapi.IndicesGetRequest{Index: names, IgnoreUnavailable: &ignoreMissing, ExpandWildcards: "all", FilterPath: filter}
	var found map[string]T
	if err := c.ask(ctx, request, &found); err != nil {
		return nil, fmt.Errorf("get indices: %w", err)
	}
	return found, nil
}

// aliasNames returns the aliases of every entity.
func (c *Client) aliasNames() []string {
	var names []string
	for _, entity := range Entities() {
		n := c.names(entity)
		names = append(names, n.Read, n.Write)
	}
	return names
}

// standing is how the names of one entity stand in the cluster. Lists of index
// names are sorted.
type standing struct {
	names     Names
	obstacles []string // indices that have the name of one of the aliases
	read      []string // indices behind the read alias
	write     []string // indices behind the write alias
	target    string   // index that takes the writes, "" where it is not clear
	unhidden  []string // of read, those through which tombstones are found
	barred    string   // the only index of the write alias, where it was said to take no writes
	next      []string // indices with a private alias: a rebuild of them is unfinished
}

func (c *Client) standing(entity document.Entity, live map[string]liveIndex) standing {
	s := standing{names: c.names(entity)}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if name == s.names.Read || name == s.names.Write {
			s.obstacles = append(s.obstacles, name)
		}
		if _, ok := live[name].Aliases[s.names.next(name)]; ok && s.names.isIndex(name) {
			s.next = append(s.next, name)
		}
		if alias, ok := live[name].Aliases[s.names.Read]; ok {
			s.read = append(s.read, name)
			if !strings.Contains(string(alias.Filter), document.SyncField+".deleted") {
				s.unhidden = append(s.unhidden, name)
			}
		}
		if alias, ok := live[name].Aliases[s.names.Write]; ok {
			s.write = append(s.write, name)
			if alias.IsWrite != nil && *alias.IsWrite {
				s.target = name // OpenSearch allows no second one
			}
		}
	}
	if len(s.write) == 1 {
		// The only index takes the writes unless it was said that it does not.
		only := s.write[0]
		if said := live[only].Aliases[s.names.Write].IsWrite; said == nil || *said {
			s.target = only
		} else {
			s.barred = only
		}
	}
	return s
}

// problems names what keeps s from being one index behind both aliases.
func (s standing) problems() []Problem {
	const setup = "run `indexer setup`"
	var found []Problem
	for _, name := range s.obstacles {
		found = append(found, Problem{
			fmt.Sprintf("%q is an index, where an alias of that name has to be", name),
			"reindex it under another name or delete it, then " + setup + "; or set OPENSEARCH_INDEX_PREFIX",
		})
	}
	if len(s.obstacles) > 0 {
		return found
	}
	point := "let it stand on one index by POST /_aliases"
	switch {
	case len(s.write) == 0:
		found = append(found, Problem{fmt.Sprintf("alias %q is missing", s.names.Write), setup})
	case s.barred != "":
		found = append(found, Problem{
			fmt.Sprintf("alias %q is on %s with \"is_write_index\": false, so nothing can be written", s.names.Write, s.barred),
			setup + fmt.Sprintf(`, or POST /_aliases {"actions":[{"add":{"index":%q,"alias":%q,"is_write_index":true}}]}`, s.barred, s.names.Write),
		})
	case s.target == "":
		found = append(found, Problem{fmt.Sprintf("alias %q is on %s and none of them is its write index", s.names.Write, strings.Join(s.write, ", ")), point})
	}
	switch {
	case len(s.read) == 0:
		found = append(found, Problem{fmt.Sprintf("alias %q is missing", s.names.Read), setup})
	case len(s.read) > 1:
		found = append(found, Problem{fmt.Sprintf("alias %q is on %s, so searches find documents more than once", s.names.Read, strings.Join(s.read, ", ")), point})
	case s.target != "" && s.read[0] != s.target:
		found = append(found, Problem{fmt.Sprintf("alias %q shows %s while %q writes to %s", s.names.Read, s.read[0], s.names.Write, s.target), point})
	}
	for _, name := range s.unhidden {
		found = append(found, Problem{fmt.Sprintf("alias %q on %s does not hide deleted documents", s.names.Read, name), setup})
	}
	return found
}
