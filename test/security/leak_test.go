package security

import (
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
)

// What nobody may see, beside the tenant's own password.
const (
	wrongSecret  = "hunter2wrongsecret"
	adminToken   = "hunter2admintoken"
	awsSecret    = "hunter2awssecret"
	awsSession   = "hunter2awssession"
	clientSecret = "hunter2clientsecret"
	contents     = "hunter2contents" // of events
)

// watcher looks for secrets in all that can be seen.
type watcher struct{ secrets []string }

func newWatcher(t *testing.T, x *tenant, keyFiles ...string) watcher {
	t.Helper()
	w := watcher{secrets: []string{x.password, "hunter2"}}
	for _, file := range keyFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "-----") {
				w.secrets = append(w.secrets, line)
			}
		}
	}
	return w
}

func (w watcher) look(t *testing.T, what, text string) {
	t.Helper()
	if text == "" {
		t.Errorf("%s is empty", what)
	}
	for _, secret := range w.secrets {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s shows a secret: …%s", what, text[max(0, at-200):min(len(text), at+len(secret)+20)])
		}
	}
}

// leaks runs all that prints with known secrets in every setting that may hold
// one, right and wrong ones, and looks for them in all that can be seen.
func leaks(t *testing.T, x *tenant) {
	x.setUp()
	cert, key := x.trust.files(t.TempDir(), "client", x.prefix+"certified", soon)
	seen := newWatcher(t, x, key, x.dir+"/redis-client.key")
	wrongs := map[string]string{
		"KAFKA_SASL_PASSWORD": wrongSecret, "OPENSEARCH_PASSWORD": wrongSecret, "REDIS_URL": x.redisURL("u", wrongSecret),
	}
	if code, out := x.run("produce", nil, `{"event_type":"post.created","data":{"post_id":"1","title":"`+contents+`"}}
{"event_type":"post.created","data":{"post_id":"2","rating":"`+contents+`"}}
{"event_type":"`+contents+`","data":{"post_id":"3"}}`, "produce", "--topic", "post.created"); code != 0 {
		t.Fatalf("produce: exit code %d\n%s", code, out)
	}
	for name, test := range map[string]struct {
		settings map[string]string
		says     []string // until then it runs
	}{
		"right": {map[string]string{"KAFKA_OPTIONS": "debug=all,ssl.key.password=" + wrongSecret}, []string{`"status":"dead"`}},
		"wrong": {wrongs, []string{"Kafka refuses the login", "OpenSearch refuses this login", "Redis is down"}},
		"certificates": {map[string]string{
			"KAFKA_BROKERS": x.brokers("mtls"), "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": cert, "KAFKA_KEY_FILE": key, "KAFKA_OPTIONS": "debug=all",
			"KAFKA_SASL_MECHANISM": "", "KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": "",
			"OPENSEARCH_CERT_FILE": cert, "OPENSEARCH_KEY_FILE": key, "OPENSEARCH_USERNAME": "", "OPENSEARCH_PASSWORD": "",
		}, []string{"docs/security.md", "OpenSearch refuses what this login asks"}},
		"tokens": {map[string]string{
			"KAFKA_BROKERS": x.brokers("token"), "KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": wrongSecret,
			"KAFKA_OPTIONS": "debug=all,sasl.oauthbearer.token.endpoint.url=" + provider(t, "u", clientSecret),
		}, []string{"Kafka refuses the login"}},
		"signatures": {map[string]string{
			"OPENSEARCH_USERNAME": "", "OPENSEARCH_PASSWORD": "", "OPENSEARCH_AWS_REGION": "eu-west-1",
			"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": awsSecret, "AWS_SESSION_TOKEN": awsSession,
		}, []string{"OpenSearch refuses this login"}},
	} {
		t.Run("worker, "+name, func(t *testing.T) {
			t.Parallel()
			x := x.on(t)
			settings := maps.Clone(test.settings)
			settings["ADMIN_TOKEN"] = adminToken
			watchWorker(t, seen, x.start(settings), test.says)
		})
	}
	for _, args := range commandLines() {
		for name, settings := range map[string]map[string]string{"right": nil, "wrong": wrongs} {
			t.Run(strings.Join(args, " ")+", "+name, func(t *testing.T) {
				t.Parallel()
				_, out := x.on(t).command("run", settings, args...)
				seen.look(t, "output", out)
			})
		}
	}
	t.Run("refused settings", func(t *testing.T) { refusedSettings(t, x.on(t), seen) })
}

// watchWorker looks at all that a worker shows until it has said its lines.
func watchWorker(t *testing.T, seen watcher, w *worker, says []string) {
	t.Helper()
	for _, line := range says {
		w.says(line)
	}
	for _, path := range []string{"/status", "/metrics", "/readyz", "/livez", "/"} {
		seen.look(t, path, w.get(path))
	}
	for _, token := range []string{adminToken, wrongSecret} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.address+"/admin/pause?topic=none&partition=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		seen.look(t, "/admin/pause", answer(http.DefaultClient.Do(request)))
	}
	if cmdline, err := os.ReadFile("/proc/" + pid(w) + "/cmdline"); err == nil { // Linux alone has it
		seen.look(t, "command line", string(cmdline))
	}
	w.stop()
	seen.look(t, "log", w.log.String())
}

// commandLines are all that the program can be asked for, but `run` itself.
func commandLines() [][]string {
	lines := [][]string{{"--help"}, {"run", "--help"}, {"offsets", "--help"}, {"dlq", "--help"}, {"help", "settings"}, {"version"}, {"status", "--json"}}
	for _, w := range works() {
		lines = append(lines, append(strings.Fields(w.command), "--help"), w.args)
	}
	return lines
}

// refusedSettings: values so wrong that they are refused at once must not be quoted
// either.
func refusedSettings(t *testing.T, x *tenant, seen watcher) {
	wrong := map[string]string{
		"REDIS_URL":       "redis://u:" + wrongSecret + "@h:port",
		"OPENSEARCH_URLS": "https://u:" + wrongSecret + "@h:1,https://u:" + wrongSecret + "@h:x",
		"KAFKA_BROKERS":   "sasl://u:" + wrongSecret + "@h:9092",
		"KAFKA_OPTIONS": strings.Join([]string{
			"sasl.password=", "ssl.keystore.password=", "sasl.oauthbearer.client.secret=", "ssl.key.pem=", "ssl.key.password=",
			"sasl.oauthbearer.config=", "sasl.oauthbearer.assertion.private.key.passphrase=", "",
		}, wrongSecret+",") + wrongSecret,
		"KAFKA_SASL_PASSWORD_FILE": "/nowhere", "DEDUP_TTL": "x", "ADMIN_TOKEN": "hunter2",
		"OPENSEARCH_AWS_REGION": "nowhere", "AWS_SECRET_ACCESS_KEY": awsSecret,
	}
	code, out := x.command("run", wrong, "run")
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	seen.look(t, "refused settings", out)
	for _, setting := range []string{"REDIS_URL", "OPENSEARCH_URLS", "KAFKA_BROKERS", "KAFKA_OPTIONS", "KAFKA_SASL_PASSWORD", "DEDUP_TTL", "ADMIN_TOKEN", "OPENSEARCH_AWS_REGION"} {
		if !strings.Contains(out, setting) {
			t.Errorf("%s is not named as wrong\n%s", setting, out)
		}
	}
}
