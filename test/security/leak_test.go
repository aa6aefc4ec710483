//go:build security

package security

import (
	"os"
	"strings"
	"testing"
)

// leaks runs all that prints with known secrets in every setting that may hold
// one, right and wrong ones, and looks for them in all that can be seen.
func leaks(t *testing.T, x *tenant) {
	const wrong = "hunter2wrongsecret"
	password := x.passwords["indexer-run"]
	var seen strings.Builder
	see := func(what, text string) {
		t.Helper()
		if text == "" {
			t.Errorf("%s is empty", what)
		}
		for _, secret := range []string{password, wrong, "hunter2"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a secret", what)
			}
		}
		seen.WriteString(text)
	}
	wrongs := map[string]string{
		"KAFKA_SASL_PASSWORD": wrong, "OPENSEARCH_PASSWORD": wrong, "REDIS_URL": x.redisURL("u", wrong),
	}
	for name, settings := range map[string]map[string]string{
		"right": {"KAFKA_OPTIONS": "ssl.key.password=" + wrong + ",debug=all"},
		"wrong": wrongs,
	} {
		x.publish(3)
		w := x.start(settings)
		if name == "right" {
			w.indexed(3)
		} else {
			w.says("Kafka refuses the login")
			w.says("OpenSearch refuses this login")
			w.says("Redis is down")
		}
		for _, path := range []string{"/status", "/metrics", "/readyz", "/livez", "/"} {
			see(name+" "+path, w.get(path))
		}
		cmdline, err := os.ReadFile("/proc/" + pid(w) + "/cmdline")
		if err == nil { // Linux alone has it
			see("command line", string(cmdline))
		}
		w.stop()
		see(name+" log", w.log.String())
	}
	for _, args := range [][]string{
		{"run", "--help"}, {"setup", "--help"}, {"status", "--help"}, {"produce", "--help"}, {"help", "settings"}, {"version"}, {"status"}, {"status", "--json"}, {"setup"}, {"produce", "--count", "1"},
	} {
		for _, settings := range []map[string]string{nil, wrongs} {
			_, out := x.command("indexer-run", settings, args...)
			see(strings.Join(args, " "), out)
		}
	}
	// Settings so wrong that they are refused at once must not be quoted either.
	_, out := x.command("indexer-run", map[string]string{
		"REDIS_URL": "redis://u:" + wrong + "@h:port", "OPENSEARCH_URLS": "https://u:" + wrong + "@h:1,https://u:" + wrong + "@h:x",
		"KAFKA_OPTIONS":            "sasl.password=" + wrong + ",ssl.keystore.password=" + wrong + ",sasl.oauthbearer.client.secret=" + wrong + ",ssl.key.pem=" + wrong + "," + wrong,
		"KAFKA_SASL_PASSWORD_FILE": "/nowhere", "DEDUP_TTL": "x",
	}, "run")
	see("refused settings", out)
	for _, setting := range []string{"REDIS_URL", "OPENSEARCH_URLS", "KAFKA_OPTIONS", "KAFKA_SASL_PASSWORD", "DEDUP_TTL"} {
		if !strings.Contains(out, setting) {
			t.Errorf("%s is not named as wrong\n%s", setting, out)
		}
	}
}
