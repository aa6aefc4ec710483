package stream

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/search-indexer/search-indexer/internal/config"
)

func load(t *testing.T, environment map[string]string) Config {
	t.Helper()
	var cfg Config
	if err := envconfig.ProcessWith(t.Context(), &envconfig.Config{
		Target: &cfg, Lookuper: envconfig.MapLookuper(environment),
	}); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDefaultsAreValid(t *testing.T) {
	cfg := load(t, nil)
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	want := []string{"post.created", "post.updated", "post.deleted", "artist.created", "artist.updated", "artist.deleted"}
	if diff := cmp.Diff(want, cfg.FullTopics()); diff != "" {
		t.Error(diff)
	}
}

func TestGoodSettings(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"brokers":  {"KAFKA_BROKERS": "a:1,127.0.0.1:9092,[::1]:65535"},
		"debug":    {"KAFKA_OPTIONS": "debug=all"},
		"prefix":   {"KAFKA_TOPIC_PREFIX": "staging-"},
		"options":  {"KAFKA_OPTIONS": "session.timeout.ms=10000,linger.ms=20,partition.assignment.strategy=cooperative-sticky"},
		"KIP-848":  {"KAFKA_OPTIONS": "group.protocol=consumer,group.instance.id=worker-0"},
		"SCRAM":    {"KAFKA_SECURITY_PROTOCOL": "sasl_ssl", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p"},
		"only TLS": {"KAFKA_SECURITY_PROTOCOL": "SSL"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := load(t, environment).Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTokensComeFromTheProvider(t *testing.T) {
	cfg := load(t, map[string]string{
		"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_SASL_USERNAME": "client", "KAFKA_SASL_PASSWORD": "hunter2",
		"KAFKA_OPTIONS": "sasl.oauthbearer.token.endpoint.url=https://login.example.com/token,sasl.oauthbearer.scope=kafka",
	})
	if err := cfg.Validate(); err != nil {
		t.Fatal(err) // librdkafka has judged all of it
	}
	got := cfg.consumerProperties()
	for name, want := range map[string]kafka.ConfigValue{
		"sasl.mechanisms": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "client",
		"sasl.oauthbearer.client.secret": "hunter2", "sasl.oauthbearer.token.endpoint.url": "https://login.example.com/token", "sasl.username": nil,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	cfg.Options = nil
	if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), "KAFKA_OPTIONS: name the address that gives out tokens") {
		t.Errorf("without an endpoint: %v", err)
	}
}

func TestRefusedPasswordIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	var cfg Config
	if err := config.Load(t.Context(), config.Environment{
		"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD_FILE": file,
	}, &cfg); err != nil {
		t.Fatal(err)
	}
	var given []string
	l := newLogin(cfg, func(username, password string) error {
		given = append(given, username+":"+password)
		return nil
	})
	for _, text := range []string{"old", "new", "new", "newer"} {
		write(text)
		if err := l.renew(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"u:new", "u:newer"}, given); diff != "" {
		t.Error(diff)
	}
}

func TestEssenceIsTheSameAtEveryAttempt(t *testing.T) {
	for text, want := range map[string]string{
		"sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed (after 3ms in state AUTH_REQ, 2 identical error(s) suppressed)": "SASL authentication error: Authentication failed",
		"Broker: Group authorization failed": "Broker: Group authorization failed",
	} {
		if got := essence(kafka.NewError(kafka.ErrAuthentication, text, false)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestEveryWrongSettingIsNamed(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	certificate := filepath.Join(t.TempDir(), "certificate.pem") // by its look alone
	if err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("junk")}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		environment map[string]string
		want        []string // each a line's beginning
	}{
		"names": {
			map[string]string{"KAFKA_BROKERS": "a:1,,b:1", "KAFKA_GROUP_ID": " ", "KAFKA_TOPICS": "a b,c,c", "KAFKA_DLQ_TOPIC": "c"},
			[]string{"KAFKA_BROKERS: leave no name", "KAFKA_GROUP_ID: ", `KAFKA_TOPICS: with KAFKA_TOPIC_PREFIX in front: "a b"`, `KAFKA_TOPICS: name "c" only once`, `KAFKA_DLQ_TOPIC: "c"`},
		},
		"brokers": {
			map[string]string{"KAFKA_BROKERS": "kafka,a:0,b:65536,c:x,:9092,[::1],::1:9092,ssl://d:9093,u:hunter2@e:1,f g:1,good:1"},
			[]string{
				`KAFKA_BROKERS: "kafka" is`, `KAFKA_BROKERS: "a:0" is`, `KAFKA_BROKERS: "b:65536" is`, `KAFKA_BROKERS: "c:x" is`, `KAFKA_BROKERS: ":9092" is`,
				`KAFKA_BROKERS: "[::1]" is`, `KAFKA_BROKERS: "::1:9092" is`, "KAFKA_BROKERS: name brokers as host:port, without", "KAFKA_BROKERS: name brokers as host:port, without", `KAFKA_BROKERS: "f g:1" is`,
			},
		},
		"login missing": {
			map[string]string{"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_CERT_FILE": "x"},
			[]string{"KAFKA_SASL_MECHANISM: ", "KAFKA_SASL_USERNAME: ", "KAFKA_SASL_PASSWORD: ", "KAFKA_CERT_FILE: set it together", "KAFKA_CERT_FILE: cannot be read: open x: "},
		},
		"files": {
			map[string]string{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": missing, "KAFKA_CERT_FILE": junk, "KAFKA_KEY_FILE": certificate},
			[]string{
				"KAFKA_CA_FILE: cannot be read: open " + missing, "KAFKA_CERT_FILE: " + junk + " holds no PEM block of a certificate",
				"KAFKA_KEY_FILE: " + certificate + " holds no PEM block of a private key",
			},
		},
		"login and files unused": {
			map[string]string{"KAFKA_SASL_USERNAME": "u", "KAFKA_CA_FILE": certificate},
			[]string{"KAFKA_SECURITY_PROTOCOL: a SASL login", "KAFKA_SECURITY_PROTOCOL: certificate files"},
		},
		"protocol":         {map[string]string{"KAFKA_SECURITY_PROTOCOL": "TLS"}, []string{"KAFKA_SECURITY_PROTOCOL: use one of"}},
		"file":             {map[string]string{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": certificate}, []string{"KAFKA_OPTIONS or the KAFKA_ certificate files: "}},
		"excluding option": {map[string]string{"KAFKA_OPTIONS": "group.protocol=consumer,session.timeout.ms=6000"}, []string{"KAFKA_OPTIONS or the KAFKA_ certificate files: "}},
		"options": {
			map[string]string{"KAFKA_OPTIONS": "no.such=1,linger.ms=soon,enable.auto.commit=true,enable.auto.offset.store=true,auto.offset.reset=latest,isolation.level=read_uncommitted," +
				"group.id=x,bootstrap.servers=x,acks=1,enable.idempotence=false,partition.assignment.strategy=range,sasl.password=hunter2,go.batch.producer=true,ssl.key.pem=hunter2"},
			[]string{
				"KAFKA_OPTIONS: leave out acks: ", "KAFKA_OPTIONS: leave out auto.offset.reset: ", "KAFKA_OPTIONS: leave out bootstrap.servers: use KAFKA_BROKERS",
				"KAFKA_OPTIONS: leave out enable.auto.commit: ", "KAFKA_OPTIONS: leave out enable.auto.offset.store: ", "KAFKA_OPTIONS: leave out enable.idempotence: ",
				"KAFKA_OPTIONS: leave out go.batch.producer: ", "KAFKA_OPTIONS: leave out group.id: ", "KAFKA_OPTIONS: leave out isolation.level: ",
				"KAFKA_OPTIONS: linger.ms: ", "KAFKA_OPTIONS: no.such: ", "KAFKA_OPTIONS: leave out partition.assignment.strategy: ",
				"KAFKA_OPTIONS: leave out sasl.password: use KAFKA_SASL_PASSWORD",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := load(t, test.environment).Validate()
			if err == nil {
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(test.want) {
				t.Fatalf("%d lines, want %d:\n%v", len(lines), len(test.want), err)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %q, want %q", lines[i], want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("shows a secret")
			}
		})
	}
}
