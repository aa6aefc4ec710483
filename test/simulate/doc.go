// Package simulate runs several workers, a Kafka, an OpenSearch and a Redis in one
// goroutine and in virtual time. One seed picks every delay, fault, rebalance and
// crash, so a run that fails is repeated exactly by its seed.
//
// What decides is production code: [pipeline.Loop] with its Machine and its Jobs,
// [stream.StartAt], the decoder and the merge rule. What is simulated is everything
// around them:
//
//	world.go     virtual time, the queue of what happens next, the course of a run
//	log.go       topics and partitions, and the events published to them
//	retention.go topics made again, logs cut
//	group.go     the group coordinator: who owns what, committed offsets
//	member.go    one consumer: fetches, pauses, hands over chunks and rebalances
//	look.go      how it finds out that a topic or a part of a log is no more
//	worker.go    what drives the loop, in place of pipeline.Worker
//	around.go    what the loop asks of its surroundings
//	process.go   how a worker's process ends, freezes and wakes
//	jobs.go      blocking production code as coroutines
//	index.go     OpenSearch: aliases, UUIDs, one outcome an action
//	client.go    what a worker sees of it: bulk requests, the catalog
//	memory.go    Redis, and the topic of dead letters
//	faults.go    what goes wrong, how often, and when
//	operator.go  indices deleted and made again, the group reset
//	upkeep.go    what else operators do, well or not
//	check.go     what must hold at every step, and at the end
//	trace.go     what happened, for a person
//
// It is not about Kafka's or OpenSearch's own behaviour: what their simulations
// promise was seen on the real ones by the tests of internal/stream and
// internal/index. Nor is it about speed.
package simulate
