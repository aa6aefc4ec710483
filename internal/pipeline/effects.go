package pipeline

import (
	"time"

	"github.com/search-indexer/search-indexer/internal/dedup"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Input is something that happened, told to [Machine.Step].
type Input interface{ input() }

type (
	// Tick says only that time has passed.
	Tick struct{}
	// Assign says that partitions are ours now, from the given offsets on.
	Assign struct{ Partitions []Start }
	// Release asks to end and to commit what is under way for partitions that leave
	// us. The machine answers with Released, within Config.Shutdown, of which Passed has
	// passed already.
	Release struct {
		Partitions []record.Partition
		Passed     time.Duration
	}
	// Lose says that partitions are not ours any more; nothing of theirs may be
	// committed.
	Lose struct{ Partitions []record.Partition }
	// Fail says that the log has lost what comes next in partitions of ours.
	Fail struct{ Partitions []Start }
	// Hold says that an operator wants a partition paused or, with On false, read
	// again. It counts for as long as the machine lives, whoever owns the partition
	// meanwhile. Records that were read already go their way.
	Hold struct {
		Partition record.Partition
		On        bool
	}
	// Receive brings records, of each partition in offset order.
	Receive struct{ Records []record.Record }
	// Prepared answers Prepare, one for each of its records.
	Prepared struct {
		Batch   uint64
		Results []Preparation
	}
	// Written answers Write, one outcome for each of its actions.
	Written struct {
		Write    uint64
		Outcomes []Outcome
	}
	// Recalled answers Recall: the records that are still there, and what decoding
	// found out of each; and of which partitions not all could be read at the moment.
	Recalled struct {
		Recall  uint64
		Records []record.Record
		Results []Preparation
		Unread  []record.Partition
	}
	// Delivered answers SendLetter. A nil error means that the broker has it.
	Delivered struct {
		Letter uint64
		Err    error
	}
	// Committed answers Commit.
	Committed struct{ Err error }
)

// Start is the place where reading a partition begins.
type Start struct {
	Partition record.Partition
	Offset    int64
	// Stuck says why the partition may not be read until an operator acts; empty
	// where all is well.
	Stuck string
}

// Preparation is what decoding and the look-up found out of one record.
type Preparation struct {
	Event     handlers.Event
	Change    handlers.Change
	Rejection *handlers.Rejection // where the event is bad
	Duplicate bool                // the change is known to be in the index
}

// Outcome is how one action ended, and in which index (by UUID, as read before
// the write was sent; empty where it is not known).
type Outcome struct {
	index.Outcome
	Space string
}

// Effect is something the machine wants done.
type Effect interface{ effect() }

type (
	// Prepare asks to decode and look up records; the answer is Prepared.
	Prepare struct {
		Batch   uint64
		Records []*record.Record
	}
	// Write asks for one bulk request; the answer is Written.
	Write struct {
		ID       uint64
		OpaqueID string // correlation id where the write is of one event
		Actions  []index.Action
	}
	// Recall asks to read and decode records again that OpenSearch refuses; the answer
	// is Recalled.
	Recall struct {
		ID      uint64
		Offsets map[record.Partition][]int64
	}
	// Mark remembers what was written; nothing waits for it.
	Mark struct{ Marks []dedup.Entry }
	// SendLetter asks to write a dead letter; the answer is Delivered.
	SendLetter struct {
		ID     uint64
		Letter Letter
	}
	// Commit asks to store and commit offsets; the answer is Committed.
	Commit struct{ Next map[record.Partition]int64 }
	// Released says that the partitions of Release hold nothing any more and may be
	// let go.
	Released struct {
		Abandoned   int  // records that there was no time for; the next owner reads them again
		Uncommitted bool // no answer to the commit in time; the next owner repeats the last records
	}
	// Pause stops the reading of one partition until Resume. It comes again where one
	// that is paused gets stuck.
	Pause struct {
		Partition record.Partition
		Why       string
	}
	// Resume undoes Pause.
	Resume struct{ Partition record.Partition }
	// Stalled says that the index of an entity has taken nothing for a second. It
	// comes once, and again when the reason changes.
	Stalled struct {
		Entity        document.Entity
		Reason, Words string
	}
	// Recovered ends Stalled.
	Recovered struct {
		Entity document.Entity
		After  time.Duration
	}
)

// Letter is one record that nobody can index, and why.
type Letter struct {
	Record *record.Record
	Event  handlers.Event
	Reason string
	Error  string // for the letter only: may hold up to 64 bytes of a value
}

func (Tick) input()      {}
func (Assign) input()    {}
func (Release) input()   {}
func (Lose) input()      {}
func (Fail) input()      {}
func (Hold) input()      {}
func (Receive) input()   {}
func (Prepared) input()  {}
func (Written) input()   {}
func (Recalled) input()  {}
func (Delivered) input() {}
func (Committed) input() {}

func (Prepare) effect()    {}
func (Write) effect()      {}
func (Recall) effect()     {}
func (Mark) effect()       {}
func (SendLetter) effect() {}
func (Commit) effect()     {}
func (Released) effect()   {}
func (Pause) effect()      {}
func (Resume) effect()     {}
func (Stalled) effect()    {}
func (Recovered) effect()  {}

// Result is how a record ended. The words are metric labels.
type Result string

// How a record can end.
const (
	Indexed   Result = "indexed"
	Deleted   Result = "deleted"
	Stale     Result = "stale"     // the index already knew as much or more
	Duplicate Result = "duplicate" // the same change is known to be in the index
	Dead      Result = "dead"      // its dead letter is acknowledged
	Abandoned Result = "abandoned" // not ended here, and not committed: left to the partition's next owner
)

// Results returns every Result.
func Results() []Result { return []Result{Indexed, Deleted, Stale, Duplicate, Dead, Abandoned} }

// Ending tells an observer how one record ended.
type Ending struct {
	// Record is for the call alone. Of one that was in a backlog it holds no more than
	// place and timestamp, and Event no more than the entity; of a letter, or where
	// Parts.Reread is nil, both are whole.
	Record *record.Record
	Event  handlers.Event
	Time   int64 // the event's own time in µs; 0 where it could not be read
	Result Result
	Reason string // of a dead letter

	Received time.Time
	Write    uint64 // of the Write that ended it; 0 where none did, or the record was let go
}
