package pipeline

import (
	"maps"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
)

// A counter that begins with its first event has no rate for that one, and an alert
// on it misses what happens once. So each series that can come is there from the
// start, at 0.

// entityUnknown stands for the entity of a record that could not be told.
const entityUnknown = "unknown"

type series struct {
	entity string
	result Result
}

// outcomes returns the counts of all outcomes that can be.
func (s Snapshot) outcomes() map[series]uint64 {
	counts := map[series]uint64{{entityUnknown, Dead}: 0, {entityUnknown, Abandoned}: 0}
	for _, entity := range index.Entities() {
		for _, result := range Results() {
			counts[series{string(entity), result}] = 0
		}
	}
	for _, c := range s.Outcomes {
		key := series{string(c.Entity), c.Result}
		if c.Entity == "" {
			key.entity = entityUnknown
		}
		counts[key] = c.Count
	}
	return counts
}

// seeded adds names that have no count yet to counts.
func seeded(counts map[string]uint64, names []string) map[string]uint64 {
	all := make(map[string]uint64, len(names))
	for _, name := range names {
		all[name] = 0
	}
	maps.Copy(all, counts)
	return all
}

// deadReasons are all reasons of dead letters.
func deadReasons() []string {
	reasons := []string{index.ReasonRejectedByIndex, index.ReasonTooLarge}
	for _, r := range handlers.Reasons() {
		reasons = append(reasons, string(r))
	}
	return reasons
}

// retryReasons are all reasons to try a write again.
func retryReasons() []string { return append(index.RetryReasons(), ReasonFlood) }
