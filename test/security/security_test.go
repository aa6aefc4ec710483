package security

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSecured runs the program against services that ask for everything they can.
// One start of the three serves all cases; each has names and users of its own.
func TestSecured(t *testing.T) {
	s := startServices(t)
	cases := []struct {
		name string
		test func(*testing.T, *tenant)
	}{ // the longest first
		{"no secret is shown", leaks},
		{"rights of commands", commandRights},
		{"Kafka client", kafkaClient},
		{"tokens", tokens},
		{"passwords", passwords},
		{"client certificates", clientCertificates},
		{"Kafka password", kafkaPassword},
		{"Kafka authority", kafkaAuthority},
		{"Kafka expired", kafkaExpired},
		{"Kafka ACLs", kafkaACLs},
		{"OpenSearch password", searchPassword},
		{"OpenSearch authority", searchAuthority},
		{"OpenSearch client", searchClient},
		{"OpenSearch rights", searchRights},
		{"Redis password", redisPassword},
		{"Redis authority", redisAuthority},
		{"Redis rights", redisRights},
	}
	tenants := newTenants(s, len(cases))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, tenants[i].on(t))
		})
	}
}

// passwords: SCRAM over TLS, basic authentication over TLS, a Redis ACL over TLS.
func passwords(t *testing.T, x *tenant) {
	x.setUp()
	x.publish(20)
	w := x.start(nil)
	w.indexed(20)
	await(t, "a ready worker", func() bool { return strings.Contains(w.get("/readyz"), `"ready"`) })
	w.remembers()
	w.stop()
	if n := w.count(`"level":"warn"`) + w.count(`"level":"error"`); n > 0 {
		t.Errorf("%d warnings or errors\n%s", n, w.tail())
	}
	if status, body := x.ask(http.MethodGet, "/"+x.prefix+"posts/_count", ""); status != http.StatusOK || strings.Contains(body, `"count":0`) {
		t.Errorf("documents: %d %s", status, body)
	}
}

// clientCertificates: certificates instead of passwords for Kafka and OpenSearch.
func clientCertificates(t *testing.T, x *tenant) {
	x.setUp()
	user := x.prefix + "certified"
	cert, key := x.trust.files(t.TempDir(), "client", user, soon)
	x.allow(user, documented(t, "run", x.prefix).rules)
	x.give(x.prefix, user)
	x.publish(20)
	w := x.start(map[string]string{
		"KAFKA_BROKERS": x.brokers("mtls"), "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": cert, "KAFKA_KEY_FILE": key,
		"KAFKA_SASL_MECHANISM": "", "KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": "",
		"OPENSEARCH_CERT_FILE": cert, "OPENSEARCH_KEY_FILE": key, "OPENSEARCH_USERNAME": "", "OPENSEARCH_PASSWORD": "",
	})
	w.indexed(20)
	w.stop()
}

// tokens: OAUTHBEARER. The provider knows the client by a new secret only, which is
// put into the file while the worker waits.
func tokens(t *testing.T, x *tenant) {
	x.setUp()
	user := x.prefix + "client"
	x.allow(user, documented(t, "run", x.prefix).rules)
	file := x.file("client", "old\n")
	w := x.start(map[string]string{
		"KAFKA_BROKERS": x.brokers("token"), "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
		"KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": file,
		"KAFKA_OPTIONS": "sasl.oauthbearer.token.endpoint.url=" + provider(t, user, "new"),
	})
	w.says("Kafka refuses the login")
	write(t, filepath.Dir(file), "client", []byte("new\n"))
	x.mended(w, "Kafka refuses the login")
}

// provider gives out tokens to one client, and returns its address. Kafka without
// further settings takes tokens that nobody signed.
func provider(t *testing.T, user, secret string) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gotID, gotSecret, _ := r.BasicAuth(); gotID != user || gotSecret != secret {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		now := time.Now().Unix()
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		token := part(`{"alg":"none","typ":"JWT"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, now, now+600)) + "."
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":600}`, token)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// mended checks that a worker that had trouble works on by itself, and said its
// trouble once.
func (x *tenant) mended(w *worker, said ...string) {
	x.t.Helper()
	x.publish(10)
	w.indexed(10)
	x.publishBroken()
	await(x.t, "a dead letter", func() bool { return w.sum("indexer_dead_letters_total") == 1 })
	if n := w.count(said...); n != 1 {
		x.t.Errorf("%d lines say %q, want 1\n%s", n, said, w.tail())
	}
	await(x.t, "a ready worker", func() bool { return strings.Contains(w.get("/readyz"), `"ready"`) })
	w.stop()
}

// file writes a secret where a setting can name it.
func (x *tenant) file(name, content string) string {
	return write(x.t, x.t.TempDir(), name, []byte(content))
}

func kafkaPassword(t *testing.T, x *tenant) {
	x.setUp()
	file := x.file("kafka", "wrong\n")
	w := x.start(map[string]string{"KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": file})
	w.says("Kafka refuses the login", "KAFKA_SASL_PASSWORD")
	if ready := w.get("/readyz"); !strings.Contains(ready, "KAFKA_SASL_PASSWORD") {
		t.Errorf("/readyz: %s", ready)
	}
	write(t, filepath.Dir(file), "kafka", []byte(x.password))
	x.mended(w, "Kafka refuses the login")
}

func kafkaAuthority(t *testing.T, x *tenant) {
	x.setUp()
	other := write(t, t.TempDir(), "other.pem", newAuthority(t, "other authority").pem)
	w := x.start(map[string]string{"KAFKA_CA_FILE": other})
	w.says("Kafka cannot be talked to safely", "KAFKA_CA_FILE")
	if ready := w.get("/readyz"); !strings.Contains(ready, "KAFKA_CA_FILE") {
		t.Errorf("/readyz: %s", ready)
	}
	write(t, filepath.Dir(other), "other.pem", x.trust.pem)
	x.mended(w, "Kafka cannot be talked to safely")
	quiet(t, w)
}

// quiet checks that trouble did not flood the log.
func quiet(t *testing.T, w *worker) {
	t.Helper()
	if n := w.count(`"level":"warn"`) + w.count(`"level":"error"`); n > 6 {
		t.Errorf("%d warnings and errors\n%s", n, w.tail())
	}
}

// kafkaExpired: the broker's certificate has expired, and is renewed.
func kafkaExpired(t *testing.T, x *tenant) {
	x.setUp()
	user := x.prefix + "certified"
	cert, key := x.trust.files(t.TempDir(), "client", user, soon)
	x.allow(user, documented(t, "run", x.prefix).rules)
	w := x.start(map[string]string{
		"KAFKA_BROKERS": x.brokers("expired"), "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": cert, "KAFKA_KEY_FILE": key,
		"KAFKA_SASL_MECHANISM": "", "KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": "",
	})
	w.says("Kafka cannot be talked to safely", "could not be verified", "how long the certificates are valid")
	x.renewBroker()
	x.mended(w, "Kafka cannot be talked to safely")
	quiet(t, w)
}

// kafkaClient: a client certificate has expired, and is renewed in its file: then the
// worker reads, commits and writes dead letters with it.
func kafkaClient(t *testing.T, x *tenant) {
	x.setUp()
	user, dir := x.prefix+"certified", t.TempDir()
	cert, key := x.trust.files(dir, "client", user, past)
	x.allow(user, documented(t, "run", x.prefix).rules)
	w := x.start(map[string]string{
		"KAFKA_BROKERS": x.brokers("mtls"), "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": cert, "KAFKA_KEY_FILE": key,
		"KAFKA_SASL_MECHANISM": "", "KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": "",
	})
	w.says("Kafka cannot be talked to safely", "KAFKA_CERT_FILE")
	x.trust.files(dir, "client", user, soon)
	x.mended(w, "Kafka cannot be talked to safely")
	quiet(t, w)
}

// kafkaACLs: rights are missing, and are given while the worker waits.
func kafkaACLs(t *testing.T, x *tenant) {
	x.setUp()
	user := x.prefix + "newcomer"
	x.setPassword("pass-newcomer", user)
	w := x.start(map[string]string{"KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD": "pass-newcomer"})
	w.says("docs/security.md")
	time.Sleep(3 * time.Second) // time in which a storm would show
	quiet(t, w)
	x.allow(user, documented(t, "run", x.prefix).rules)
	x.publish(10)
	w.indexed(10)
	w.stop()
}

// remembers waits until Redis is used. It is tried again only where somebody asks:
// an event, or a reader of the metric.
func (w *worker) remembers() {
	w.t.Helper()
	await(w.t, "Redis in use", func() bool { return strings.Contains(w.get("/metrics"), "indexer_redis_up 1") })
}

func searchPassword(t *testing.T, x *tenant) {
	x.setUp()
	file := x.file("search", "wrong\n")
	w := x.start(map[string]string{"OPENSEARCH_PASSWORD": "", "OPENSEARCH_PASSWORD_FILE": file})
	w.says("OpenSearch refuses this login", "OPENSEARCH_PASSWORD")
	x.publish(1)
	w.says("the index takes nothing", "OPENSEARCH_PASSWORD")
	if ready := w.get("/readyz"); !strings.Contains(ready, "OPENSEARCH_PASSWORD") {
		t.Errorf("/readyz: %s", ready)
	}
	if n := w.sum("indexer_bulk_retries_total"); n > 30 {
		t.Errorf("%d retries in a few seconds", n)
	}
	write(t, filepath.Dir(file), "search", []byte(x.password))
	x.publish(9)
	w.indexed(10)
	w.says("the index takes documents again")
	w.stop()
	quiet(t, w)
}

func searchAuthority(t *testing.T, x *tenant) {
	x.setUp()
	other := write(t, t.TempDir(), "other.pem", newAuthority(t, "other authority").pem)
	w := x.start(map[string]string{"OPENSEARCH_CA_FILE": other})
	w.says("cannot be talked to safely", "OPENSEARCH_CA_FILE")
	x.publish(1)
	w.says("the index takes nothing", `"reason":"tls"`, "OPENSEARCH_CA_FILE")
	write(t, filepath.Dir(other), "other.pem", x.trust.pem)
	w.indexed(1)
	w.stop()
	quiet(t, w)
}

// searchClient: a client certificate has expired, and is renewed in its file.
func searchClient(t *testing.T, x *tenant) {
	x.setUp()
	user, dir := x.prefix+"certified", t.TempDir()
	cert, key := x.trust.files(dir, "client", user, past)
	x.give(x.prefix, user)
	w := x.start(map[string]string{
		"OPENSEARCH_CERT_FILE": cert, "OPENSEARCH_KEY_FILE": key, "OPENSEARCH_USERNAME": "", "OPENSEARCH_PASSWORD": "",
	})
	w.says("OPENSEARCH_CERT_FILE")
	x.publish(10)
	x.trust.files(dir, "client", user, soon)
	w.indexed(10)
	w.stop()
	quiet(t, w)
}

// searchRights: the role is taken away and given back while the worker runs.
func searchRights(t *testing.T, x *tenant) {
	x.setUp()
	x.publish(10)
	w := x.start(nil)
	w.indexed(10)
	x.give(x.prefix, "nobody")
	x.publish(10)
	w.says("the index takes nothing", `"reason":"auth"`, "OPENSEARCH_USERNAME")
	await(t, "a word on /readyz", func() bool { return strings.Contains(w.get("/readyz"), "docs/security.md") })
	x.give(x.prefix, x.prefix+"indexer-run")
	w.indexed(20)
	w.stop()
	quiet(t, w)
}

func redisPassword(t *testing.T, x *tenant) {
	x.setUp()
	user := x.prefix + "run"
	file := x.file("redis", x.redisURL(user, "wrong"))
	w := x.start(map[string]string{"REDIS_URL": "", "REDIS_URL_FILE": file})
	w.says("Redis is down", "WRONGPASS", "REDIS_URL")
	x.publish(10)
	w.indexed(10) // without it
	write(t, filepath.Dir(file), "redis", []byte(x.redisURL(user, x.password)))
	w.remembers()
	w.stop()
	quiet(t, w)
}

func redisAuthority(t *testing.T, x *tenant) {
	x.setUp()
	other := write(t, t.TempDir(), "other.pem", newAuthority(t, "other authority").pem)
	w := x.start(map[string]string{"REDIS_CA_FILE": other})
	w.says("Redis is down", "REDIS_CA_FILE")
	x.publish(10)
	w.indexed(10)
	write(t, filepath.Dir(other), "other.pem", x.trust.pem)
	w.remembers()
	w.stop()
	quiet(t, w)
}

// redisRights: the user may do nothing at first.
func redisRights(t *testing.T, x *tenant) {
	x.setUp()
	user, password := x.prefix+"run", x.password
	if err := x.redis.Do(context.Background(), "ACL", "SETUSER", user, "reset", "on", ">"+password).Err(); err != nil {
		t.Fatal(err)
	}
	w := x.start(nil)
	w.says("Redis is down", "NOPERM", "docs/security.md")
	x.redisUser(user, password)
	w.remembers()
	w.stop()
	quiet(t, w)
}
