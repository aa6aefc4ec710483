package stack_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/test/stack"
)

func TestAddressesAnswer(t *testing.T) {
	if status := request(t, http.MethodGet, stack.OpenSearch(t)); status != http.StatusOK {
		t.Errorf("OpenSearch answered %d", status)
	}
	if err := ping(stack.Redis(t)); err != nil {
		t.Errorf("Redis: %v", err)
	}
	if _, err := admin(t).GetMetadata(nil, true, 10_000); err != nil {
		t.Errorf("Kafka: %v", err)
	}
}

func TestNameIsUniqueAndFitsEverywhere(t *testing.T) {
	stack.Redis(t)
	form, seen := regexp.MustCompile(`^t[0-9a-f]{10}$`), map[string]bool{}
	for range 3 {
		name := stack.Name(t)
		if !form.MatchString(name) || seen[name] {
			t.Errorf("Name() = %q after %v", name, seen)
		}
		seen[name] = true
	}
}

func TestNameCleansUp(t *testing.T) {
	stack.Kafka(t)
	var topic, index string
	t.Run("use", func(t *testing.T) {
		name := stack.Name(t)
		topic, index = name+".created", stack.OpenSearch(t)+"/"+name+"-index"
		if status := request(t, http.MethodPut, index); status != http.StatusOK {
			t.Fatalf("create index: %d", status)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		result, err := admin(t).CreateTopics(ctx, []kafka.TopicSpecification{{Topic: topic, NumPartitions: 1}})
		if err != nil || result[0].Error.Code() != kafka.ErrNoError {
			t.Fatalf("create topic: %v %v", err, result)
		}
	})
	if status := request(t, http.MethodHead, index); status != http.StatusNotFound {
		t.Errorf("index after the test: %d, want 404", status)
	}
	metadata, err := admin(t).GetMetadata(nil, true, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if _, found := metadata.Topics[topic]; found {
		t.Errorf("topic %s is still there", topic)
	}
}

func TestPrivateInstance(t *testing.T) {
	private := stack.Private(t, stack.RedisService)
	if private.Kafka != "" || private.OpenSearch != "" {
		t.Errorf("services that nobody asked for: %+v", private)
	}
	if private.Redis == stack.Redis(t) {
		t.Fatalf("%s is the shared Redis", private.Redis)
	}
	for _, end := range []func(string){private.Stop, private.Kill} {
		if err := ping(private.Redis); err != nil {
			t.Fatalf("started: %v", err)
		}
		end(stack.RedisService)
		if err := ping(private.Redis); err == nil {
			t.Fatal("ended, but it answers")
		}
		private.Start(stack.RedisService)
	}
	private.Freeze(stack.RedisService)
	if err := ping(private.Redis); err != nil {
		t.Errorf("frozen, it takes no connection: %v", err)
	}
	private.Thaw(stack.RedisService)
	private.Restart(stack.RedisService)
	if err := ping(private.Redis); err != nil {
		t.Errorf("restarted: %v", err)
	}
}

func admin(t *testing.T) *kafka.AdminClient {
	t.Helper()
	client, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": stack.Kafka(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func request(t *testing.T, method, address string) (status int) {
	t.Helper()
	first, _, _ := strings.Cut(address, ",")
	request, err := http.NewRequestWithContext(t.Context(), method, first, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func ping(address string) error {
	parsed, err := url.Parse(address)
	if err != nil {
		return err
	}
	connection, err := net.DialTimeout("tcp", parsed.Host, 5*time.Second)
	if err != nil {
		return err
	}
	return connection.Close()
}
