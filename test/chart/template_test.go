// Package chart runs what the Helm chart renders, on this machine and without a
// cluster. What the chart renders is judged by the tests in helm; they are a module of
// their own, so that Helm is none of this one's.
package chart

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// The parts of Kubernetes' objects that say how to run a container.
type (
	object struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     struct {
			Template    podTemplate // Deployment, Job
			JobTemplate struct {
				Spec struct{ Template podTemplate }
			} // CronJob
			Ports []struct{ Port int } // Service
		}
	}
	podTemplate struct{ Spec podSpec }
	podSpec     struct {
		TerminationGracePeriodSeconds int
		Containers                    []container
		Volumes                       []volume
	}
	container struct {
		Args         []string
		Env          []struct{ Name, Value string }
		VolumeMounts []struct{ Name, MountPath string }
		Ports        []struct {
			Name          string
			ContainerPort int
		}
		ReadinessProbe, LivenessProbe httpProbe
	}
	httpProbe struct{ HTTPGet struct{ Path, Port string } }
	volume    struct {
		Name      string
		Projected struct{ Sources []source }
	}
	source struct{ Secret secret }
	secret struct {
		Name  string
		Items []struct{ Key, Path string }
	}
)

// template is `helm template`: the objects by kind and name.
func template(t *testing.T, values string) map[string]object {
	t.Helper()
	render := exec.CommandContext(t.Context(), "go", "run", "-C", "../../helm", "./template")
	render.Stdin = strings.NewReader(values)
	var stderr strings.Builder
	render.Stderr = &stderr
	lines, err := render.Output()
	if err != nil {
		t.Fatalf("render the chart: %v\n%s", err, stderr.String())
	}
	all := map[string]object{}
	for decoder := json.NewDecoder(bytes.NewReader(lines)); decoder.More(); {
		var o object
		if err := decoder.Decode(&o); err != nil {
			t.Fatal(err)
		}
		all[o.Kind+" "+o.Metadata.Name] = o
	}
	return all
}
