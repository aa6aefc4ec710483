package index

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/search-indexer/search-indexer/internal/config"
)

// Config says where OpenSearch is and how the indices in it are made.
type Config struct {
	URLs            []string      `env:"OPENSEARCH_URLS, default=http://localhost:9200" doc:"Addresses of the nodes, separated by commas; http:// or https://, without user and password. Requests go to them in turn."`
	Username        string        `env:"OPENSEARCH_USERNAME" doc:"User for basic authentication; empty for none."`
	Password        config.Secret `env:"OPENSEARCH_PASSWORD" doc:"Password for basic authentication. The file is read again whenever the password is refused."`
	CAFile          string        `env:"OPENSEARCH_CA_FILE" doc:"File of PEM certificates that the nodes' certificates must be signed by; empty for the system's. It is read again at every connection."`
	CertFile        string        `env:"OPENSEARCH_CERT_FILE" doc:"File of the PEM client certificate; needs OPENSEARCH_KEY_FILE. Both are read again at every connection."`
	KeyFile         string        `env:"OPENSEARCH_KEY_FILE" doc:"File of the PEM key of the client certificate; needs OPENSEARCH_CERT_FILE."`
	AWSRegion       string        `env:"OPENSEARCH_AWS_REGION" doc:"Region of an Amazon OpenSearch Service domain: requests are signed with SigV4 by the credentials of the AWS environment (variables, profile, role). Empty for no signing."`
	IndexPrefix     string        `env:"OPENSEARCH_INDEX_PREFIX" doc:"Put in front of every index, alias and template name; lower-case letters, digits, dot, hyphen and underscore. Programs with different prefixes share a cluster without touching each other's indices."`
	Shards          int           `env:"OPENSEARCH_SHARDS, default=1" doc:"Primary shards of a new index, 1 to 1024. An existing index keeps its own."`
	Replicas        int           `env:"OPENSEARCH_REPLICAS, default=1" doc:"Copies of each primary shard of a new index, 0 to 100. With 0 the loss of a node loses documents until a rebuild."`
	RefreshInterval time.Duration `env:"OPENSEARCH_REFRESH_INTERVAL, default=500ms" doc:"How long a written document may stay invisible to searches, 1ms to 1h, for new indices. Longer is cheaper."`
	TemplateDir     string        `env:"OPENSEARCH_TEMPLATE_DIR" doc:"Folder whose post.json, artist.json and analysis.json, where they exist, replace the project's own templates at setup and rebuild. One that would lose data is refused."`

	TombstoneRetention time.Duration `env:"TOMBSTONE_RETENTION, default=720h" doc:"How long a deleted document is kept as a hidden tombstone, by the Kafka time of its delete, 1h or more; purge, rebuild and verify go by it. An older event that arrives later than this brings the document back."`
}

// loginSettings names the settings that make up the login in use.
func (c Config) loginSettings() string {
	switch {
	case c.AWSRegion != "":
		return "OPENSEARCH_AWS_REGION and the credentials of the AWS environment"
	case c.Username != "":
		return "OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD (a changed OPENSEARCH_PASSWORD_FILE is read by itself)"
	case c.CertFile != "":
		return "OPENSEARCH_CERT_FILE"
	}
	return "OPENSEARCH_USERNAME, OPENSEARCH_CERT_FILE or OPENSEARCH_AWS_REGION: none of them is set"
}

// Bounds of the settings.
const (
	maxShards     = 1024
	maxReplicas   = 100
	minRefresh    = time.Millisecond
	maxRefresh    = time.Hour
	maxPrefixSize = 128 // index names end at 255 bytes
	minTombstones = time.Hour
)

// prefixPattern is what OpenSearch takes at the beginning of an index name, less
// a leading dot: such indices count as hidden or the system's.
const prefixPattern = `^[a-z0-9][a-z0-9._-]*$`

// regionPattern is the shape of AWS regions: eu-west-1, us-gov-west-1.
const regionPattern = `^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`

// Validate returns every wrong setting, joined. It reads the certificates and
// templates that the settings name and talks to no server.
func (c Config) Validate() error {
	_, security := c.tls()
	_, templates := c.loadTemplates()
	return errors.Join(c.validateAddresses(), c.validateLogin(), security, c.validateIndices(), templates)
}

func (c Config) tls() (*tls.Config, error) {
	return config.ClientTLS("OPENSEARCH", c.CAFile, c.CertFile, c.KeyFile)
}

func (c Config) validateAddresses() error {
	if len(c.URLs) == 0 {
		return errors.New("OPENSEARCH_URLS: is empty, give the address of at least one node")
	}
	var errs []error
	for i, raw := range c.URLs {
		u, err := url.Parse(strings.TrimSpace(raw))
		switch {
		// The address is not repeated in the message: it may hold a password.
		case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
			errs = append(errs, fmt.Errorf("OPENSEARCH_URLS: address %d is not a URL like https://host:9200", i+1))
		case u.User != nil:
			errs = append(errs, fmt.Errorf("OPENSEARCH_URLS: address %d holds a login, use OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD", i+1))
		case u.RawQuery != "" || u.Fragment != "":
			errs = append(errs, fmt.Errorf("OPENSEARCH_URLS: address %d has a query or fragment, leave it out", i+1))
		}
	}
	return errors.Join(errs...)
}

func (c Config) validateLogin() error {
	var errs []error
	if c.Password.IsSet() && c.Username == "" {
		errs = append(errs, errors.New("OPENSEARCH_PASSWORD: is set without OPENSEARCH_USERNAME, set both or none"))
	}
	if c.Username != "" && !c.Password.IsSet() {
		errs = append(errs, errors.New("OPENSEARCH_USERNAME: is set without OPENSEARCH_PASSWORD, set both or none"))
	}
	plain := func(address string) bool { return strings.HasPrefix(strings.TrimSpace(address), "http://") }
	if (c.CAFile != "" || c.CertFile != "") && len(c.URLs) > 0 && !slices.ContainsFunc(c.URLs, func(a string) bool { return !plain(a) }) {
		errs = append(errs, errors.New("OPENSEARCH_URLS: certificate files are set but would not be used; use https://"))
	}
	if c.AWSRegion != "" && c.Username != "" {
		errs = append(errs, errors.New("OPENSEARCH_AWS_REGION: signs requests, so it excludes OPENSEARCH_USERNAME; set one of them"))
	}
	if ok, _ := regexp.MatchString(regionPattern, c.AWSRegion); c.AWSRegion != "" && !ok {
		errs = append(errs, fmt.Errorf("OPENSEARCH_AWS_REGION: %q is no region, use one like eu-west-1", c.AWSRegion))
	}
	return errors.Join(errs...)
}

func (c Config) validateIndices() error {
	var errs []error
	if ok, _ := regexp.MatchString(prefixPattern, c.IndexPrefix); c.IndexPrefix != "" && !ok {
		errs = append(errs, errors.New("OPENSEARCH_INDEX_PREFIX: may hold lower-case letters, digits, dot, hyphen and underscore, and begins with a letter or digit"))
	}
	if len(c.IndexPrefix) > maxPrefixSize {
		errs = append(errs, fmt.Errorf("OPENSEARCH_INDEX_PREFIX: must be at most %d bytes", maxPrefixSize))
	}
	if c.Shards < 1 || c.Shards > maxShards {
		errs = append(errs, fmt.Errorf("OPENSEARCH_SHARDS: must be 1 to %d", maxShards))
	}
	if c.Replicas < 0 || c.Replicas > maxReplicas {
		errs = append(errs, fmt.Errorf("OPENSEARCH_REPLICAS: must be 0 to %d", maxReplicas))
	}
	if c.RefreshInterval < minRefresh || c.RefreshInterval > maxRefresh {
		errs = append(errs, fmt.Errorf("OPENSEARCH_REFRESH_INTERVAL: must be %s to %s", minRefresh, maxRefresh))
	}
	if c.TombstoneRetention < minTombstones {
		errs = append(errs, fmt.Errorf("TOMBSTONE_RETENTION: must be %s or more", minTombstones))
	}
	return errors.Join(errs...)
}
