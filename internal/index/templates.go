package index

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
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
//   - the dates' third format: T, t or a space between date and time, Z, z or
//     an offset to 18 hours in any of its three spellings, 1 to 9 digits of a
//     fraction. epoch_millis is first, so that a number is milliseconds even where
//     it has the four digits of a year.
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

// loadTemplate returns the template of the given names with the settings of c in
// it, those of the file overridden. A file with an analysis of its own keeps it.
func (c *Client) loadTemplate(n Names) (indexTemplate, error) {
	var own template
	if err := c.readTemplate(n.file, &own); err != nil {
		return indexTemplate{}, err
	}
	var analysis map[string]any
	if err := c.readTemplate(analysisFile, &analysis); err != nil {
		return indexTemplate{}, err
	}
	settings := flat(own.Settings)
	if !hasAnalysis(settings) {
		maps.Copy(settings, flat(map[string]any{"analysis": analysis}))
	}
	settings["index.number_of_shards"] = strconv.Itoa(c.cfg.Shards)
	settings["index.number_of_replicas"] = strconv.Itoa(c.cfg.Replicas)
	settings["index.refresh_interval"] = strconv.FormatInt(c.cfg.RefreshInterval.Milliseconds(), 10) + "ms"
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
func (c *Client) readTemplate(file string, out any) error {
	text, err := c.templateText(file)
	if err != nil {
		return fmt.Errorf("read template: %w", err)
	}
	if err := json.Unmarshal(text, out, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("read template %s (an object with \"settings\" and \"mappings\" only): %w", file, err)
	}
	return nil
}

func (c *Client) templateText(file string) ([]byte, error) {
	if c.cfg.TemplateDir != "" {
		dir, err := os.OpenRoot(c.cfg.TemplateDir)
		if err != nil { // a wrong name must not mean the project's own
			return nil, fmt.Errorf("OPENSEARCH_TEMPLATE_DIR: %w", err)
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
