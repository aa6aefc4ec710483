package dedup

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/search-indexer/search-indexer/internal/config"
)

// credentials returns what each new connection asks for its user and password: a
// refused login closes the connection, so a changed file is used at the next try.
func credentials(url config.Secret) func() (username, password string) {
	var mu sync.Mutex
	return func() (string, string) {
		mu.Lock()
		defer mu.Unlock()
		if now, changed := url.Renew(); changed {
			if _, err := redis.ParseURL(now.Reveal()); err == nil {
				url = now
			}
		}
		options, err := redis.ParseURL(url.Reveal())
		if err != nil {
			return "", "" // New has parsed it before
		}
		return options.Username, options.Password
	}
}

// explain adds to an error of logins and certificates what setting it is about.
func explain(err error) error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	words := err.Error()
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w; set REDIS_CA_FILE to the authority that signed the server's certificate", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("%w; renew the server's certificate, or check REDIS_CA_FILE", err)
	case errors.As(err, &name):
		return fmt.Errorf("%w; name the server in REDIS_URL as its certificate does", err)
	case strings.Contains(words, "remote error: tls:"):
		return fmt.Errorf("%w; the server refuses this client's certificate: check REDIS_CERT_FILE", err)
	case strings.HasPrefix(words, "WRONGPASS"), strings.HasPrefix(words, "NOAUTH"):
		return fmt.Errorf("%w; check the user and the password in REDIS_URL (a changed REDIS_URL_FILE is read by itself)", err)
	case strings.HasPrefix(words, "NOPERM"):
		return fmt.Errorf("%w; give the user of REDIS_URL the permissions that docs/security.md lists", err)
	}
	return err
}
