// Package pipeline takes records from the consumer group to settled offsets:
// decode, look up, join, write, settle, commit.
//
// What decides is [Machine], a step machine without goroutines, clocks or I/O:
// values in, effects out. [Loop] feeds it records, results, time and rebalances, and
// has its effects carried out by what is around it, by [Jobs] where they read or
// write. [Worker] drives the loop in real time, with goroutines; a simulation
// (test/simulate) drives the same loop in virtual time, from a seed.
//
// The life of one record, in the order of the files that tell it:
//
//	worker.go    Receive     the chunk arrives; each record is tracked from here on
//	prepare.go   Prepare     decoded, and looked up among what was written before
//	machine.go   Prepared    a duplicate ends; a broken one becomes a letter;
//	                         a good one joins the waiting events of its document
//	documents.go take        documents that wait are taken into one bulk request
//	lane.go      pump        one request is of one entity; it goes when it is due
//	settle.go    Written     each outcome ends the records behind it, or sends them
//	                         back to wait (retry) or to the dead letters (rejected)
//	tracker.go   end         the partition's position moves up to the first record
//	                         that has not ended; that is what gets committed
//	handover.go  handOver    a partition that leaves us is drained, committed, let go
//
// Records that come from elsewhere than the group, such as dead letters and the tail
// that a rebuild catches up with, go the same way by [Process].
//
// It is not for reading the log (package stream), nor for joining all of it (fold).
package pipeline
