// Package index writes documents to OpenSearch and prepares it for them: a bulk
// writer with exactly one outcome for each action, the script that joins a State
// into a document that is there, templates, first indices and their aliases, the steps by
// which another index goes live in their place, and the look at what of these is
// not as it should be; for who rebuilds or verifies a lock, scans of a whole index,
// and writes on condition that nobody wrote since.
//
// It is not for deciding what wins (package document; merge.painless is that
// same rule where the stored document is), for trying again (a Retry outcome is
// the caller's to repeat; the join makes a repeat harmless), or for searching.
// It is the only importer of the OpenSearch client. Of that client it uses the
// requests and the transport; not its BulkIndexer, which in v2.3.0 reports
// neither success nor failure for the items of a request refused with 429 or 503.
package index
