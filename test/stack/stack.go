// Package stack gives tests the addresses of the real services and names of their
// own there. It is not for starting services.
package stack

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
)

// Kafka returns KAFKA_BROKERS.
func Kafka(t testing.TB) string { return address(t, "KAFKA_BROKERS") }

// OpenSearch returns OPENSEARCH_URLS.
func OpenSearch(t testing.TB) string { return address(t, "OPENSEARCH_URLS") }

// Redis returns REDIS_URL.
func Redis(t testing.TB) string { return address(t, "REDIS_URL") }

// Name returns a fresh lower-case prefix for topics and indices.
func Name(t testing.TB) string {
	t.Helper()
	return "t" + strings.ToLower(rand.Text()[:10])
}

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
