package index

import (
	"fmt"
	"strings"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Names are all the names that one entity has in OpenSearch.
type Names struct {
	Read  string // alias for searches; it hides tombstones
	Write string // alias for writes
	// Pattern is what the template matches. It goes on with the 2 of a year
	// instead of a bare star, so that it matches neither the write alias nor
	// "posts-eu-posts-…" of another program whose prefix is "posts-eu-".
	Pattern  string
	Template string // composable index template
	file     string // of the template, in the project and in OPENSEARCH_TEMPLATE_DIR
}

// Entities lists what has an index, in the order in which it is reported.
func Entities() []document.Entity { return []document.Entity{document.Post, document.Artist} }

// NamesOf returns the names of an entity under a prefix, which may be empty.
// It is the one table of names; an entity that it does not have is a programming
// error and panics.
func NamesOf(prefix string, entity document.Entity) Names {
	var plural string
	switch entity {
	case document.Post:
		plural = "posts"
	case document.Artist:
		plural = "artists"
	default:
		panic(fmt.Sprintf("index: no names for entity %q", entity))
	}
	stem := prefix + plural
	return Names{
		Read:     stem,
		Write:    stem + "-write",
		Pattern:  stem + "-2*",
		Template: stem,
		file:     string(entity) + ".json",
	}
}

// indexTime is how the names of indices end: the time at which they were made.
const indexTime = "20060102-150405"

// Index returns the name of an index made at the given time.
func (n Names) Index(at time.Time) string {
	return n.Read + "-" + at.UTC().Format(indexTime)
}

// isIndex reports whether name is one that Index gives. The Pattern matches more,
// such as an operator's own posts-2024-copy.
func (n Names) isIndex(name string) bool {
	made, ok := strings.CutPrefix(name, n.Read+"-")
	_, err := time.Parse(indexTime, made)
	return ok && err == nil
}

// nextStem is what the private aliases of indices that a rebuild makes begin with.
func (n Names) nextStem() string { return n.Read + "-next-" }

// next returns the private alias of an index for which isIndex holds.
func (n Names) next(index string) string {
	return n.nextStem() + strings.TrimPrefix(index, n.Read+"-")
}

func (c *Client) names(entity document.Entity) Names { return NamesOf(c.cfg.IndexPrefix, entity) }
