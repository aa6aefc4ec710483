package stack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const cleanupTimeout = 20 * time.Second

// removeTopics deletes the topics whose names begin with prefix. What can't be
// removed is only logged: a test may have stopped the service, or not used it.
func removeTopics(t testing.TB, prefix string) {
	brokers, err := lookup(KafkaService, "KAFKA_BROKERS")
	if err != nil {
		return
	}
	if err := deleteTopics(brokers, prefix); err != nil {
		t.Logf("remove topics %s*: %v", prefix, err)
	}
}

func deleteTopics(brokers, prefix string) error {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": brokers})
	if err != nil {
		return fmt.Errorf("create admin client: %w", err)
	}
	defer admin.Close()
	metadata, err := admin.GetMetadata(nil, true, int(cleanupTimeout.Milliseconds()))
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var topics []string
	for topic := range metadata.Topics {
		if strings.HasPrefix(topic, prefix) {
			topics = append(topics, topic)
		}
	}
	if len(topics) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	if _, err := admin.DeleteTopics(ctx, topics); err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	return nil
}

// removeIndices deletes the indices and index templates whose names begin with prefix.
func removeIndices(t testing.TB, prefix string) {
	urls, err := lookup(OpenSearchService, "OPENSEARCH_URLS")
	if err != nil {
		return
	}
	url, _, _ := strings.Cut(urls, ",")
	for _, path := range []string{"/" + prefix + "*?expand_wildcards=all", "/_index_template/" + prefix + "*"} {
		if err := deleteURL(strings.TrimSuffix(url, "/") + path); err != nil {
			t.Logf("remove indices %s*: %v", prefix, err)
		}
	}
}

func deleteURL(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("build request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 && response.StatusCode != http.StatusNotFound {
		return fmt.Errorf("DELETE answered %s", response.Status)
	}
	return nil
}
