package index

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/search-indexer/search-indexer/internal/document"
)

// losses names what in t would lose data or keep documents out: the script needs
// the whole _source as it was written, and the read alias and the purge need
// _sync as it is mapped here.
func (t template) losses() []string {
	var found []string
	if source, ok := t.Mappings["_source"]; ok && !isPlainSource(source) {
		found = append(found, fmt.Sprintf("_source is %v, it must keep all fields", plain(source)))
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
	if got, want := plain(property(t, document.SyncField)), plain(syncMapping()); !reflect.DeepEqual(got, want) {
		found = append(found, fmt.Sprintf("%s is mapped as %v, it must be %v", document.SyncField, got, want))
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
	project := &Client{}
	if err := project.readTemplate(NamesOf("", document.Post).file, &own); err != nil {
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
