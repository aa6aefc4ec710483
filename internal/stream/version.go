package stream

import "github.com/confluentinc/confluent-kafka-go/v2/kafka"

// LibraryVersion returns the version of librdkafka that this program is linked
// with, such as "2.15.0".
func LibraryVersion() string {
	_, version := kafka.LibraryVersion()
	return version
}
