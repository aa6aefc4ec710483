package stream

import (
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// properties returns what every client has in common, KAFKA_OPTIONS excluded.
func (c Config) properties() kafka.ConfigMap {
	p := kafka.ConfigMap{
		"bootstrap.servers":         strings.Join(c.Brokers, ","),
		"client.id":                 "search-indexer",
		"security.protocol":         c.protocol(),
		"socket.keepalive.enable":   true,
		"reconnect.backoff.max.ms":  2000,
		"log.connection.close":      false,
		"receive.message.max.bytes": 2 * largestRecord,
	}
	if c.usesSASL() {
		p["sasl.mechanisms"] = c.SASLMechanism
		if c.SASLMechanism == oauthBearer {
			p["sasl.oauthbearer.method"] = "oidc"
			p["sasl.oauthbearer.client.id"] = c.SASLUsername
			p["sasl.oauthbearer.client.secret"] = c.SASLPassword.Reveal()
		} else {
			p["sasl.username"] = c.SASLUsername
			p["sasl.password"] = c.SASLPassword.Reveal()
		}
	}
	for name, file := range map[string]string{
		"ssl.ca.location": c.CAFile, "ssl.certificate.location": c.CertFile, "ssl.key.location": c.KeyFile,
	} {
		if file != "" {
			p[name] = file
		}
	}
	return p
}

// largestRecord bounds the records that are sent or received, in bytes. The
// broker's own bound (max.message.bytes, about 1 MB unless raised) is what counts;
// librdkafka's, 1 MB too, must only not be in its way.
const largestRecord = 100 << 20

// consumerProperties returns the properties of a group member.
func (c Config) consumerProperties() kafka.ConfigMap {
	p := c.properties()
	set := kafka.ConfigMap{
		"group.id":                           c.GroupID,
		"enable.auto.commit":                 false,
		"enable.auto.offset.store":           false,
		"auto.offset.reset":                  "error",
		"isolation.level":                    "read_committed",
		"enable.partition.eof":               true,
		"allow.auto.create.topics":           false,
		"topic.metadata.refresh.interval.ms": 10_000,
		// One member holds this much unread, whatever its number of partitions. A
		// larger record still arrives: brokers send at least one (KIP-74).
		// What is fetched counts as sent, and takes some times that once unpacked.
		"queued.max.messages.kbytes": 4 << 10,
		"fetch.max.bytes":            2 << 20,
		"max.partition.fetch.bytes":  1 << 20,
		// The queue above is read in 15 ms at the most that a worker takes. To look only
		// after the default second whether it has room leaves the reader without records
		// most of the time, and after 20 ms a fifth of it.
		"fetch.queue.backoff.ms": 2,
		"fetch.wait.max.ms":      100,
	}
	if c.Options["group.protocol"] != "consumer" {
		set["partition.assignment.strategy"] = "cooperative-sticky"
		// Members learn of a rebalance with their next heartbeat, and the partitions
		// of a worker that has left stand still until all have: up to the default's 3 s.
		set["heartbeat.interval.ms"] = 1000
	}
	for name, value := range set {
		p[name] = value
	}
	return c.withOptions(p)
}

// producerProperties returns the properties of an idempotent producer.
func (c Config) producerProperties() kafka.ConfigMap {
	p := c.properties()
	for name, value := range (kafka.ConfigMap{
		"acks":               "all",
		"enable.idempotence": true,
		// As the Java clients do, so that equal keys meet in one partition whoever sends.
		"partitioner":       "murmur2_random",
		"message.max.bytes": largestRecord,
		// Bounds memory; one record of the largest size must fit in.
		"queue.buffering.max.kbytes": 2 * largestRecord >> 10,
		"message.timeout.ms":         30_000,
		"compression.type":           "lz4",
		"go.delivery.report.fields":  "none",
		"go.events.channel.size":     10_000,
		"go.produce.channel.size":    0, // not used
	}) {
		p[name] = value
	}
	return c.withOptions(p)
}

func (c Config) withOptions(p kafka.ConfigMap) kafka.ConfigMap {
	for name, value := range c.Options {
		p[name] = value
	}
	return p
}

// tryOut lets librdkafka judge the settings together: unreadable certificates,
// options that exclude each other.
func (c Config) tryOut() error {
	if err := tryProperties(c.consumerProperties()); err != nil {
		return fmt.Errorf("KAFKA_OPTIONS or the KAFKA_ certificate files: librdkafka refuses them: %w", err)
	}
	return nil
}

// tryProperties makes a consumer that knows no broker, so that nothing is sent.
func tryProperties(p kafka.ConfigMap) error {
	trial := maps.Clone(p)
	delete(trial, "bootstrap.servers")
	// Its lines go nowhere, as the channel is not read. A log_level would not keep it
	// quiet: the debug option raises it (2.15).
	trial["go.logs.channel.enable"] = true
	trial["group.id"] = "trial" // closing a consumer with a blank one never ends (2.15)
	client, err := kafka.NewConsumer(&trial)
	if err != nil {
		return err
	}
	closeAside(client, new(sync.WaitGroup))
	return nil
}
