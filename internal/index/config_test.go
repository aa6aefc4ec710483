package index

import (
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/config"
)

func TestValidate(t *testing.T) {
	good := Config{URLs: []string{"https://a:9200", " http://b/proxied "}, Shards: 1, Replicas: 1, RefreshInterval: 500 * time.Millisecond}
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
		"OPENSEARCH_AWS_REGION":       func(c *Config) { c.AWSRegion, c.Username, c.Password = "eu-west-1", "u", config.NewSecret("hunter2") },
		"OPENSEARCH_INDEX_PREFIX":     func(c *Config) { c.IndexPrefix = "Eu-" },
		"OPENSEARCH_SHARDS":           func(c *Config) { c.Shards = 0 },
		"OPENSEARCH_REPLICAS":         func(c *Config) { c.Replicas = -1 },
		"OPENSEARCH_REFRESH_INTERVAL": func(c *Config) { c.RefreshInterval = 0 },
	} {
		c := good
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
