package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// checkFields says whether the index could take the data's fields.
func checkFields(entity string, data map[string]any) error {
	for name, v := range data {
		if err := checkName(name); err != nil {
			return err
		}
		if depth(v) > 16 {
			return refuse("invalid_event", "%q is %d deep", name, depth(v))
		}
		known, _, dotted := strings.Cut(name, ".")
		takes := takenBy(entity, known)
		if takes == nil {
			continue
		}
		if dotted || !takes(v) {
			return refuse("invalid_field", "%q: %.60v", name, v)
		}
	}
	return nil
}

func checkName(name string) error {
	first, _, _ := strings.Cut(name, ".")
	if slices.Contains([]string{"_sync", "_id", "_index", "_routing", "_source", "version"}, first) {
		return refuse("reserved_field", "%q", name)
	}
	for part := range strings.SplitSeq(name, ".") {
		if strings.TrimSpace(part) == "" {
			return refuse("invalid_event", "the key %q has a blank part", name)
		}
	}
	return nil
}

// takenBy returns what a field takes, nil for one that no schema knows.
func takenBy(entity, field string) func(any) bool {
	switch {
	case slices.Contains(textFields[entity], field), slices.Contains(keywordFields[entity], field):
		return isScalarOrList
	case slices.Contains(dateFields[entity], field):
		return isDate
	case slices.Contains(numberFields[entity], field):
		return func(v any) bool {
			_, ok := v.(json.Number)
			return ok || v == nil
		}
	}
	return nil
}

func isScalarOrList(v any) bool {
	if list, ok := v.([]any); ok {
		return !slices.ContainsFunc(list, func(item any) bool { return !isScalar(item) })
	}
	return isScalar(v)
}

func isScalar(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return false
	}
	return true
}

var dateText = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(T\d\d:\d\d:\d\d)?(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$`)

func isDate(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case json.Number:
		return isInteger(v)
	case string:
		part := dateText.FindStringSubmatch(v)
		if part == nil {
			return false
		}
		clock := part[2]
		if clock == "" {
			clock = "T00:00:00"
		}
		_, err := time.Parse("2006-01-02T15:04:05", part[1]+clock)
		return err == nil
	}
	return false
}

// depth is 0 for a scalar, and 1 more than that of its deepest value for a list
// or an object.
func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	case map[string]any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	default:
		return 0
	}
	return deepest + 1
}
