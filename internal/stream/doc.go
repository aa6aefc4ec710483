// Package stream reads and writes Kafka: a member of the consumer group, a
// reader outside the group, a producer, and what an administrator does. It alone knows the Kafka client, and
// it knows nothing of what the records mean.
//
// A record is handed on at least once. The reader of a [Consumer] decides when an
// offset is stored; the package decides where a partition starts, and refuses to
// jump over what the log has lost.
package stream
