// Package compose checks the files for containers without an engine: with the parser
// that Docker Compose itself uses, against the files that they name.
package compose

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// load reads compose files with their defaults, and refuses what is no setting of Compose.
func load(t *testing.T, files ...string) *types.Project {
	t.Helper()
	for i := range files {
		files[i] = filepath.Join(root, files[i])
	}
	options, err := cli.NewProjectOptions(files, cli.WithWorkingDirectory(root), cli.WithConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func each(t *testing.T, check func(t *testing.T, project *types.Project)) {
	t.Helper()
	t.Run("kafka", func(t *testing.T) { check(t, load(t, "compose.yaml")) })
	t.Run("redpanda", func(t *testing.T) { check(t, load(t, "compose.yaml", "compose.redpanda.yaml")) })
}

func TestTheWholeIsThere(t *testing.T) {
	each(t, func(t *testing.T, project *types.Project) {
		want := []string{"grafana", "kafka", "opensearch", "prometheus", "redis", "setup", "worker"}
		if got := project.ServiceNames(); !slices.Equal(got, want) {
			t.Errorf("services %v, want %v", got, want)
		}
	})
}

// Redpanda stands in Kafka's place, under its name, and gets none of its settings.
func TestRedpandaReplacesKafka(t *testing.T) {
	broker := load(t, "compose.yaml", "compose.redpanda.yaml").Services["kafka"]
	if !strings.Contains(broker.Image, "redpanda") || len(broker.Environment) > 0 || len(broker.Volumes) != 1 || broker.Volumes[0].Source != "redpanda" {
		t.Errorf("image %s, environment %v, volumes %v", broker.Image, broker.Environment, broker.Volumes)
	}
	advertised := "internal://kafka:9092,external://127.0.0.1:" + broker.Ports[0].Published
	if !slices.Contains(broker.Command, "--advertise-kafka-addr="+advertised) || broker.HealthCheck.Interval == nil {
		t.Errorf("command %v, health %v", broker.Command, broker.HealthCheck)
	}
}

// What is published is for this machine alone, and every image says which version it is.
func TestServicesAreLocalAndPinned(t *testing.T) {
	version := regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?[-\w.]*$`)
	each(t, func(t *testing.T, project *types.Project) {
		for name, service := range project.Services {
			for _, port := range service.Ports {
				if port.HostIP != "127.0.0.1" || port.Published == "" {
					t.Errorf("%s: port %d is published as %s:%s", name, port.Target, port.HostIP, port.Published)
				}
			}
			if service.Build == nil && !version.MatchString(service.Image) {
				t.Errorf("%s: %s is no fixed version", name, service.Image)
			}
		}
	})
}

// Nobody is started before what it needs, and what is waited for can say when it is ready.
func TestDependenciesCanBeMet(t *testing.T) {
	each(t, func(t *testing.T, project *types.Project) {
		for name, service := range project.Services {
			for needed, how := range service.DependsOn {
				other := project.Services[needed]
				if how.Condition == types.ServiceConditionHealthy && other.HealthCheck == nil {
					t.Errorf("%s waits for the health of %s, which has no check", name, needed)
				}
				if how.Condition == types.ServiceConditionCompletedSuccessfully && other.Restart == "always" {
					t.Errorf("%s waits for the end of %s, which never ends", name, needed)
				}
			}
		}
		worker := slices.Sorted(maps.Keys(project.Services["worker"].DependsOn))
		if want := []string{"redis", "setup"}; !slices.Equal(worker, want) {
			t.Errorf("the worker waits for %v, want %v", worker, want)
		}
	})
}

func TestFilesThatAreMountedExist(t *testing.T) {
	each(t, func(t *testing.T, project *types.Project) {
		mounted := 0
		for name, service := range project.Services {
			for _, volume := range service.Volumes {
				if volume.Type != types.VolumeTypeBind {
					continue
				}
				mounted++
				info, err := os.Stat(volume.Source)
				if err != nil || info.IsDir() || !volume.ReadOnly {
					t.Errorf("%s: %s is no file to read: %v", name, volume.Source, err)
				}
			}
		}
		if mounted != 5 {
			t.Errorf("%d files are mounted, want those of Prometheus (2) and Grafana (3)", mounted)
		}
	})
}

// The indexer runs as it does in a cluster, with settings that exist.
func TestTheIndexerIsLockedIn(t *testing.T) {
	settings := text(t, "docs/configuration.md")
	each(t, func(t *testing.T, project *types.Project) {
		for _, name := range []string{"setup", "worker"} {
			service := project.Services[name]
			if !service.ReadOnly || !slices.Contains(service.CapDrop, "ALL") || service.Privileged || service.User != "" {
				t.Errorf("%s may do more than it needs", name)
			}
			for setting := range service.Environment {
				if !strings.Contains(settings, "| `"+setting+"` |") && !strings.Contains(settings, "| `"+setting+"`<br>") {
					t.Errorf("%s: %s is no setting", name, setting)
				}
			}
			if service.Build == nil || !strings.Contains(text(t, "Dockerfile"), "ARG VERSION") {
				t.Errorf("%s is not built from the Dockerfile", name)
			}
		}
	})
}

// scripts/stack starts three services of the file by name and tells each its port.
func TestTheStackFindsItsServices(t *testing.T) {
	for service, variable := range map[string]string{"kafka": "KAFKA_PORT", "opensearch": "OPENSEARCH_PORT", "redis": "REDIS_PORT"} {
		options, err := cli.NewProjectOptions([]string{filepath.Join(root, "compose.yaml")}, cli.WithEnv([]string{variable + "=4711"}))
		if err != nil {
			t.Fatal(err)
		}
		project, err := options.LoadProject(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := project.Services[service]
		if len(s.Ports) != 1 || s.Ports[0].Published != "4711" || len(s.DependsOn) > 0 {
			t.Errorf("%s: ports %v, needs %v", service, s.Ports, s.DependsOn)
		}
	}
}

// The builder must have the Go that go.mod asks for: its own image takes no other.
func TestDockerfileHasTheGoOfTheModule(t *testing.T) {
	of := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(text(t, "go.mod"))
	if of == nil || !strings.Contains(text(t, "Dockerfile"), "golang:"+of[1]+"-bookworm") {
		t.Errorf("go.mod asks for %v, the Dockerfile takes another one", of)
	}
}

// The build sees every source and nothing else of the folder.
func TestBuildContext(t *testing.T) {
	ignored := strings.Fields(text(t, ".dockerignore")[strings.Index(text(t, ".dockerignore"), "\n*\n"):])
	if ignored[0] != "*" {
		t.Fatalf(".dockerignore lets in what it does not name: %v", ignored)
	}
	copied := regexp.MustCompile(`(?m)^COPY (?:(go\.mod go\.sum)|(\w+)) \./`).FindAllStringSubmatch(text(t, "Dockerfile"), -1)
	for _, match := range copied {
		for name := range strings.FieldsSeq(match[1] + match[2]) {
			if !slices.Contains(ignored, "!"+name) {
				t.Errorf("%s is copied, and ignored", name)
			}
		}
	}
	if len(copied) != 3 {
		t.Errorf("copies %v, want go.mod and go.sum, cmd, internal", copied)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
