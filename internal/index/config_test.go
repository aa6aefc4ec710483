package index

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/config"
)

func TestValidate(t *testing.T) {
	good := Config{URLs: []string{"https://a:9200", " http://b/proxied "}, Shards: 1, Replicas: 1, RefreshInterval: 500 * time.Millisecond, AWSRegion: "us-gov-west-1", TombstoneRetention: time.Hour, LockTTL: time.Minute}
	if err := good.Validate(); err != nil {
		t.Errorf("good settings: %v", err)
	}
	for variable, spoil := range map[string]func(*Config){
		"OPENSEARCH_URLS":             func(c *Config) { c.URLs = nil },
		"OPENSEARCH_URLS: address 2":  func(c *Config) { c.URLs[1] = "localhost:9200" },
		"OPENSEARCH_URLS: address 1":  func(c *Config) { c.URLs[0] = "http://user:hunter2@a:9200" },
		"OPENSEARCH_URLS: address  1": func(c *Config) { c.URLs[0] = "http://user:hunter2@a:92\x00" },
		"OPENSEARCH_PASSWORD":         func(c *Config) { c.Password = config.NewSecret("hunter2") },
		"OPENSEARCH_USERNAME":         func(c *Config) { c.Username = "u" },
		"OPENSEARCH_CERT_FILE":        func(c *Config) { c.KeyFile = "key.pem" },
		"OPENSEARCH_AWS_REGION: \"":   func(c *Config) { c.AWSRegion = "Frankfurt" },
		"OPENSEARCH_CA_FILE":          func(c *Config) { c.CAFile = "/no/such/file" },
		"OPENSEARCH_CERT_FILE: name":  func(c *Config) { c.CertFile, c.KeyFile = "/no/such/file", "/no/such/key" },
		"OPENSEARCH_TEMPLATE_DIR":     func(c *Config) { c.TemplateDir = "/no/such/folder" },
		"TOMBSTONE_RETENTION":         func(c *Config) { c.TombstoneRetention = time.Minute },
		"OPENSEARCH_AWS_REGION":       func(c *Config) { c.AWSRegion, c.Username, c.Password = "eu-west-1", "u", config.NewSecret("hunter2") },
		"OPENSEARCH_INDEX_PREFIX":     func(c *Config) { c.IndexPrefix = "Eu-" },
		"OPENSEARCH_SHARDS":           func(c *Config) { c.Shards = 0 },
		"OPENSEARCH_REPLICAS":         func(c *Config) { c.Replicas = -1 },
		"OPENSEARCH_REFRESH_INTERVAL": func(c *Config) { c.RefreshInterval = 0 },
	} {
		c := good
		c.AWSRegion = ""
		c.URLs = append([]string{}, good.URLs...)
		spoil(&c)
		err := c.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), strings.ReplaceAll(variable, "  ", " ")) {
			t.Errorf("%s: %v", variable, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", variable, err)
		}
	}
}

func TestValidateNamesAll(t *testing.T) {
	err := Config{URLs: []string{"x"}, Password: config.NewSecret("p"), IndexPrefix: "-"}.Validate()
	for _, variable := range []string{"URLS", "PASSWORD", "INDEX_PREFIX", "SHARDS", "REFRESH_INTERVAL"} {
		if !strings.Contains(err.Error(), "OPENSEARCH_"+variable+":") {
			t.Errorf("%s is not named in %v", variable, err)
		}
	}
}

func TestValidateNamesEveryFaultOfTemplates(t *testing.T) {
	c := Config{URLs: []string{"http://a:9200"}, Shards: 1, RefreshInterval: time.Second, TombstoneRetention: time.Hour, LockTTL: time.Minute, TemplateDir: t.TempDir()}
	for file, text := range map[string]string{
		"post.json":     `{"settings":{"default_pipeline":"p","final_pipeline":"q"}}`,
		"artist.json":   `{`,
		"analysis.json": `[]`,
	} {
		if err := os.WriteFile(filepath.Join(c.TemplateDir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range []string{"read analysis.json", "read artist.json"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], "OPENSEARCH_TEMPLATE_DIR: "+want) {
			t.Errorf("line %d is not of %s:\n%v", i, want, err)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d faults:\n%v", len(lines), err)
	}
	if err := os.Remove(filepath.Join(c.TemplateDir, "analysis.json")); err != nil {
		t.Fatal(err)
	}
	err = c.Validate()
	for _, want := range []string{"read artist.json", "post.json would lose data: index.default_pipeline", "post.json would lose data: index.final_pipeline", "post.json would lose data: _sync is not mapped"} {
		if !strings.Contains(err.Error(), "OPENSEARCH_TEMPLATE_DIR: "+want) {
			t.Errorf("%s is not named in\n%v", want, err)
		}
	}
}
