package stack

import (
	"fmt"
	"os"
	"testing"
)

// Instance is a stack of one test's own, for tests that stop, kill or restart a
// service. An address is empty where that service was not asked for; it stays the
// same for the life of the instance. For one goroutine at a time.
type Instance struct {
	// Kafka, OpenSearch and Redis are as in KAFKA_BROKERS, OPENSEARCH_URLS and REDIS_URL.
	Kafka, OpenSearch, Redis string

	t    testing.TB
	name string
}

// Private starts an instance of the named services (KafkaService and so on; all
// three where none is named) and waits until they answer: Redis at once, Kafka some
// 5 s, OpenSearch some 15 s. It is removed with its data when the test ends; one
// whose test process was killed is removed by the next `make up`.
func Private(t testing.TB, services ...string) *Instance {
	t.Helper()
	return private(t, services)
}

// Configured is Private with configuration of the test's own: see --config of
// scripts/stack for what the folder may hold. It is read again at every start.
// Behind TLS an address only has to take connections to count as answering.
func Configured(t testing.TB, folder string, services ...string) *Instance {
	t.Helper()
	return private(t, services, "--config", folder)
}

func private(t testing.TB, services []string, options ...string) *Instance {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves the stack out")
	}
	// The process id in the name lets `scripts/stack up` recognise orphans.
	i := &Instance{t: t, name: fmt.Sprintf("test-%d-%s", os.Getpid(), random())}
	t.Cleanup(func() {
		if _, err := script("down", "--purge", "--name", i.name); err != nil {
			t.Errorf("remove the private stack: %v", err)
		}
	})
	i.run("up", append(options, services...)...)
	out, err := script("env", "--name", i.name)
	if err != nil {
		t.Fatal(err)
	}
	i.Kafka, _ = exported(out, "KAFKA_BROKERS")
	i.OpenSearch, _ = exported(out, "OPENSEARCH_URLS")
	i.Redis, _ = exported(out, "REDIS_URL")
	return i
}

// Stop ends a service gracefully and waits until it is gone. Its data stays.
func (i *Instance) Stop(service string) { i.t.Helper(); i.run("stop", service) }

// Kill ends a service as `kill -9` does and waits until it is gone. Its data stays,
// but for Redis, which keeps none on disk.
func (i *Instance) Kill(service string) { i.t.Helper(); i.run("kill", service) }

// Start starts a stopped or killed service and waits until it answers.
func (i *Instance) Start(service string) { i.t.Helper(); i.run("start", service) }

// Restart stops a service gracefully and starts it again.
func (i *Instance) Restart(service string) { i.t.Helper(); i.run("restart", service) }

// Freeze has a service stand still: its connections stay and new ones are taken, but
// nothing is answered until Thaw.
func (i *Instance) Freeze(service string) { i.t.Helper(); i.run("freeze", service) }

// Thaw has a frozen service go on.
func (i *Instance) Thaw(service string) { i.t.Helper(); i.run("thaw", service) }

func (i *Instance) run(command string, args ...string) {
	i.t.Helper()
	if _, err := script(append([]string{command, "--name", i.name}, args...)...); err != nil {
		i.t.Fatal(err)
	}
}
