// Package stack gives tests the real Kafka, OpenSearch and Redis of the developer
// stack (scripts/stack). It knows addresses and how to stop a service, and cleans
// up what a test named; it is no client of these services.
package stack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The services, as scripts/stack names them.
const (
	KafkaService      = "kafka"
	OpenSearchService = "opensearch"
	RedisService      = "redis"
)

// Kafka returns the brokers that the test is to use, as in KAFKA_BROKERS. The test
// fails where there are none, and is skipped in testing.Short mode, as with every
// function here that gives an address.
func Kafka(t testing.TB) string {
	t.Helper()
	return address(t, KafkaService, "KAFKA_BROKERS")
}

// OpenSearch returns the addresses of OpenSearch's nodes, as in OPENSEARCH_URLS.
func OpenSearch(t testing.TB) string {
	t.Helper()
	return address(t, OpenSearchService, "OPENSEARCH_URLS")
}

// Redis returns the address of Redis, as in REDIS_URL. The database is shared with
// other tests: prefix every key with Name.
func Redis(t testing.TB) string {
	t.Helper()
	return address(t, RedisService, "REDIS_URL")
}

// Name returns a new name of 11 lower-case letters and digits, led by a letter: a
// prefix for the topics, groups, indices and keys of one test. Topics, indices and
// index templates whose names begin with it are removed when the test ends, as
// every one that stays costs the shared services memory for ever; those of a failed
// test are kept for a look at them.
func Name(t testing.TB) string {
	t.Helper()
	name := "t" + random()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kept on the stack: topics and indices named %s*", name)
			return
		}
		removeTopics(t, name)
		removeIndices(t, name)
	})
	return name
}

func random() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // documented to never fail
	return hex.EncodeToString(b)
}

func address(t testing.TB, service, variable string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("-short leaves %s out", service)
	}
	value, err := lookup(service, variable)
	if err != nil {
		t.Fatalf("no %s to test with: run `make up` or set %s: %v", service, variable, err)
	}
	return value
}

// lookup returns the service's address from the environment, else from what the
// running default instance has recorded.
func lookup(service, variable string) (string, error) {
	if value := os.Getenv(variable); value != "" {
		return value, nil
	}
	out, err := script("env", service)
	if err != nil {
		return "", err
	}
	return exported(out, variable)
}

// exported finds the value in lines of the form "export NAME=value".
func exported(lines, variable string) (string, error) {
	for line := range strings.Lines(lines) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "export "+variable+"="); ok {
			return value, nil
		}
	}
	return "", fmt.Errorf("scripts/stack env names no %s", variable)
}

// script runs scripts/stack and returns what it prints on stdout. The time allows
// for a first download; a service starts within a minute.
func script(args ...string) (string, error) {
	path, err := scriptPath()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var errors strings.Builder
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/stack %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errors.String()))
	}
	return string(out), nil
}

// scriptPath finds scripts/stack from the folder of the tested package upwards.
func scriptPath() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find scripts/stack: %w", err)
	}
	for {
		path := filepath.Join(dir, "scripts", "stack")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find scripts/stack: not above the working directory")
		}
		dir = parent
	}
}
