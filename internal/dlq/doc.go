// Package dlq keeps the events that no retry can save, the dead letters: it sends
// them, lists them, indexes them again (replay) and removes them (purge). It does
// not decide which events these are.
//
// A letter is open until a replay has brought its record into the index. That is
// acknowledged in a compacted topic beside the dead-letter topic, since Kafka can
// neither change nor remove a single record. Nothing is ever published to the
// original topics: other services read those.
package dlq
