package stream

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

// forwardLogs writes librdkafka's own lines until the client is closed. It hides
// passwords itself. What it says of each failed connection attempt, several times
// a second, is for debugging: the state of the connection is logged by complain,
// and told in the errors of what failed by it.
func forwardLogs(lines <-chan kafka.LogEvent, log zerolog.Logger, connection *connection) {
	for line := range lines {
		connection.hear(line)
		const warning, notice = 4, 5 // syslog levels
		level := zerolog.DebugLevel
		switch {
		case line.Tag == "FAIL" || line.Tag == "ERROR" || line.Tag == "CONFWARN":
		case line.Level <= warning:
			level = zerolog.WarnLevel
		case line.Level == notice:
			level = zerolog.InfoLevel
		}
		log.WithLevel(level).Str("client", line.Name).Str("tag", line.Tag).Msg(line.Message)
	}
}

// complain handles an error that the client met on its own; it retries by itself
// all that are not fatal.
func (c *Consumer) complain(e kafka.Error) {
	switch {
	case e.IsFatal():
		c.insist("read from Kafka", fmt.Errorf("%w: %s", e, remedy(e.Code())))
	case e.Code() == kafka.ErrAutoOffsetReset || e.Code() == kafka.ErrLogTruncation:
		c.doubt()
	case e.Code() == kafka.ErrAllBrokersDown:
		c.worry(c.unreachable())
	case isUnreachable(e): // one broker of several
		c.log.Debug().Err(e).Msg("a Kafka broker does not answer")
	case e.Code() == kafka.ErrUnknownTopicOrPart || e.Code() == kafka.ErrUnknownTopic:
		// report names missing topics
	default:
		c.worry(e.Error())
	}
}

// worry logs what is wrong with the connection once, however often it is met,
// until all is well.
func (c *Consumer) worry(trouble string) {
	if !c.trouble[trouble] {
		c.trouble[trouble] = true
		c.log.Warn().Msg(trouble)
	}
}

func (c *Consumer) unreachable() string {
	return fmt.Sprintf("cannot reach Kafka at %s; trying on", strings.Join(c.cfg.Brokers, ","))
}

// report logs what a look tells of the connection and of missing topics, once each.
func (c *Consumer) report(f findings) {
	var kafkaError kafka.Error
	switch {
	case f.err == nil && len(c.trouble) > 0:
		clear(c.trouble)
		c.log.Info().Msg("Kafka answers again")
	case errors.As(f.err, &kafkaError) && !isUnreachable(kafkaError):
		c.worry(f.err.Error())
	case f.err != nil:
		c.worry(c.unreachable())
	}
	if f.err != nil {
		return
	}
	missing := map[string]bool{}
	for _, name := range c.cfg.FullTopics() {
		if _, ok := f.topics[name]; !ok {
			missing[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if !c.missing[name] {
			c.log.Warn().Str("topic", name).Msg("the topic does not exist; it is picked up when it appears")
		}
	}
	c.missing = missing
}

// isUnreachable tells that no broker answers from that one answers badly.
func isUnreachable(e kafka.Error) bool {
	switch e.Code() {
	case kafka.ErrAllBrokersDown, kafka.ErrTransport, kafka.ErrResolve, kafka.ErrTimedOut, kafka.ErrTimedOutQueue:
		return true
	default:
		return false
	}
}

func remedy(code kafka.ErrorCode) string {
	switch code {
	case kafka.ErrFencedInstanceID:
		return "another worker has the same group.instance.id in KAFKA_OPTIONS; give each its own"
	case kafka.ErrUnsupportedVersion, kafka.ErrUnsupportedFeature:
		return "the brokers are too old for what KAFKA_OPTIONS asks; group.protocol=consumer needs 4.0 or later"
	case kafka.ErrInconsistentGroupProtocol:
		return "the group has members of another kind; stop them or choose another KAFKA_GROUP_ID"
	default:
		return "see the lines before, then start the worker again"
	}
}

func stringers(ids []record.Partition) []fmt.Stringer {
	all := make([]fmt.Stringer, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}
