package dedup

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/search-indexer/search-indexer/internal/config"
)

// Config says where the memory is and how long it lasts.
type Config struct {
	URL      config.Secret `env:"REDIS_URL, default=redis://localhost:6379/0" doc:"Redis as redis://[user:password@]host:port/database, or rediss:// for TLS. Without Redis the indexer goes on: repeated events are then written again, which changes nothing. The file is read again at every connection, for the user and the password."`
	CAFile   string        `env:"REDIS_CA_FILE" doc:"File of PEM certificates that the server's certificate must be signed by, with rediss://; empty for the system's. It is read again at every connection."`
	CertFile string        `env:"REDIS_CERT_FILE" doc:"File of the PEM client certificate, which a Redis with TLS asks for unless tls-auth-clients is no; needs REDIS_KEY_FILE. Both are read again at every connection."`
	KeyFile  string        `env:"REDIS_KEY_FILE" doc:"File of the PEM key of the client certificate; needs REDIS_CERT_FILE."`
	TTL      time.Duration `env:"DEDUP_TTL, default=24h" doc:"How long a written event is remembered at least, 1s or more. Each takes about 30 bytes of Redis, see docs/operations.md."`
	Enabled  bool          `env:"DEDUP_ENABLED, default=true" doc:"Whether written events are remembered at all; false does without Redis."`
}

// Validate names every wrong setting. It reads the certificates but does not talk
// to Redis.
func (c Config) Validate() error {
	_, err := c.options()
	wrong := []error{err}
	if c.TTL < time.Second {
		wrong = append(wrong, errors.New("DEDUP_TTL: must be 1s or more; to do without, set DEDUP_ENABLED=false"))
	}
	return errors.Join(wrong...)
}

// options returns what the URL and the certificates say of the connection.
func (c Config) options() (*redis.Options, error) {
	security, wrong := config.ClientTLS("REDIS", c.CAFile, c.CertFile, c.KeyFile)
	options, err := redis.ParseURL(c.URL.Reveal())
	switch {
	case err != nil:
		// The parser's own words may hold the password.
		wrong = errors.Join(errors.New("REDIS_URL: is no URL of a Redis; use redis://[user:password@]host:port/database, or rediss:// for TLS"), wrong)
	case options.TLSConfig != nil:
		options.TLSConfig.RootCAs, options.TLSConfig.GetClientCertificate = security.RootCAs, security.GetClientCertificate
	case c.CAFile+c.CertFile+c.KeyFile != "":
		wrong = errors.Join(errors.New("REDIS_URL: certificate files are set but would not be used; use rediss:// for TLS"), wrong)
	}
	return options, wrong
}
