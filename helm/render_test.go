package helm_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chartDir = "search-indexer"

// loadChart reads the chart once: rendering does not change it.
var loadChart = sync.OnceValues(func() (*chart.Chart, error) { return loader.Load(chartDir) })

// values are what `helm install --values` is given.
type values = map[string]any

// parse reads values as Helm reads a file of them, numbers as floats and all.
func parse(t *testing.T, text string) values {
	t.Helper()
	read, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func readValues(t *testing.T, path string) values {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// render is `helm template`: what the chart makes of values, by file, and its notes.
func render(given values) (files map[string]string, notes string, err error) {
	loaded, err := loadChart()
	if err != nil {
		return nil, "", err
	}
	release := common.ReleaseOptions{Name: "demo", Namespace: "search", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(loaded, given, release, common.DefaultCapabilities)
	if err != nil {
		return nil, "", err
	}
	rendered, err := engine.Render(loaded, all)
	if err != nil {
		return nil, "", err
	}
	files = map[string]string{}
	for path, text := range rendered {
		name := filepath.Base(path)
		switch {
		case name == "NOTES.txt":
			notes = text
		case !strings.HasPrefix(name, "_") && strings.TrimSpace(text) != "":
			files[name] = text
		}
	}
	return files, notes, nil
}

// objects renders values and decodes every object strictly, in a steady order.
func objects(t *testing.T, given values) []object {
	t.Helper()
	files, _, err := render(given)
	if err != nil {
		t.Fatal(err)
	}
	var all []object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for document := range strings.SplitSeq(files[name], "\n---") {
			if bytes.Equal(bytes.TrimSpace(withoutComments(document)), nil) {
				continue
			}
			decoded, err := decode([]byte(document))
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			all = append(all, decoded)
		}
	}
	return all
}

func withoutComments(text string) []byte {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			kept = append(kept, line)
		}
	}
	return []byte(strings.Join(kept, ""))
}

// manifest shows objects as one reads them, without what is at its default.
func manifest(t *testing.T, all []object) string {
	t.Helper()
	var b strings.Builder
	for _, o := range all {
		text, err := yaml.JSONToYAML(o.raw)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	return b.String()
}

// examples returns the value files that the chart brings, and none for its defaults.
func examples(t *testing.T) map[string]values {
	t.Helper()
	paths, err := filepath.Glob(chartDir + "/examples/*.yaml")
	if err != nil || len(paths) < 6 {
		t.Fatalf("%d examples: %v", len(paths), err)
	}
	all := map[string]values{"default": {}}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".yaml")] = readValues(t, path)
	}
	return all
}
