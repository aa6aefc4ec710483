package stream

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/config"
)

// oauthBearer is the SASL mechanism that logs in with a token.
const oauthBearer = "OAUTHBEARER"

// Config says where Kafka is and what is read from it.
type Config struct {
	Brokers          []string          `env:"KAFKA_BROKERS, default=localhost:9092" doc:"Kafka bootstrap servers as host:port, comma-separated; any reachable one leads to the others."`
	GroupID          string            `env:"KAFKA_GROUP_ID, default=search-indexer" doc:"Consumer group of the workers; another name starts again from the earliest events."`
	Topics           []string          `env:"KAFKA_TOPICS, default=post.created,post.updated,post.deleted,artist.created,artist.updated,artist.deleted" doc:"Topics to read, without the prefix; one that does not exist is picked up when it appears."`
	TopicPrefix      string            `env:"KAFKA_TOPIC_PREFIX" doc:"Text in front of every topic name, such as staging-."`
	SecurityProtocol string            `env:"KAFKA_SECURITY_PROTOCOL, default=PLAINTEXT" doc:"How to talk to the brokers: PLAINTEXT, SSL, SASL_PLAINTEXT (sends the password in clear) or SASL_SSL."`
	SASLMechanism    string            `env:"KAFKA_SASL_MECHANISM" doc:"With SASL_PLAINTEXT or SASL_SSL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."`
	SASLUsername     string            `env:"KAFKA_SASL_USERNAME" doc:"User name for PLAIN and SCRAM; client id for OAUTHBEARER."`
	SASLPassword     config.Secret     `env:"KAFKA_SASL_PASSWORD" doc:"Password for PLAIN and SCRAM; its file is read again whenever the password is refused. Client secret for OAUTHBEARER (OIDC), whose sasl.oauthbearer.token.endpoint.url goes into KAFKA_OPTIONS."`
	CAFile           string            `env:"KAFKA_CA_FILE" doc:"PEM file with the certificate authorities to trust for SSL; empty trusts the system's. This and the next two are read again when one side refuses the other."`
	CertFile         string            `env:"KAFKA_CERT_FILE" doc:"PEM file with this client's certificate, where the brokers ask for one; needs KAFKA_KEY_FILE."`
	KeyFile          string            `env:"KAFKA_KEY_FILE" doc:"PEM file with the private key of KAFKA_CERT_FILE."`
	DLQTopic         string            `env:"KAFKA_DLQ_TOPIC, default=search-indexer.dlq" doc:"Topic for dead letters; the prefix is not put in front."`
	Options          map[string]string `env:"KAFKA_OPTIONS, separator==" doc:"Further librdkafka properties as name=value,name=value, such as group.protocol=consumer,group.remote.assignor=range (brokers 4.0 and later; workers then share each topic evenly); those that would break a guarantee are refused."`
}

// FullTopics returns the topics to read with the prefix in front.
func (c Config) FullTopics() []string {
	full := make([]string, len(c.Topics))
	for i, name := range c.Topics {
		full[i] = c.TopicPrefix + name
	}
	return full
}

// Validate names every wrong setting at once. It reads the certificate files but
// talks to no broker.
func (c Config) Validate() error {
	client := errors.Join(c.validateSecurity(), c.validateOptions())
	if client == nil {
		client = c.tryOut()
	}
	return errors.Join(c.validateNames(), client)
}

func (c Config) validateNames() error {
	var wrong []error
	if err := c.validateBrokers(); err != nil {
		wrong = append(wrong, err)
	}
	if isBlank(c.GroupID) {
		wrong = append(wrong, errors.New("KAFKA_GROUP_ID: name the consumer group"))
	}
	if len(c.Topics) == 0 || slices.ContainsFunc(c.Topics, isBlank) {
		wrong = append(wrong, errors.New("KAFKA_TOPICS: name at least one topic, and leave no name in the list empty"))
	}
	topics := c.FullTopics()
	for i, topic := range topics {
		if err := checkTopicName(topic); err != nil {
			wrong = append(wrong, fmt.Errorf("KAFKA_TOPICS: with KAFKA_TOPIC_PREFIX in front: %w", err))
		}
		if slices.Contains(topics[:i], topic) {
			wrong = append(wrong, fmt.Errorf("KAFKA_TOPICS: name %q only once", topic))
		}
	}
	if err := checkTopicName(c.DLQTopic); err != nil {
		wrong = append(wrong, fmt.Errorf("KAFKA_DLQ_TOPIC: %w", err))
	}
	if slices.Contains(topics, c.DLQTopic) {
		wrong = append(wrong, fmt.Errorf("KAFKA_DLQ_TOPIC: %q is also read by KAFKA_TOPICS, so a dead letter would be read again as an event for ever; choose another name", c.DLQTopic))
	}
	return errors.Join(wrong...)
}

func (c Config) validateSecurity() error {
	var wrong []error
	protocols := []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}
	if !slices.Contains(protocols, c.protocol()) {
		wrong = append(wrong, fmt.Errorf("KAFKA_SECURITY_PROTOCOL: use one of %s", strings.Join(protocols, ", ")))
	}
	if c.usesSASL() {
		mechanisms := []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", oauthBearer}
		if !slices.Contains(mechanisms, c.SASLMechanism) {
			wrong = append(wrong, fmt.Errorf("KAFKA_SASL_MECHANISM: %s needs one of %s", c.protocol(), strings.Join(mechanisms, ", ")))
		}
		if c.SASLUsername == "" {
			wrong = append(wrong, errors.New("KAFKA_SASL_USERNAME: set it, as KAFKA_SECURITY_PROTOCOL asks for a login"))
		}
		if !c.SASLPassword.IsSet() {
			wrong = append(wrong, errors.New("KAFKA_SASL_PASSWORD: set it (or KAFKA_SASL_PASSWORD_FILE), as KAFKA_SECURITY_PROTOCOL asks for a login"))
		}
		const endpoint = "sasl.oauthbearer.token.endpoint.url"
		if c.SASLMechanism == oauthBearer && c.Options[endpoint] == "" {
			wrong = append(wrong, fmt.Errorf("KAFKA_OPTIONS: name the address that gives out tokens: %s=https://…", endpoint))
		}
	} else if c.SASLMechanism != "" || c.SASLUsername != "" || c.SASLPassword.IsSet() {
		wrong = append(wrong, errors.New("KAFKA_SECURITY_PROTOCOL: a SASL login is set but would not be used; choose SASL_SSL or SASL_PLAINTEXT"))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		wrong = append(wrong, errors.New("KAFKA_CERT_FILE: set it together with KAFKA_KEY_FILE"))
	}
	if !strings.HasSuffix(c.protocol(), "SSL") && (c.CAFile != "" || c.CertFile != "") {
		wrong = append(wrong, errors.New("KAFKA_SECURITY_PROTOCOL: certificate files are set but would not be used; choose SSL or SASL_SSL"))
	}
	return errors.Join(append(wrong, c.validateFiles())...)
}

// validateOptions refuses the properties that the guarantees rest on, then lets
// librdkafka judge each other one by itself, so that all wrong ones are named.
func (c Config) validateOptions() error {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(c.Options)) {
		if reason := refusal(name, c.Options[name]); reason != "" {
			wrong = append(wrong, fmt.Errorf("KAFKA_OPTIONS: leave out %s: %s", name, reason))
			continue
		}
		if err := tryProperties(kafka.ConfigMap{name: c.Options[name]}); err != nil && isWrongProperty(err) {
			wrong = append(wrong, fmt.Errorf("KAFKA_OPTIONS: %s: %w", name, hushed(name, err)))
		}
	}
	return errors.Join(wrong...)
}

// hushed hides librdkafka's words, which quote the value, where that may be secret.
func hushed(name string, err error) error {
	for _, part := range []string{"password", "secret", ".pem", "oauthbearer.config", "private.key", "proxy"} {
		if strings.Contains(name, part) {
			return errors.New("librdkafka refuses the value")
		}
	}
	return err
}

// isWrongProperty tells an unknown name or unreadable value from a property that
// only makes sense together with others.
func isWrongProperty(err error) bool {
	var kafkaError kafka.Error
	return errors.As(err, &kafkaError) && kafkaError.Code() == kafka.ErrInvalidArg &&
		strings.Contains(kafkaError.String(), "configuration property")
}

// refusal says why a property may not be set by KAFKA_OPTIONS, or "".
func refusal(name, value string) string {
	switch name {
	case "enable.auto.commit", "enable.auto.offset.store", "auto.commit.enable", "auto.offset.reset":
		return "offsets are committed only when every record before them has ended, and a lost range must not be jumped over"
	case "isolation.level":
		return "events of aborted transactions must not be indexed"
	case "enable.idempotence", "acks", "request.required.acks":
		return "dead letters count only when all replicas have them, once and in order"
	case "enable.partition.eof", "allow.auto.create.topics":
		return "the worker depends on its own value"
	case "partition.assignment.strategy":
		if value != "cooperative-sticky" {
			return "only cooperative-sticky takes away no more partitions than needed"
		}
	case "group.id":
		return "use KAFKA_GROUP_ID"
	case "bootstrap.servers", "metadata.broker.list":
		return "use KAFKA_BROKERS"
	case "security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password":
		return "use KAFKA_" + strings.ToUpper(strings.NewReplacer(".", "_", "mechanisms", "mechanism").Replace(name))
	case "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret":
		return "use KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
	case "sasl.oauthbearer.method":
		return "with KAFKA_SASL_MECHANISM=OAUTHBEARER it is oidc"
	case "ssl.ca.location", "ssl.certificate.location", "ssl.key.location":
		return "use KAFKA_CA_FILE, KAFKA_CERT_FILE and KAFKA_KEY_FILE"
	}
	if strings.HasPrefix(name, "go.") {
		return "it is no librdkafka property"
	}
	return ""
}

// checkTopicName holds Kafka's rule for topic names.
func checkTopicName(name string) error {
	const longest = 249
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	if name == "" || name == "." || name == ".." || len(name) > longest || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%q is no topic name: use 1 to %d letters, digits, dots, underscores and dashes", name, longest)
	}
	return nil
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

func (c Config) protocol() string { return strings.ToUpper(c.SecurityProtocol) }

func (c Config) usesSASL() bool { return strings.HasPrefix(c.protocol(), "SASL_") }
