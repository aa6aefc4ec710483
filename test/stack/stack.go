// Package stack gives tests the addresses of the real services they run on.
package stack

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// Kafka returns the bootstrap addresses of a broker.
func Kafka(t testing.TB) string { return address(t, "KAFKA_BROKERS") }

// OpenSearch returns the base URL of a node.
func OpenSearch(t testing.TB) string { return address(t, "OPENSEARCH_URLS") }

// Redis returns the URL of a Redis database.
func Redis(t testing.TB) string { return address(t, "REDIS_URL") }

// Name returns a fresh lower-case prefix for topics, indices and groups.
func Name(testing.TB) string { return fmt.Sprintf("t%x-", time.Now().UnixNano()) }

func address(t testing.TB, variable string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs real services")
	}
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set", variable)
	}
	return value
}
