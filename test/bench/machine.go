package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/search-indexer/search-indexer/internal/stream"
)

// machine describes what a run is on. What can't be told is left out.
type machine struct {
	System     string  `json:"system"`
	Processor  string  `json:"processor"`
	Cores      int     `json:"cores"`
	Memory     uint64  `json:"memory_bytes"`
	Go         string  `json:"go"`
	Librdkafka string  `json:"librdkafka"`
	Kafka      string  `json:"kafka"` // as scripts/stack installs it; brokers do not tell
	OpenSearch string  `json:"opensearch"`
	Heap       float64 `json:"opensearch_heap_bytes"`
	Redis      string  `json:"redis"`
	Load       string  `json:"load_average"` // before the run, over 1, 5 and 15 minutes
}

func cores() int { return runtime.NumCPU() }

func (b *bench) machine(ctx context.Context) machine {
	m := machine{
		System: runtime.GOOS + "/" + runtime.GOARCH, Cores: cores(), Go: runtime.Version(), Librdkafka: stream.LibraryVersion(),
		Processor: found("/proc/cpuinfo", `model name\s*: (.*)`),
		Kafka:     found("scripts/stack.d/pom.xml", `<artifactId>kafka_[0-9.]+</artifactId>\s*<version>(.*)</version>`),
		Load:      found("/proc/loadavg", `(\S+ \S+ \S+)`),
	}
	if kernel := found("/proc/sys/kernel/osrelease", `([0-9]+\.[0-9]+)`); kernel != "" {
		m.System += " " + kernel
	}
	_, _ = fmt.Sscan(found("/proc/meminfo", `MemTotal:\s*(\d+) kB`), &m.Memory)
	m.Memory <<= 10
	var node struct {
		Version struct{ Number string }
	}
	if err := b.cluster.Do(ctx, "GET", "/", "", &node); err == nil {
		m.OpenSearch = node.Version.Number
	}
	var heap []struct {
		Max string `json:"heap.max"`
	}
	if err := b.cluster.Do(ctx, "GET", "/_cat/nodes?h=heap.max&bytes=b&format=json", "", &heap); err == nil && len(heap) > 0 {
		_, _ = fmt.Sscan(heap[0].Max, &m.Heap)
	}
	m.Redis = b.redisVersion(ctx)
	return m
}

// found returns what a pattern's group finds in a file, or nothing.
func found(file, pattern string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	match := regexp.MustCompile(pattern).FindSubmatch(text)
	if match == nil {
		return ""
	}
	return strings.TrimSpace(string(match[1]))
}

func (b *bench) redisVersion(ctx context.Context) string {
	client, err := b.redisClient()
	if err != nil {
		return ""
	}
	defer func() { _ = client.Close() }()
	return client.InfoMap(ctx, "server").Val()["Server"]["redis_version"]
}

// writeText prints it in 80 columns.
func (m machine) writeText(to io.Writer) error {
	_, err := fmt.Fprintf(to, "%s, %d cores (%s), %s; load average before: %s\n"+
		"Kafka %s, OpenSearch %s with %s of heap, Redis %s\n%s, librdkafka %s\n",
		m.System, m.Cores, m.Processor, humanize.IBytes(m.Memory), m.Load,
		m.Kafka, m.OpenSearch, humanize.IBytes(uint64(m.Heap)), m.Redis, m.Go, m.Librdkafka)
	return err
}
