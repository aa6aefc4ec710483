package stream

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"
)

func TestAnErrorSaysWhyThereIsNoConnection(t *testing.T) {
	timedOut := kafka.NewError(kafka.ErrTimedOut, "Failed while waiting for controller: Local: Timed out", false)
	for name, test := range map[string]struct {
		line string // as librdkafka 2.15 writes it
		err  error
		want string
	}{
		"login": {
			"[thrd:sasl_plaintext://k:9092/bootstrap]: sasl_plaintext://k:9092/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism PLAIN (after 312ms in state AUTH_REQ, 4 identical error(s) suppressed)",
			timedOut,
			"login refused: sasl_plaintext://k:9092/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism PLAIN; check KAFKA_SASL_USERNAME",
		},
		"certificate": {
			"[thrd:ssl://k:9092/bootstrap]: ssl://k:9092/bootstrap: SSL handshake failed: certificate verify failed (after 9ms in state SSL_HANDSHAKE)",
			timedOut, "no secure connection: ssl://k:9092/bootstrap: SSL handshake failed: certificate verify failed; check KAFKA_SECURITY_PROTOCOL",
		},
		"only its address": {
			"[thrd:sasl_ssl://k:9092/bootstrap]: sasl_ssl://k:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
			timedOut, "no connection: sasl_ssl://k:9092/bootstrap: Connect to",
		},
		"another error": {"Connect failed", kafka.NewError(kafka.ErrTopicAuthorizationFailed, "no", false), "no"},
		"nothing heard": {"", timedOut, timedOut.Error()},
		"its own time":  {"Connect failed", context.DeadlineExceeded, "no connection: Connect failed; check KAFKA_BROKERS"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &connection{}
			c.hear(kafka.LogEvent{Tag: "BRKMAIN", Message: "enters its main loop"})
			if test.line != "" {
				c.hear(kafka.LogEvent{Tag: "FAIL", Message: test.line})
			}
			if got := c.explain(test.err); !strings.Contains(got.Error(), test.want) || !errors.Is(got, test.err) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestAnAdminSaysWhyNoBrokerAnswers(t *testing.T) {
	t.Parallel()
	cfg := Config{Brokers: []string{"127.0.0.1:1"}, SecurityProtocol: "PLAINTEXT"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, err := testAdmin(t, cfg).CreateTopics(ctx, []TopicSpec{{Name: "a", Partitions: 1, ReplicationFactor: 1}})
	if err == nil || !strings.Contains(err.Error(), "no connection: ") || !strings.Contains(err.Error(), "Connection refused") {
		t.Errorf("error %v", err)
	}
}

// The C library writes to a process's standard error by itself, so it takes another
// process to see that it does not.
func TestTheClientsOwnLinesComeThroughTheLogAlone(t *testing.T) {
	const inner = "SEARCH_INDEXER_TEST_INNER"
	if os.Getenv(inner) != "" {
		useEveryClient(t)
		return
	}
	t.Parallel()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), inner+"=1")
	var output, raw bytes.Buffer
	again.Stdout, again.Stderr = &output, &raw
	if err := again.Run(); err != nil {
		t.Errorf("%v\n%s", err, &output)
	}
	if raw.Len() > 0 {
		t.Errorf("raw lines:\n%s", &raw)
	}
}

func useEveryClient(t *testing.T) {
	t.Helper()
	cfg := Config{
		Brokers: []string{"127.0.0.1:1"}, GroupID: "g", Topics: []string{"a"}, DLQTopic: "d", SecurityProtocol: "PLAINTEXT",
		Options: map[string]string{"debug": "all"},
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	var logs [3]logBuffer
	consumer, err := NewConsumer(cfg, zerolog.New(&logs[0]))
	if err != nil {
		t.Fatal(err)
	}
	producer, err := NewProducer(cfg, zerolog.New(&logs[1]))
	if err != nil {
		t.Fatal(err)
	}
	admin, err := NewAdmin(cfg, zerolog.New(&logs[2]))
	if err != nil {
		t.Fatal(err)
	}
	for i := range logs {
		eventually(t, "lines of each", func() bool { return logs[i].count("Connection refused") > 0 })
	}
	admin.Close()
	if err := errors.Join(producer.Close(), consumer.Close()); err != nil {
		t.Error(err)
	}
}
