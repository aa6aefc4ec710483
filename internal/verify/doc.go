// Package verify finds out whether the indices hold what the log says, and mends
// what they do not.
//
// The steps of a [Verify], in the order of the files that tell them:
//
//	fold.go       reads what the live group has committed, and joins all below it
//	compare.go    reads each document of the index, and those of the fold that it lacks
//	settle.go     judges what differs
//	tail.go       reads what has been published since
//	judge.go      the rule itself, which knows neither Kafka nor OpenSearch
//	mend.go       writes what is wrong, unless somebody else writes first
//	doubt.go      leaves it where it is rather the log that is wrong
//
// Why it may be done while workers write: what lies below the committed offsets was
// written before a document was read, so the document must hold it. What lies behind
// them, up to an end of the log that is read after the document, it may hold or not.
// The same goes for events with an open dead letter. A State is a join, and an event
// that is in it changes nothing when it is joined again; so what the document should
// be is known exactly: the fold, joined with those events that are in it.
//
// It is not for making an index anew (package rebuild), which is cheaper where much
// is wrong.
package verify
