package helm_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestExamples renders the defaults and every example, decodes each object strictly
// and compares with the golden file. `go test ./... -update` writes these.
func TestExamples(t *testing.T) {
	for name, given := range examples(t) {
		t.Run(name, func(t *testing.T) {
			all := objects(t, given)
			checkObjects(t, all)
			_, notes, err := renderChart(given)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+name+".yaml", manifest(t, all))
			golden(t, "testdata/"+name+".notes.txt", notes)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// TestLint is `helm lint` with each example.
func TestLint(t *testing.T) {
	for name, given := range examples(t) {
		t.Run(name, func(t *testing.T) {
			for _, message := range lint.RunAll(chartDir, given, "search").Messages {
				if message.Severity > 1 { // above "info", which misses an icon
					t.Error(message)
				}
			}
		})
	}
}
