package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
)

// eventsTopic is "indexer help events": docs/publishing.md for a terminal.
func eventsTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString(`Events are JSON objects in Kafka, keyed by the id of their post or artist:

  {"event_id": "0b7c", "event_type": "post.updated",
   "correlation_id": "request-123",
   "timestamp": "2026-05-01T10:00:00Z", "version": 2,
   "data": {"post_id": "123", "title": "New title"}}

  - Only the id within data is a must. An object without data is itself the
    data.
  - For each field the highest version wins, then the latest timestamp; the
    order of arrival does not matter, nor does repetition. A field that is left
    out stays, null clears it.
  - A delete erases what is at or below its version; without a version, for
    ever.
  - Other fields than these are stored as they come, and not searched.
`)
	for _, entity := range handlers.Entities() {
		fmt.Fprintf(&b, "\n%s (%s)\n", entity.Name, strings.Join(entity.EventTypes, ", "))
		fmt.Fprintf(&b, "  %-8s %s\n", "id", entity.IDMember)
		for _, kind := range []handlers.Kind{handlers.Text, handlers.Keyword, handlers.Date, handlers.Number} {
			if names := knownFields(entity, kind); len(names) > 0 {
				fmt.Fprintf(&b, "  %-8s %s\n", kind, strings.Join(names, ", "))
			}
		}
	}
	b.WriteString("\nAn event that can't be indexed becomes a dead letter (indexer dlq list), for\none of these reasons:\n")
	b.WriteString(indented("  ", strings.Join(letterReasons(), ", ")))
	b.WriteString("\nIn full, with JSON schemas: docs/publishing.md.\n")
	return &cobra.Command{Use: "events", Short: "What events look like, which one wins, which are refused", Long: b.String()}
}

func knownFields(entity handlers.Entity, kind handlers.Kind) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(entity.Fields)) {
		if entity.Fields[name] == kind {
			names = append(names, name)
		}
	}
	return names
}

// letterReasons returns every dlq.reason: those of handlers, and OpenSearch's.
func letterReasons() []string {
	var all []string
	for _, reason := range []handlers.Reason{
		handlers.EmptyValue, handlers.InvalidJSON, handlers.InvalidEvent, handlers.UnknownEventType, handlers.InvalidID,
		handlers.InvalidTimestamp, handlers.InvalidVersion, handlers.ReservedField, handlers.InvalidField,
	} {
		all = append(all, string(reason))
	}
	return append(all, index.ReasonRejectedByIndex, index.ReasonTooLarge)
}
