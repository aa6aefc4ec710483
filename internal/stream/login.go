package stream

import (
	"sync"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/config"
)

// login renews the password of one client from its file when the brokers refuse
// it. The client tries to log in every few seconds by itself. It is safe for
// concurrent use.
type login struct {
	username string
	set      func(username, password string) error // of the client

	mu       sync.Mutex
	password config.Secret
}

// newLogin returns the login of a client, whose SetSaslCredentials is set. With
// OAUTHBEARER that does nothing: see fingerprint.
func newLogin(cfg Config, set func(username, password string) error) *login {
	return &login{username: cfg.SASLUsername, set: set, password: cfg.SASLPassword}
}

// renew reads the password again, and hands it to the client where it has changed.
func (l *login) renew() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	password, changed := l.password.Renew()
	if !changed {
		return nil
	}
	l.password = password
	return l.set(l.username, password.Reveal())
}

// refusesLogin tells the brokers' refusal of a login from other errors.
func refusesLogin(code kafka.ErrorCode) bool {
	return code == kafka.ErrAuthentication || code == kafka.ErrSaslAuthenticationFailed
}
