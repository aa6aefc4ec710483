package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/search-indexer/search-indexer/internal/config"
)

// ErrNoSuchPartition says that a partition is none that this worker could read.
var ErrNoSuchPartition = errors.New("no such partition")

// Paused answers /admin/pause and /admin/resume.
type Paused struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Paused    bool   `json:"paused"`
	// Owned tells that this worker reads the partition at the moment, or would. One
	// that does not own it heeds the wish when it comes to own it.
	Owned bool `json:"owned"`
}

// refusal is the body of a request to /admin that was not heeded.
type refusal struct {
	Error string `json:"error"`
}

// authorized lets requests with the bearer token through.
func authorized(token *adminToken, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(kind, "Bearer") || !token.is(given) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			respond(w, http.StatusUnauthorized, refusal{"send the token of ADMIN_TOKEN as Authorization: Bearer TOKEN"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// adminToken is the token as its file holds it now: one that was replaced opens
// nothing any more. It is safe for concurrent use.
type adminToken struct {
	mu     sync.Mutex
	secret config.Secret
}

// is compares in a time that tells nothing: digests have one length.
func (t *adminToken) is(given string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now, _ := t.secret.Renew(); len(now.Reveal()) >= shortestToken {
		t.secret = now
	}
	want, got := sha256.Sum256([]byte(t.secret.Reveal())), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// pause heeds POST ?topic=T&partition=P. The worker takes the wish up in its turn,
// hence 202.
func (v Views) pause(on bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		topic := r.URL.Query().Get("topic")
		partition, err := strconv.ParseInt(r.URL.Query().Get("partition"), 10, 32)
		if topic == "" || err != nil || partition < 0 {
			respond(w, http.StatusBadRequest, refusal{"name the partition as ?topic=TOPIC&partition=NUMBER"})
			return
		}
		done, err := v.Pause(r.Context(), topic, int32(partition), on)
		switch {
		case errors.Is(err, ErrNoSuchPartition):
			respond(w, http.StatusNotFound, refusal{err.Error()})
		case err != nil:
			respond(w, http.StatusServiceUnavailable, refusal{err.Error()})
		default:
			respond(w, http.StatusAccepted, done)
		}
	})
}
