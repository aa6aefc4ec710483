package stream

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

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

// closeAside closes a client that nobody uses any more, without waiting for it: what
// forwards its log notices only every 100 ms that it is to end (confluent-kafka-go
// 2.15), which is longer than most questions take. Nothing is stored in the client
// that could fail to be committed.
func closeAside(client *kafka.Consumer, closing *sync.WaitGroup) {
	closing.Go(func() { _ = client.Close() })
}

// complain handles an error that the client met on its own; it retries by itself
// all that are not fatal.
func (c *Consumer) complain(e kafka.Error) {
	switch code := e.Code(); {
	case e.IsFatal():
		c.insist("read from Kafka", fmt.Errorf("%w: %s", e, remedy(code)))
	case code == kafka.ErrAutoOffsetReset || code == kafka.ErrLogTruncation:
		c.doubt()
	case refusesLogin(code):
		c.worry(troubleLogin, "Kafka refuses the login: "+essence(e)+"; check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD (a changed KAFKA_SASL_PASSWORD_FILE is read by itself) and KAFKA_SASL_MECHANISM; trying on")
		if err := c.login.renew(); err != nil {
			c.log.Warn().Err(err).Msg("use the new password of KAFKA_SASL_PASSWORD_FILE")
		}
	case distrusts(e):
		c.worry(troubleTLS, "Kafka cannot be talked to safely: "+essence(e)+"; check KAFKA_CA_FILE and KAFKA_CERT_FILE (changed ones are read by themselves), the names in KAFKA_BROKERS, and how long the certificates are valid; trying on")
	case code == kafka.ErrAllBrokersDown:
		c.worry(troubleAway, c.unreachable())
	case isUnreachable(e): // one broker of several
		c.log.Debug().Err(e).Msg("a Kafka broker does not answer")
	case code == kafka.ErrUnknownTopicOrPart || code == kafka.ErrUnknownTopic:
		// report names missing topics
	default:
		c.worry(code.String(), explainRefusal(e, e))
	}
}

// The kinds of trouble with a connection; others are named by their error code.
const (
	troubleLogin  = "login"
	troubleTLS    = "tls"
	troubleAway   = "away"
	troubleLeader = "leader"
)

// worry logs each kind of trouble with the connection once, however often it is
// met, until all is well. That nobody answers is no news where it is known why.
func (c *Consumer) worry(kind, words string) {
	c.mu.Lock()
	_, known := c.trouble[kind]
	_, login := c.trouble[troubleLogin]
	_, trust := c.trouble[troubleTLS]
	known = known || kind == troubleAway && (login || trust)
	if !known {
		c.trouble[kind] = words
		if kind == troubleLogin || kind == troubleTLS {
			delete(c.trouble, troubleAway)
		}
	}
	c.mu.Unlock()
	if !known {
		c.log.Warn().Msg(words)
	}
}

// refused tells that the brokers refuse this client, or it them.
func (c *Consumer) refused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble[troubleLogin] != "" || c.trouble[troubleTLS] != ""
}

func (c *Consumer) unreachable() string {
	return fmt.Sprintf("cannot reach Kafka at %s; trying on", strings.Join(c.cfg.Brokers, ","))
}

// distrusts tells that one side does not trust the other's certificate. A broker's
// refusal comes as a connection that ended, with the alert in its words (2.15 with
// TLS 1.3). Of a broker's certificate that has expired the client says only that it
// could not be verified.
func distrusts(e kafka.Error) bool {
	return e.Code() == kafka.ErrSsl || e.Code() == kafka.ErrTransport && strings.Contains(e.Error(), "SSL alert")
}

// essence is an error without what differs from one attempt to the next, which
// librdkafka (2.15) puts in front and behind: the connection's name and its times.
func essence(e kafka.Error) string {
	text, _, _ := strings.Cut(e.Error(), " (after ")
	if name, rest, found := strings.Cut(text, ": "); found && strings.Contains(name, "://") {
		return rest
	}
	return text
}

// explainRefusal says what to do about an operation that the brokers' ACLs forbid.
// err is e with what was being done.
func explainRefusal(e kafka.Error, err error) string {
	switch e.Code() {
	case kafka.ErrTopicAuthorizationFailed, kafka.ErrGroupAuthorizationFailed, kafka.ErrClusterAuthorizationFailed:
		return err.Error() + "; give this user the ACLs that docs/security.md lists; trying on"
	default:
		return err.Error()
	}
}

// report logs what a look tells of the connection and of missing topics, once each.
func (c *Consumer) report(f findings) {
	var kafkaError kafka.Error
	switch {
	case f.err == nil:
		c.relax()
	case errors.Is(f.err, errNoLeader): // of one partition; the others go on
		c.worry(troubleLeader, f.err.Error()+"; trying on")
	case errors.As(f.err, &kafkaError) && !isUnreachable(kafkaError):
		c.worry(kafkaError.Code().String(), explainRefusal(kafkaError, f.err))
	default:
		c.worry(troubleAway, c.unreachable())
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

// relax forgets troubles when the brokers have answered.
func (c *Consumer) relax() {
	c.mu.Lock()
	troubled := len(c.trouble) > 0
	clear(c.trouble)
	c.mu.Unlock()
	if troubled {
		c.log.Info().Msg("Kafka answers again")
	}
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
	case kafka.ErrGroupIDNotFound:
		// What librdkafka's cooperative-sticky members keep in the group keeps a broker
		// from taking it over into the newer protocol (4.1.1, librdkafka 2.15).
		return "the group has members without group.protocol=consumer, which must all have left before the first one with it can join; stop them first"
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
