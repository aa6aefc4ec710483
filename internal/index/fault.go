package index

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxWords bounds the server's words that an Outcome carries, in bytes.
const maxWords = 4096

// fault is an error as OpenSearch describes it, inside an item or of a whole
// request.
type fault struct {
	Type     string `json:"type"`
	Reason   string `json:"reason"`
	CausedBy *fault `json:"caused_by"`
}

// readFault reads the body of a refused request. Proxies and load balancers in
// front of OpenSearch answer with other shapes; those become the reason as they
// are, with no type.
func readFault(body []byte) fault {
	var refused struct {
		Error jsontext.Value `json:"error"`
	}
	var f fault
	if json.Unmarshal(body, &refused) == nil && json.Unmarshal(refused.Error, &f) == nil && f.Type != "" {
		return f
	}
	return fault{Reason: strings.TrimSpace(string(body))}
}

// has reports whether f or one of its causes is of the given type.
func (f fault) has(kind string) bool {
	for at := &f; at != nil; at = at.CausedBy {
		if at.Type == kind {
			return true
		}
	}
	return false
}

// ofOne is f as the error of one document that was to be read, which comes without a
// status: what is not for good passes, as where a shard is about to come back.
func (f fault) ofOne() error {
	status := http.StatusServiceUnavailable
	if f.has("index_not_found_exception") || f.has("index_closed_exception") {
		status = http.StatusBadRequest
	}
	return &serverError{status: status, fault: f}
}

// words returns f and its causes as one text of at most maxWords bytes. A cause
// that says the same again is left out.
func (f fault) words() string {
	var b strings.Builder
	var said string
	for at := &f; at != nil && b.Len() < maxWords; at = at.CausedBy {
		text := strings.Trim(at.Type+": "+at.Reason, ": ")
		if text == said {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; caused by ")
		}
		b.WriteString(text)
		said = text
	}
	return capped(b.String())
}

// capped cuts text after maxWords bytes, between two characters.
func capped(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxWords)], "")
}

// errUnanswered is the error of a request to which no whole answer came.
var errUnanswered = errors.New("ask OpenSearch")

// Passes tells whether a request that failed may succeed by waiting: it was not
// answered, or OpenSearch could not serve it just then.
func Passes(err error) bool {
	var refusal *serverError
	if errors.As(err, &refusal) {
		return refusal.status == http.StatusTooManyRequests || refusal.status >= http.StatusBadGateway
	}
	return errors.Is(err, errUnanswered)
}

// serverError is the answer to a request that the server refused.
type serverError struct {
	status int
	fault  fault
}

// Error returns the status and the server's words.
func (e *serverError) Error() string {
	return fmt.Sprintf("OpenSearch refused with status %d: %s", e.status, e.fault.words())
}
