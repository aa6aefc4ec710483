package security

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/redis/go-redis/v9"

	"github.com/search-indexer/search-indexer/test/stack"
)

const (
	patience = 2 * time.Minute

	soon = 24 * time.Hour
	past = -time.Hour
)

// services are a Kafka, an OpenSearch and a Redis that trust one authority alone.
// The clients are their administrators'.
type services struct {
	t     *testing.T
	trust *authority
	dir   string // of clients' certificates
	ca    string // file of the authority

	indexer string // the program

	stack  *stack.Instance
	broker *kafka.AdminClient
	search *http.Client
	redis  *redis.Client
}

// startServices starts all three; about half a minute.
func startServices(t *testing.T) *services {
	t.Helper()
	s := &services{t: t, trust: newAuthority(t, "test authority"), dir: t.TempDir()}
	s.ca = write(t, s.dir, "ca.pem", s.trust.pem)
	folder := t.TempDir()
	s.configureKafka(folder)
	s.configureOpenSearch(folder)
	s.configureRedis(folder)
	s.stack = stack.Configured(t, folder, stack.KafkaService, stack.OpenSearchService, stack.RedisService)
	s.indexer = filepath.Join(t.TempDir(), "indexer")
	if out, err := exec.Command("go", "build", "-o", s.indexer, "../../cmd/indexer").CombinedOutput(); err != nil {
		t.Fatalf("build cmd/indexer: %v\n%s", err, out)
	}
	var err error
	if s.broker, err = kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": s.stack.Kafka}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.broker.Close)
	s.connectSearch()
	options, err := redis.ParseURL(s.stack.Redis)
	if err != nil {
		t.Fatal(err)
	}
	options.TLSConfig = s.tls("admin")
	s.redis = redis.NewClient(options)
	t.Cleanup(func() { _ = s.redis.Close() })
	return s
}

func (s *services) configureKafka(folder string) {
	certificate, key := s.trust.issue("broker", soon)
	write(s.t, folder, "kafka/broker.pem", append(key, certificate...))
	certificate, key = s.trust.issue("broker", past)
	write(s.t, folder, "kafka/expired.pem", append(key, certificate...))
	write(s.t, folder, "kafka/ca.pem", s.trust.pem)
	write(s.t, folder, "kafka/append", []byte(`
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@PORT+1@,SCRAM://127.0.0.1:@PORT+2@,MTLS://127.0.0.1:@PORT+3@,EXPIRED://127.0.0.1:@PORT+4@,TOKEN://127.0.0.1:@PORT+5@
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SCRAM://127.0.0.1:@PORT+2@,MTLS://127.0.0.1:@PORT+3@,EXPIRED://127.0.0.1:@PORT+4@,TOKEN://127.0.0.1:@PORT+5@
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MTLS:SSL,EXPIRED:SSL,TOKEN:SASL_SSL
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=@CONFIG@/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=@CONFIG@/ca.pem
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location=@CONFIG@/expired.pem
listener.name.mtls.ssl.client.auth=required
listener.name.mtls.ssl.principal.mapping.rules=RULE:^CN=(.*?)$/$1/
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# The administrator of this test, and the broker itself; both over loopback.
super.users=User:ANONYMOUS
`))
}

// renewBroker gives the listener whose certificate has expired that of the others.
func (s *services) renewBroker() {
	s.t.Helper()
	const setting = "ssl.keystore.location"
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	broker := kafka.ConfigResource{Type: kafka.ResourceBroker, Name: "1"}
	found, err := s.broker.DescribeConfigs(ctx, []kafka.ConfigResource{broker})
	if err != nil {
		s.t.Fatal(err)
	}
	broker.Config = []kafka.ConfigEntry{{
		Name: "listener.name.expired." + setting, Value: found[0].Config[setting].Value, IncrementalOperation: kafka.AlterConfigOpTypeSet,
	}}
	done, err := s.broker.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{broker})
	if err != nil || done[0].Error.Code() != kafka.ErrNoError {
		s.t.Fatalf("renew the broker's certificate: %v %v", err, done)
	}
}

func (s *services) configureOpenSearch(folder string) {
	s.trust.files(folder, "opensearch/node", "node", soon)
	s.trust.files(s.dir, "admin", "admin", soon)
	write(s.t, folder, "opensearch/ca.pem", s.trust.pem)
	var b strings.Builder
	for _, layer := range []string{"transport", "http"} {
		fmt.Fprintf(&b, "plugins.security.ssl.%[1]s.pemcert_filepath: node.pem\nplugins.security.ssl.%[1]s.pemkey_filepath: node.key\nplugins.security.ssl.%[1]s.pemtrustedcas_filepath: ca.pem\n", layer)
	}
	b.WriteString(`plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.clientauth_mode: OPTIONAL
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.authcz.admin_dn: ["CN=admin"]
plugins.security.nodes_dn: ["CN=node"]
plugins.security.allow_default_init_securityindex: true
plugins.security.audit.type: noop
# The default, 12, takes a third of a second for each of the tests' users.
plugins.security.password.hashing.bcrypt.rounds: 4
`)
	write(s.t, folder, "opensearch/append", []byte(b.String()))
	for file, kind := range map[string]string{
		"internal_users": "internalusers", "roles": "roles", "roles_mapping": "rolesmapping",
		"action_groups": "actiongroups", "tenants": "tenants",
	} {
		write(s.t, folder, "opensearch/opensearch-security/"+file+".yml", fmt.Appendf(nil, "_meta: {type: %s, config_version: 2}\n", kind))
	}
	write(s.t, folder, "opensearch/opensearch-security/config.yml", []byte(`_meta: {type: config, config_version: 2}
config:
  dynamic:
    authc:
      password:
        http_enabled: true
        order: 0
        http_authenticator: {type: basic, challenge: false}
        authentication_backend: {type: intern}
      certificate:
        http_enabled: true
        order: 1
        http_authenticator: {type: clientcert, challenge: false, config: {username_attribute: cn}}
        authentication_backend: {type: noop}
`))
}

func (s *services) configureRedis(folder string) {
	s.trust.files(folder, "redis/server", "redis", soon)
	write(s.t, folder, "redis/ca.pem", s.trust.pem)
	write(s.t, folder, "redis/append", []byte(`port 0
tls-port @PORT@
tls-cert-file @CONFIG@/server.pem
tls-key-file @CONFIG@/server.key
tls-ca-cert-file @CONFIG@/ca.pem
`))
}

// tls returns the TLS of a client that has the named certificate.
func (s *services) tls(name string) *tls.Config {
	s.t.Helper()
	pair, err := tls.LoadX509KeyPair(s.dir+"/"+name+".pem", s.dir+"/"+name+".key")
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.trust.pem)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}
}

// connectSearch waits until the security plugin has made its index.
func (s *services) connectSearch() {
	s.t.Helper()
	s.search = &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls("admin")}, Timeout: 20 * time.Second}
	await(s.t, "the security plugin", func() bool {
		status, body := s.ask(http.MethodGet, "/_plugins/_security/health", "")
		return status == http.StatusOK && strings.Contains(body, `"UP"`)
	})
	await(s.t, "the security plugin's users", func() bool {
		status, _ := s.ask(http.MethodGet, "/_plugins/_security/api/internalusers", "")
		return status == http.StatusOK
	})
}

// ask sends OpenSearch a request of its administrator.
func (s *services) ask(method, path, body string) (status int, answer string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, s.stack.OpenSearch+path, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.search.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// change is ask for what must work. The plugin writes its index one change at a time
// and refuses another meanwhile, so it is asked again.
func (s *services) change(method, path, body string) {
	s.t.Helper()
	var status int
	var answer string
	await(s.t, method+" "+path, func() bool {
		status, answer = s.ask(method, path, body)
		return status != 0 && status != http.StatusConflict && status < http.StatusInternalServerError
	})
	if status >= http.StatusMultipleChoices {
		s.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
}

// brokers is the address of one of Kafka's listeners.
func (s *services) brokers(listener string) string {
	s.t.Helper()
	host, port, _ := strings.Cut(s.stack.Kafka, ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		s.t.Fatal(err)
	}
	offset := map[string]int{"scram": 2, "mtls": 3, "expired": 4, "token": 5}[listener]
	return fmt.Sprintf("%s:%d", host, number+offset)
}

// redisURL is the address of Redis for a user.
func (s *services) redisURL(user, password string) string {
	address, err := url.Parse(s.stack.Redis)
	if err != nil {
		s.t.Fatal(err)
	}
	address.User = url.UserPassword(user, password)
	return address.String()
}

// await waits for a condition that must come. A busy machine may take long: it has
// some forty programs to start side by side.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after %s", what, patience)
		}
	}
}
