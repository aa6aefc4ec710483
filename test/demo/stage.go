package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// topics are those that the samples go to.
const topics = "post.created,post.updated,post.deleted,artist.created,artist.updated,artist.deleted"

// stage is where a demo plays: the services, and names of its own on them.
type stage struct {
	name     string // every topic, index, template and group begins with it
	indexer  string // path of the program
	logs     string // folder of what the program's processes say
	settings []string
	broker   e2e.Broker
	cluster  e2e.Cluster
}

func (s *stage) prefix() string { return s.name + "-" }
func (s *stage) group() string  { return s.name + "-group" }
func (s *stage) dlq() string    { return s.name + "-dlq" }

// useServices takes the addresses from the environment and settles all else that
// the program is started with.
func (s *stage) useServices() error {
	for _, name := range []string{"KAFKA_BROKERS", "OPENSEARCH_URLS", "REDIS_URL"} {
		if os.Getenv(name) == "" {
			return fmt.Errorf("%s is not set: use `make demo`, which starts the services and names them", name)
		}
	}
	url, _, _ := strings.Cut(os.Getenv("OPENSEARCH_URLS"), ",")
	s.broker = e2e.Broker{Addresses: os.Getenv("KAFKA_BROKERS")}
	s.cluster = e2e.Cluster{URL: strings.TrimSuffix(url, "/")}
	s.settings = append(os.Environ(),
		"KAFKA_TOPICS="+topics,
		"KAFKA_TOPIC_PREFIX="+s.prefix(),
		"KAFKA_GROUP_ID="+s.group(),
		"KAFKA_DLQ_TOPIC="+s.dlq(),
		"OPENSEARCH_INDEX_PREFIX="+s.prefix(),
		"OPENSEARCH_REPLICAS=0", // the stack has one node
		"OPENSEARCH_REFRESH_INTERVAL="+refreshInterval.String(),
		"DEDUP_ENABLED=true",
		"DEDUP_TTL=10m", // what the worker leaves in Redis ends by itself
		"HTTP_ADDR=127.0.0.1:0",
		"LOG_LEVEL=debug", "LOG_FORMAT=json", // for whoever looks into the log of a demo that failed
	)
	return nil
}

// remove deletes all that was made under the stage's name. The merge script stays:
// its name is a digest of its text, and other workers use the same one.
func (s *stage) remove(ctx context.Context) error {
	return errors.Join(s.removeIndices(ctx), s.removeTopics(ctx), s.removeGroup(ctx))
}

func (s *stage) removeIndices(ctx context.Context) error {
	if err := s.cluster.Remove(ctx, s.prefix()); err != nil {
		return err
	}
	var all struct {
		Templates []struct{ Name string } `json:"index_templates"`
	}
	if err := s.cluster.Do(ctx, http.MethodGet, "/_index_template", "", &all); err != nil {
		return err
	}
	for _, template := range all.Templates {
		if !strings.HasPrefix(template.Name, s.prefix()) {
			continue
		}
		if err := s.cluster.Do(ctx, http.MethodDelete, "/_index_template/"+template.Name, "", nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) removeTopics(ctx context.Context) error {
	all, err := s.broker.Topics()
	if err != nil {
		return err
	}
	var ours []string
	for topic := range all {
		if strings.HasPrefix(topic, s.prefix()) {
			ours = append(ours, topic)
		}
	}
	if len(ours) == 0 {
		return nil
	}
	return s.broker.Delete(ctx, ours...)
}

func (s *stage) removeGroup(ctx context.Context) error {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": s.broker.Addresses})
	if err != nil {
		return fmt.Errorf("create admin client: %w", err)
	}
	defer admin.Close()
	answer, err := admin.DeleteConsumerGroups(ctx, []string{s.group()}, kafka.SetAdminRequestTimeout(20*time.Second))
	if err != nil {
		return fmt.Errorf("delete group %s: %w", s.group(), err)
	}
	for _, group := range answer.ConsumerGroupResults {
		switch group.Error.Code() {
		case kafka.ErrNoError, kafka.ErrGroupIDNotFound:
		case kafka.ErrNonEmptyGroup: // of a killed worker; ends by itself with its session
		default:
			return fmt.Errorf("delete group %s: %w", group.Group, group.Error)
		}
	}
	return nil
}
