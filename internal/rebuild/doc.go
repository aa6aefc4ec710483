// Package rebuild makes indices anew from the log, while live workers go on, and
// puts them into the place of the old ones.
//
// The steps of a [Rebuild], in the order of the files that tell them:
//
//	plan.go     check     refuses what would lose documents: a log that was cut, a
//	                      full disk
//	fold.go     fold      joins every event of the log into one State an entity
//	load.go     load      writes each State once, into a new index that nobody reads
//	tail.go     catch up  joins what was published meanwhile, until little is left
//	swap.go     swap      moves the aliases in one request
//	swap.go     block     lets nothing more into the old index
//	swap.go     drain     looks where the log ends, and joins what is left; what the
//	                      new index refuses becomes a dead letter
//
// Why nothing is missed: the end of the log is read after the old index has been
// blocked. An event below that end is joined here. One above it is published, hence
// written, later than the block, so that its worker can only have written it through
// the moved alias; a write that was on its way into the old index is refused there,
// tried again, and lands in the new one. All writes are joins, so it does not matter
// that many events are written by both.
//
// Until the swap the live index is not touched. From the swap until the end of the
// drain the new one may lack its last events, and this is said by the new index's
// [index.Origin]: whoever comes next finishes it.
//
// It is not for finding out whether an index is right (package verify).
package rebuild
