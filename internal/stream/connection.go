package stream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

// connection remembers why a client last failed to connect. The errors of its
// requests say no more than that their time is over ("Failed while waiting for
// controller", seen with librdkafka 2.15); the reason is in its log alone.
type connection struct {
	trouble atomic.Pointer[string]
}

func (c *connection) hear(line kafka.LogEvent) {
	if line.Tag == "FAIL" {
		words := connectionNoise.ReplaceAllString(line.Message, "")
		c.trouble.Store(&words)
	}
}

// connectionNoise is the thread's name before librdkafka's words and its counting
// after them.
var connectionNoise = regexp.MustCompile(`^\[thrd:[^\]]*\]: | \(after \d+ms in state \w+(, \d+ identical error\(s\) suppressed)?\)$`)

// explain adds to the error of a request that got no answer why there was none.
func (c *connection) explain(err error) error {
	trouble := c.trouble.Load()
	if err == nil || trouble == nil || !isUnanswered(err) {
		return err
	}
	switch { // the address in front has sasl and ssl in lower case
	case strings.Contains(*trouble, "SASL "):
		return fmt.Errorf("%w: login refused: %s; check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_SASL_MECHANISM and KAFKA_SECURITY_PROTOCOL", err, *trouble)
	case strings.Contains(*trouble, "SSL "):
		return fmt.Errorf("%w: no secure connection: %s; check KAFKA_SECURITY_PROTOCOL and the KAFKA_ certificate files", err, *trouble)
	default:
		return fmt.Errorf("%w: no connection: %s; check KAFKA_BROKERS and KAFKA_SECURITY_PROTOCOL", err, *trouble)
	}
}

// Passes tells whether a request that failed may succeed by waiting: no broker, or not
// the right one, has answered.
func Passes(err error) bool { return isUnanswered(err) }

// errNoLeader is the trouble of a partition whose offsets nobody tells, as while its
// leader changes.
var errNoLeader = errors.New("its leader does not answer")

func noLeader(p record.Partition) error {
	return fmt.Errorf("look up the offsets of %s: %w", p, errNoLeader)
}

func isUnanswered(err error) bool {
	var e kafka.Error
	if errors.As(err, &e) {
		return isUnreachable(e) || e.Code() == kafka.ErrMsgTimedOut
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errNoLeader)
}
