package index

import (
	"net/http"
	"sync"

	"github.com/search-indexer/search-indexer/internal/config"
)

// login gives every request the user's password. When the server refuses it, the
// password is read again from its file, for the next request. It is safe for
// concurrent use.
type login struct {
	next     http.RoundTripper
	username string

	mu       sync.Mutex
	password config.Secret
}

// RoundTrip implements [http.RoundTripper].
func (l *login) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	password := l.password
	l.mu.Unlock()
	req = req.Clone(req.Context()) // a RoundTripper must not change what it is given
	req.SetBasicAuth(l.username, password.Reveal())
	res, err := l.next.RoundTrip(req)
	if err == nil && res.StatusCode == http.StatusUnauthorized {
		l.renew()
	}
	return res, err
}

func (l *login) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.password, _ = l.password.Renew()
}
