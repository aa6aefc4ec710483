package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"

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
func authorized(token config.Secret, next http.Handler) http.Handler {
	// Digests have one length, so that comparing tells nothing of the token's.
	want := sha256.Sum256([]byte(token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if !strings.EqualFold(kind, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			respond(w, http.StatusUnauthorized, refusal{"send the token of ADMIN_TOKEN as Authorization: Bearer TOKEN"})
			return
		}
		next.ServeHTTP(w, r)
	})
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
