package index

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/search-indexer/search-indexer/internal/document"
)

// The project's own templates. post.json and artist.json hold the "template"
// object of a composable index template: mappings and, where they like,
// settings. analysis.json holds the analysis that both share. A file of the same
// name in OPENSEARCH_TEMPLATE_DIR replaces one.
//
// What the mappings take is what package handlers accepts, as measured on
// OpenSearch 3.8.0:
//
//   - ignore_above 8191: Lucene refuses a document for a term of over 32,766
//     bytes, and ignore_above counts UTF-16 units, of up to 3 bytes each.
//   - the dates' first format: what publishers usually send, which Java parses in
//     half the time that it takes by the others; it knows no bare number. epoch_millis
//     is next, so that a number is milliseconds even where it has the four digits of
//     a year, and is what searches show. The last one: T, t or a space between date
//     and time, Z, z or an offset to 18 hours in any of its three spellings, 1 to 9
//     digits of a fraction. rfc3339_lenient is faster than all of them, but never
//     matches beside others.
//   - "dynamic": false: other fields are stored and not indexed, dots included.
//
//go:embed templates
var templateFiles embed.FS

const (
	analysisFile = "analysis.json"
	// templatePriority is above the catch-all templates that clusters tend to have.
	templatePriority = 500
)

// template is how an index is made, or would be.
type template struct {
	Settings map[string]any `json:"settings,omitempty"`
	Mappings map[string]any `json:"mappings,omitempty"`
}

// indexTemplate is the body of a composable index template.
type indexTemplate struct {
	Patterns []string          `json:"index_patterns"`
	Priority int               `json:"priority"`
	Template template          `json:"template"`
	Meta     map[string]string `json:"_meta"`
}

// loadTemplates returns the template of every entity. The error joins every fault
// of every file once; each message begins with the setting's name.
func (c Config) loadTemplates() (map[document.Entity]indexTemplate, error) {
	if c.TemplateDir != "" {
		if _, err := os.ReadDir(c.TemplateDir); err != nil {
			return nil, fmt.Errorf("OPENSEARCH_TEMPLATE_DIR: name a folder that this user can read: %w", err)
		}
	}
	all := map[document.Entity]indexTemplate{}
	var faults []string
	for _, entity := range Entities() {
		loaded, err := c.loadTemplate(NamesOf(c.IndexPrefix, entity))
		if err == nil {
			all[entity] = loaded
			continue
		}
		for fault := range strings.Lines(err.Error()) {
			if fault = strings.TrimSpace(fault); !slices.Contains(faults, fault) {
				faults = append(faults, fault)
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.New("OPENSEARCH_TEMPLATE_DIR: " + strings.Join(faults, "\nOPENSEARCH_TEMPLATE_DIR: "))
	}
	return all, nil
}

// loadTemplate returns the template of the given names with the settings of c in
// it, those of the file overridden. A file with an analysis of its own keeps it.
// One that would lose data is an error.
func (c Config) loadTemplate(n Names) (indexTemplate, error) {
	var own template
	var analysis map[string]any
	if err := errors.Join(c.readTemplate(n.file, &own), c.readTemplate(analysisFile, &analysis)); err != nil {
		return indexTemplate{}, err
	}
	var lost []error
	for _, loss := range own.losses() {
		lost = append(lost, fmt.Errorf("%s would lose data: %s", n.file, loss))
	}
	if lost != nil {
		return indexTemplate{}, errors.Join(lost...)
	}
	settings := flat(own.Settings)
	if !hasAnalysis(settings) {
		maps.Copy(settings, flat(map[string]any{"analysis": analysis}))
	}
	settings["index.number_of_shards"] = strconv.Itoa(c.Shards)
	settings["index.number_of_replicas"] = strconv.Itoa(c.Replicas)
	settings["index.refresh_interval"] = strconv.FormatInt(c.RefreshInterval.Milliseconds(), 10) + "ms"
	return indexTemplate{
		Patterns: []string{n.Pattern},
		Priority: templatePriority,
		Template: template{Settings: settings, Mappings: own.Mappings},
		Meta:     map[string]string{"managed_by": "search-indexer"},
	}, nil
}

func hasAnalysis(settings map[string]any) bool {
	for name := range settings {
		if strings.HasPrefix(name, "index.analysis.") {
			return true
		}
	}
	return false
}

// readTemplate decodes a template file: the operator's where there is one, else
// the project's.
func (c Config) readTemplate(file string, out any) error {
	text, err := c.templateText(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	err = json.Unmarshal(text, out, json.RejectUnknownMembers(true))
	switch {
	case err != nil && file == analysisFile:
		return fmt.Errorf("read %s (an object, as in settings.analysis): %w", file, err)
	case err != nil:
		return fmt.Errorf("read %s (an object with \"settings\" and \"mappings\" only): %w", file, err)
	}
	return nil
}

func (c Config) templateText(file string) ([]byte, error) {
	if c.TemplateDir != "" {
		dir, err := os.OpenRoot(c.TemplateDir)
		if err != nil { // a wrong name must not mean the project's own
			return nil, err
		}
		defer func() { _ = dir.Close() }() // only read from
		text, err := dir.ReadFile(file)
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return templateFiles.ReadFile("templates/" + file)
}

// flat returns settings with full names: {"index":{"a":1}}, {"a":1} and
// {"index.a":1} are all {"index.a":1}, as they are for OpenSearch.
func flat(settings map[string]any) map[string]any {
	out := map[string]any{}
	flatten(out, "", settings)
	return out
}

func flatten(out map[string]any, path string, settings map[string]any) {
	for name, value := range settings {
		full := path + name
		if nested, ok := value.(map[string]any); ok {
			flatten(out, full+".", nested)
			continue
		}
		if !strings.HasPrefix(full, "index.") {
			full = "index." + full
		}
		out[full] = value
	}
}
