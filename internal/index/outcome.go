package index

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Result is how the write of one action ended.
type Result uint8

// How the write of one action can end. The zero Result is Retry, so that nothing
// counts as written by being forgotten.
const (
	Retry    Result = iota // not written for a reason that passes: send it again
	Written                // applied; the document is visible by what this action knows
	Deleted                // applied; a delete that nothing in this action overrides
	Stale                  // everything in it was known already
	Rejected               // refused for its own contents; it will never be taken
)

// String returns the result in the word that metrics use, "rejected" for
// Rejected.
func (r Result) String() string {
	names := [...]string{Retry: "retry", Written: "indexed", Deleted: "deleted", Stale: "stale", Rejected: "rejected"}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}

// Reasons of Retry.
const (
	ReasonThrottled     = "throttled"      // queue or memory full: slow down
	ReasonUnavailable   = "unavailable"    // 5xx: no primary shard, no cluster manager, a node in trouble
	ReasonNetwork       = "network"        // no whole answer came; the write may have happened
	ReasonTLS           = "tls"            // one side does not trust the other's certificate
	ReasonConflict      = "conflict"       // overtaken by other writes of the same document
	ReasonAliasMissing  = "alias_missing"  // the write alias is missing or names no single index
	ReasonBlocked       = "blocked"        // index read-only, closed, or its disk full
	ReasonAuth          = "auth"           // login or permission refused
	ReasonScriptMissing = "script_missing" // the merge script is not stored
	ReasonScriptFailed  = "script_failed"  // the merge script threw: a document of a newer program
	ReasonUnsafe        = "unsafe_index"   // the index would lose data: nothing is written to it
	ReasonOther         = "other"          // anything else that is not the document's fault
)

// RetryReasons returns every reason of Retry.
func RetryReasons() []string {
	return []string{
		ReasonThrottled, ReasonUnavailable, ReasonNetwork, ReasonTLS, ReasonConflict, ReasonAliasMissing, ReasonBlocked,
		ReasonAuth, ReasonScriptMissing, ReasonScriptFailed, ReasonUnsafe, ReasonOther,
	}
}

// Reasons of Rejected.
const (
	ReasonRejectedByIndex = "rejected_by_index" // the mapping cannot take a value
	ReasonTooLarge        = "too_large"         // over the server's limit even alone
)

// Outcome is what became of one action.
type Outcome struct {
	Result Result
	// Index is the concrete index that took the action, as the response names
	// it; empty unless Result is Written, Deleted or Stale.
	Index string
	// Reason is one of the Reason constants; empty where there is none to give.
	Reason string
	// Words are the server's own, at most 4 KiB. They may quote the document, so
	// those of Rejected are for the dead letter and not for logs.
	Words string
}

// refused returns the outcome of an action, or of a request that holds nothing
// but one action, to which OpenSearch said no.
func refused(status int, f fault) Outcome {
	words := f.words()
	if words == "" { // OpenSearch's own 413 has no body (3.8.0)
		words = fmt.Sprintf("status %d %s", status, http.StatusText(status))
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return Outcome{Result: Rejected, Reason: ReasonTooLarge, Words: words}
	case status == http.StatusBadRequest && isDocumentsFault(f):
		return Outcome{Result: Rejected, Reason: ReasonRejectedByIndex, Words: words}
	}
	return Outcome{Result: Retry, Reason: retryReason(status, f), Words: words}
}

// unanswered returns the reason of a request that got no answer.
func unanswered(err error) string {
	var trust *trustError
	if errors.As(err, &trust) {
		return ReasonTLS
	}
	return ReasonNetwork
}

// isDocumentsFault tells the 400s that a document earns by its own contents from
// all others. It is a list of what is allowed to become a dead letter: whatever is
// not known stays a Retry, since a letter for a missing script or template would
// be one for every event. Each line was seen on OpenSearch 3.8.0.
func isDocumentsFault(f fault) bool {
	switch f.Type {
	case "mapper_parsing_exception", // wrong type for a field, nested too deep, too many nested documents
		"strict_dynamic_mapping_exception": // a field that "dynamic: strict" does not know
		return true
	case "illegal_argument_exception":
		// The type says little: a missing script, an alias without write index
		// and a full mapping ("Limit of total fields", which the operator mends)
		// have it too.
		return isIllegalValue(f.Reason)
	case "x_content_parse_exception":
		// Of a whole request. Without such a cause it is about our own members
		// ("unknown field [scripted_upsert]").
		return f.has("json_parse_exception") || f.has("stream_constraints_exception")
	case "action_request_validation_exception":
		return strings.Contains(f.Reason, "is too long, must be no longer than 512 bytes") // the id
	}
	return false
}

func isIllegalValue(reason string) bool {
	switch {
	case strings.HasPrefix(reason, "Document contains at least one immense term"): // keyword over 32,766 bytes
	case strings.HasPrefix(reason, "DocValuesField") && strings.Contains(reason, "is too large"): // the same, not indexed
	case strings.HasPrefix(reason, "Field name [") && strings.Contains(reason, "is longer than the limit of"):
	case strings.HasPrefix(reason, "Contexts are mandatory in context enabled completion field"):
	default:
		return false
	}
	return true
}

func retryReason(status int, f fault) string {
	switch {
	case f.has("script_exception"):
		return ReasonScriptFailed
	case f.has("resource_not_found_exception") && strings.Contains(f.words(), "unable to find script"):
		return ReasonScriptMissing
	case status == http.StatusNotFound && f.Type == "index_not_found_exception",
		strings.HasPrefix(f.Reason, "no write index is defined for alias"):
		return ReasonAliasMissing
	// The flood-stage block of a full disk has status 429, the others 403; with
	// 503 the same type says that there is no cluster manager.
	case f.Type == "cluster_block_exception" && status < http.StatusInternalServerError,
		f.Type == "index_closed_exception":
		return ReasonBlocked
	case status == http.StatusConflict:
		return ReasonConflict
	case status == http.StatusTooManyRequests:
		return ReasonThrottled
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return ReasonAuth
	case status >= http.StatusInternalServerError:
		return ReasonUnavailable
	}
	return ReasonOther
}
