// Command docs writes what can be derived of the chart: its README from the comments
// of values.yaml, and the settings in values.schema.json from docs/configuration.md.
// It is run in the folder helm by `make docs`, and judges nothing.
package main

import (
	"fmt"
	"os"
)

const (
	valuesFile   = "search-indexer/values.yaml"
	schemaFile   = "search-indexer/values.schema.json"
	readmeFile   = "search-indexer/README.md"
	settingsPage = "../docs/configuration.md"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write brings both files up to date below the folder helm.
func write(helm string) error {
	files, err := derive(helm)
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // files of the project, for everyone
			return fmt.Errorf("write what was derived: %w", err)
		}
	}
	return nil
}

// derive returns the text of each derived file by its path.
func derive(helm string) (map[string]string, error) {
	values, err := os.ReadFile(helm + "/" + valuesFile)
	if err != nil {
		return nil, fmt.Errorf("read values: %w", err)
	}
	entries, err := describe(values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", valuesFile, err)
	}
	page, err := os.ReadFile(helm + "/" + settingsPage)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	schema, err := os.ReadFile(helm + "/" + schemaFile)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	completed, err := complete(string(schema), settings(string(page)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", schemaFile, err)
	}
	return map[string]string{
		helm + "/" + readmeFile: readme(entries),
		helm + "/" + schemaFile: completed,
	}, nil
}
