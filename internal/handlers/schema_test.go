package handlers

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/search-indexer/search-indexer/internal/record"
)

const schemaDir = "../../docs/schemas"

// schemas compiles the schema of each event type.
func schemas(t testing.TB) map[string]*jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(schemaFiles{})
	compiled := make(map[string]*jsonschema.Schema)
	for _, entity := range Entities() {
		for _, eventType := range entity.EventTypes {
			schema, err := compiler.Compile(schemaURL + eventType + ".json")
			if err != nil {
				t.Fatal(err)
			}
			compiled[eventType] = schema
		}
	}
	return compiled
}

// schemaURL is where the schemas say they are.
const schemaURL = "https://github.com/search-indexer/search-indexer/docs/schemas/"

// schemaFiles finds the schemas in this repository, and no others.
type schemaFiles struct{}

func (schemaFiles) Load(url string) (any, error) {
	name, ours := strings.CutPrefix(url, schemaURL)
	if !ours {
		return nil, fmt.Errorf("no schema of this project: %s", url)
	}
	return jsonschema.FileLoader{}.Load(fileURL(filepath.Join(schemaDir, name)))
}

func fileURL(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return "file://" + filepath.ToSlash(absolute)
}

// judge validates a record's value by the schema of its event type.
func judge(t *testing.T, schemas map[string]*jsonschema.Schema, r *record.Record) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Value))
	if err != nil {
		return err
	}
	eventType := r.Topic
	if event, ok := value.(map[string]any); ok {
		if named, ok := event["event_type"].(string); ok && schemas[named] != nil {
			eventType = named
		}
	}
	schema := schemas[eventType]
	if schema == nil {
		return fmt.Errorf("no schema for %s", eventType)
	}
	return schema.Validate(value)
}

// TestSchemasAgreeWithDecode holds that the schemas tell publishers the same as
// Decode does, wherever a schema can tell.
func TestSchemasAgreeWithDecode(t *testing.T) {
	compiled := schemas(t)
	for _, c := range slices.Concat(routeCases(), idCases(), tracingCases(), timestampCases(), versionCases(),
		shapeCases(), jsonCases(), valueCases(), nameCases(), kindCases()) {
		if c.blind {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			err := judge(t, compiled, c.record())
			if good := c.reason == ""; good != (err == nil) {
				t.Errorf("%s\nis %q to Decode, to its schema: %v", excerpt(c.value), c.reason, err)
			}
		})
	}
}

func TestSchemasAgreeWithSamples(t *testing.T) {
	compiled := schemas(t)
	mux := NewMux("")
	for _, s := range samples(t) {
		_, _, rejection := mux.Decode(s.Record)
		if err := judge(t, compiled, s.Record); (rejection == nil) != (err == nil) {
			t.Errorf("%s:%d: %v to Decode, to its schema: %v", s.file, s.line, rejection, err)
		}
	}
}

// TestSchemasListTheKnownFields holds that a schema names the fields of its entity
// and their kinds, and that its examples are good events.
func TestSchemasListTheKnownFields(t *testing.T) {
	mux := NewMux("")
	for _, entity := range Entities() {
		want := map[string]string{entity.IDMember: "id"}
		for name, kind := range entity.Fields {
			want[name] = string(kind)
		}
		got := make(map[string]string)
		for name, property := range loadSchema(t, string(entity.Name))["properties"].(map[string]any) {
			got[name] = strings.TrimPrefix(property.(map[string]any)["$ref"].(string), "envelope.json#/$defs/")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-Decode +schema):\n%s", entity.Name, diff)
		}
		for _, eventType := range entity.EventTypes {
			examples := loadSchema(t, eventType)["examples"].([]any)
			for _, example := range examples {
				if err := schemas(t)[eventType].Validate(example); err != nil {
					t.Errorf("example of %s: %v", eventType, err)
				}
			}
			if _, ok := mux.routes[eventType]; !ok || len(examples) == 0 {
				t.Errorf("%s has %d examples, known to Decode: %v", eventType, len(examples), ok)
			}
		}
	}
	if got := len(slices.Collect(maps.Keys(mux.routes))); got != 6 {
		t.Errorf("Decode knows %d event types, the schemas describe 6", got)
	}
}

func loadSchema(t *testing.T, name string) map[string]any {
	t.Helper()
	schema, err := schemaFiles{}.Load(schemaURL + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return schema.(map[string]any)
}
