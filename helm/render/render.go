// Package render makes of the chart what `helm template` makes of it, without a
// cluster and without the helm command. It is for tests.
package render

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
)

// Document is one YAML document, and the template that it came from.
type Document struct {
	File, Text string
}

// Load reads the chart in the folder dir.
func Load(dir string) (*chart.Chart, error) {
	loaded, err := loader.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("load chart: %w", err)
	}
	return loaded, nil
}

// Values reads a file of values as Helm reads it, numbers as floats and all.
func Values(r io.Reader) (map[string]any, error) {
	values, err := loader.LoadValues(r)
	if err != nil {
		return nil, fmt.Errorf("read values: %w", err)
	}
	return values, nil
}

// Chart checks values by the chart's schema and returns what it renders for the
// release "demo" in the namespace "search", ordered by file, and its notes. The chart
// is not changed.
func Chart(loaded *chart.Chart, values map[string]any) (documents []Document, notes string, err error) {
	release := common.ReleaseOptions{Name: "demo", Namespace: "search", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(loaded, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, "", fmt.Errorf("check values: %w", err)
	}
	rendered, err := engine.Render(loaded, all)
	if err != nil {
		return nil, "", fmt.Errorf("render: %w", err)
	}
	for _, path := range slices.Sorted(maps.Keys(rendered)) {
		name := filepath.Base(path)
		if name == "NOTES.txt" {
			notes = rendered[path]
			continue
		}
		for text := range strings.SplitSeq(rendered[path], "\n---") {
			if !empty(text) {
				documents = append(documents, Document{name, text})
			}
		}
	}
	return documents, notes, nil
}

// empty tells that a document holds nothing but comments.
func empty(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
