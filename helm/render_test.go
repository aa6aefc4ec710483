package helm_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/search-indexer/search-indexer/helm/render"
)

const chartDir = "search-indexer"

// loadChart reads the chart once.
var loadChart = sync.OnceValues(func() (*chart.Chart, error) { return render.Load(chartDir) })

// values are what `helm install --values` is given.
type values = map[string]any

func parse(t *testing.T, text string) values {
	t.Helper()
	read, err := render.Values(strings.NewReader(text))
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

func renderChart(given values) (documents []render.Document, notes string, err error) {
	loaded, err := loadChart()
	if err != nil {
		return nil, "", err
	}
	return render.Chart(loaded, given)
}

// objects renders values and decodes every object strictly, in a steady order.
func objects(t *testing.T, given values) []object {
	t.Helper()
	documents, _, err := renderChart(given)
	if err != nil {
		t.Fatal(err)
	}
	var all []object
	for _, d := range documents {
		decoded, err := decode([]byte(d.Text))
		if err != nil {
			t.Fatalf("%s: %v\n%s", d.File, err, d.Text)
		}
		all = append(all, decoded)
	}
	return all
}

// manifest shows objects as one reads them, without the contents of the chart's own
// files: TestFilesArriveWhole has these.
func manifest(t *testing.T, all []object) string {
	t.Helper()
	var b strings.Builder
	for _, o := range all {
		text, err := yaml.JSONToYAML(o.raw)
		switch o.typed.(type) {
		case *monitoring.PrometheusRule:
			head, _, _ := strings.Cut(string(text), "\nspec:")
			text = []byte(head + "\nspec: files/alerts.yaml\n")
		case *core.ConfigMap:
			if strings.HasSuffix(o.Name, "-dashboard") {
				_, rest, _ := strings.Cut(string(text), "\nkind:")
				text = []byte("data: files/dashboard.json\nkind:" + rest)
			}
		}
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
