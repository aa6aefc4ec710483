package helm_test

import (
	"strings"
	"testing"
)

// TestRefused holds that wrong values never reach a cluster, and that the message
// names the value and says what is wrong with it.
func TestRefused(t *testing.T) {
	for wrong, message := range map[string][]string{
		"config: {KAFKA_BROKER: kafka:9092}":                                          {"/config", "KAFKA_BROKER"},
		"config: {KAFKA_SASL_PASSWORD: hunter2}":                                      {"/config", "KAFKA_SASL_PASSWORD"},
		"config: {REDIS_URL: 'redis://user:hunter2@redis:6379/0'}":                    {"config.REDIS_URL holds a login", "files.REDIS_URL_FILE"},
		"config: {HTTP_ADDR: ':9000'}":                                                {"/config", "HTTP_ADDR"},
		"config: {SHUTDOWN_TIMEOUT: 25}":                                              {"/config/SHUTDOWN_TIMEOUT", "string"},
		"config: {SHUTDOWN_TIMEOUT: 25 seconds}":                                      {"/config/SHUTDOWN_TIMEOUT", "pattern"},
		"config: {BATCH_MAX_EVENTS: many}":                                            {"/config/BATCH_MAX_EVENTS", "integer"},
		"config: {LOG_LEVEL: verbose}":                                                {"/config/LOG_LEVEL", "'debug', 'info', 'warn', 'error'"},
		"setup: {config: {KAFKA_USER: u}}":                                            {"/setup/config", "KAFKA_USER"},
		"files: {KAFKA_PASSWORD_FILE: {secret: s, key: k}}":                           {"/files", "KAFKA_PASSWORD_FILE"},
		"files: {KAFKA_CA_FILE: {secret: s, configMap: c, key: k}}":                   {"/files/KAFKA_CA_FILE", "oneOf"},
		"files: {KAFKA_CA_FILE: {secret: s}}":                                         {"/files/KAFKA_CA_FILE", "key"},
		"files: {OPENSEARCH_PASSWORD_FILE: hunter2}":                                  {"/files/OPENSEARCH_PASSWORD_FILE", "object"},
		"templates: {posts.json: '{}'}":                                               {"/templates", "posts.json"},
		"image: {digest: 'md5:0'}":                                                    {"/image/digest", "pattern"},
		"image: {pullPolicy: Sometimes}":                                              {"/image/pullPolicy", "'IfNotPresent'"},
		"worker: {replicas: -1}":                                                      {"/worker/replicas", "minimum"},
		"worker: {replicas: '2'}":                                                     {"/worker/replicas", "integer"},
		"replicaCount: 3":                                                             {"replicaCount"},
		"worker: {terminationGracePeriodSeconds: 20}":                                 {"worker.terminationGracePeriodSeconds is 20", "SHUTDOWN_TIMEOUT (25 s)"},
		"worker: {terminationGracePeriodSeconds: 60, config: {SHUTDOWN_TIMEOUT: 1m}}": {"worker.terminationGracePeriodSeconds is 60", "SHUTDOWN_TIMEOUT (60 s)"},
		"worker: {resources: {limits: {memory: 512MB}}}":                              {"/worker/resources/limits/memory", "pattern"},
		"topics: {partitions: 0}":                                                     {"/topics/partitions", "minimum"},
		"topics: {retention: forever}":                                                {"/topics/retention", "pattern"},
		"port: 80":                                                                    {"/port", "minimum"},
		"purge: {schedule: at night}":                                                 {"/purge/schedule", "pattern"},
		"rebuild: {args: [keep=2]}":                                                   {"/rebuild/args/0", "pattern"},
		"rebuild: {disk: {size: big}}":                                                {"/rebuild/disk/size", "pattern"},
		"podDisruptionBudget: {maxUnavailable: 0}":                                    {"/podDisruptionBudget/maxUnavailable"},
		"keda: {enabled: true, triggerMetadata: {offsetResetPolicy: latest}}":         {"/keda/triggerMetadata/offsetResetPolicy", "earliest"},
		"keda: {enabled: true, minReplicas: 13}":                                      {"keda.minReplicas is 13", "12"},
		"keda: {enabled: true}\nconfig: {KAFKA_SECURITY_PROTOCOL: SASL_SSL, KAFKA_SASL_MECHANISM: OAUTHBEARER}": {"keda.authenticationRef"},
		"strimzi: {topics: {enabled: true}}":           {"strimzi.cluster"},
		"strimzi: {apiVersion: v1}":                    {"/strimzi/apiVersion", "'kafka.strimzi.io/v1'"},
		"metrics: {serviceMonitor: {interval: often}}": {"/metrics/serviceMonitor/interval", "pattern"},
	} {
		_, _, err := renderChart(parse(t, wrong))
		if err == nil {
			t.Errorf("%s is taken", wrong)
			continue
		}
		for _, part := range message {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is missing in:\n%v", wrong, part, err)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the message shows the secret:\n%v", wrong, err)
		}
	}
}
