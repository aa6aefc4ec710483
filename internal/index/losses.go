package index

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/search-indexer/search-indexer/internal/document"
)

// losses names what in t would lose data or keep documents out: the script needs
// the whole _source as it was written, and the read alias and the purge need
// _sync as it is mapped here.
func (t template) losses() []string {
	var found []string
	if source, ok := t.Mappings["_source"]; ok && !isPlainSource(source) {
		found = append(found, fmt.Sprintf("_source is %s, it must keep all fields", asJSON(source)))
	}
	if routing, ok := t.Mappings["_routing"].(map[string]any); ok && fmt.Sprint(routing["required"]) == "true" {
		found = append(found, "_routing is required, documents are written by id alone")
	}
	settings := flat(t.Settings)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if value := fmt.Sprint(settings[name]); isLossy(name, value) {
			found = append(found, name+" is "+value)
		}
	}
	switch got, want := property(t, document.SyncField), syncMapping(); {
	case got == nil:
		found = append(found, fmt.Sprintf("%s is not mapped, add to mappings.properties: %q: %s", document.SyncField, document.SyncField, asJSON(want)))
	case !reflect.DeepEqual(plain(got), plain(want)):
		found = append(found, fmt.Sprintf("%s is mapped as %s, it must be %s", document.SyncField, asJSON(got), asJSON(want)))
	}
	return found
}

func isPlainSource(source any) bool {
	members, ok := source.(map[string]any)
	return ok && (len(members) == 0 || len(members) == 1 && fmt.Sprint(members["enabled"]) == "true")
}

func isLossy(name, value string) bool {
	switch name {
	case "index.default_pipeline", "index.final_pipeline": // may change or drop documents
		return value != "" && value != "_none"
	case "index.derived_source.enabled", // rebuilds _source from what is indexed
		"index.append_only.enabled": // takes no updates
		return value == "true"
	}
	return false
}

// syncMapping returns the mapping of _sync in the project's own template.
func syncMapping() any {
	var own template
	if err := (Config{}).readTemplate(NamesOf("", document.Post).file, &own); err != nil {
		panic("index: embedded template: " + err.Error())
	}
	return property(own, document.SyncField)
}

func property(t template, name string) any {
	properties, _ := t.Mappings["properties"].(map[string]any)
	return properties[name]
}

// plain returns a mapping as it compares: OpenSearch gives some scalars back as
// text, and leaves "type": "object" out.
func plain(mapping any) any {
	members, ok := mapping.(map[string]any)
	if !ok {
		return fmt.Sprint(mapping)
	}
	out := map[string]any{}
	for name, value := range members {
		if name != "type" || value != "object" {
			out[name] = plain(value)
		}
	}
	return out
}

// asJSON returns a mapping as it is written in a template.
func asJSON(mapping any) string {
	text, err := json.Marshal(mapping, json.Deterministic(true))
	if err != nil {
		panic("index: encode mapping: " + err.Error()) // it was decoded from JSON
	}
	return string(text)
}
