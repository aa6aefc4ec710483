package main

const preface = `# Dependencies

<!-- Written by ` + "`make docs`" + ` from go.mod, the licences of the modules and scripts/dependencies/reasons.go; change these, not this page. -->

What the program is made of, and why. A test fails when this page is not what
` + "`go.mod`" + ` says, so a new module needs a reason before it lands. Every module is
pinned by ` + "`go.sum`" + `; the Kafka client brings librdkafka (BSD-2-Clause) as a library
that it links in, with OpenSSL (Apache-2.0), zstd, lz4, zlib, curl and Cyrus SASL's
protocols inside: an advisory on one of those means a new version of that module.

The tests of the Helm chart are a module of their own (` + "`helm/go.mod`" + `: Helm, and the
types of Kubernetes, KEDA and the Prometheus operator); nothing of it is in the program.

To look for known vulnerabilities, where its database can be reached:
` + "`go run golang.org/x/vuln/cmd/govulncheck@latest ./...`" + `.
`

// reasons says for each module that we chose what it is for.
func reasons() map[string]string {
	return map[string]string{
		"github.com/HdrHistogram/hdrhistogram-go":          "latency percentiles of `produce` and benchmarks",
		"github.com/agnivade/levenshtein":                  "misspelt settings",
		"github.com/aws/aws-sdk-go-v2/config":              "credentials for SigV4 (`OPENSEARCH_AWS_REGION`)",
		"github.com/cenkalti/backoff/v5":                   "retries outside the step machine",
		"github.com/cockroachdb/pebble/v2":                 "working files of `rebuild` and `verify`: joins by key on disk",
		"github.com/confluentinc/confluent-kafka-go/v2":    "the Kafka client (librdkafka)",
		"github.com/dustin/go-humanize":                    "sizes and counts for people",
		"github.com/go-json-experiment/json":               "JSON that keeps integers and refuses duplicate keys",
		"github.com/google/go-cmp":                         "tests: differences",
		"github.com/google/uuid":                           "ids of invented events",
		"github.com/opensearch-project/opensearch-go/v2":   "the OpenSearch client: requests, transport, SigV4",
		"github.com/prometheus/client_golang":              "metrics",
		"github.com/redis/go-redis/v9":                     "the Redis client",
		"github.com/rs/zerolog":                            "logs",
		"github.com/santhosh-tekuri/jsonschema/v6":         "tests: the schemas of events",
		"github.com/schollz/progressbar/v3":                "progress of long commands on a terminal",
		"github.com/sethvargo/go-envconfig":                "settings from the environment",
		"github.com/spf13/cobra":                           "the command line",
		"golang.org/x/sync":                                "groups of goroutines that end together",
		"golang.org/x/sys":                                 "the lock on a directory of working files",
		"golang.org/x/term":                                "whether output is a terminal",
		"golang.org/x/time":                                "the rate of `produce --rate`",
		"github.com/Shopify/toxiproxy/v2":                  "tests: connections that are cut, slow or squeezed",
		"github.com/aws/aws-sdk-go-v2":                     "credentials for SigV4",
		"github.com/aws/smithy-go":                         "keeps the AWS SDK's own log quiet",
		"github.com/jedib0t/go-pretty/v6":                  "tables of `status`",
		"go.opentelemetry.io/contrib/exporters/autoexport": "traces: the exporter that the OTEL_* variables name",
		"go.opentelemetry.io/otel":                         "traces: attributes, W3C context in headers",
		"go.opentelemetry.io/otel/sdk":                     "traces: batches, sampling, the process's description",
		"go.opentelemetry.io/otel/trace":                   "traces: spans",
		"github.com/prometheus/client_model":               "tests: reading metrics",
		"pgregory.net/rapid":                               "tests: properties over random histories",
	}
}
