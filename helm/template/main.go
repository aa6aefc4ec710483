// Command template reads values from its input and prints the objects that the chart
// makes of them, each as one line of JSON. It is run in the folder helm, by tests that
// do not want Helm among their modules.
package main

import (
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/search-indexer/search-indexer/helm/render"
)

func main() {
	if err := template(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func template(values io.Reader, objects io.Writer) error {
	given, err := render.Values(values)
	if err != nil {
		return err
	}
	loaded, err := render.Load("search-indexer")
	if err != nil {
		return err
	}
	documents, _, err := render.Chart(loaded, given)
	if err != nil {
		return err
	}
	for _, d := range documents {
		line, err := yaml.YAMLToJSONStrict([]byte(d.Text))
		if err != nil {
			return fmt.Errorf("%s: %w", d.File, err)
		}
		if _, err := fmt.Fprintf(objects, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}
