package security

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// work is a command on which its rights are tried.
type work struct {
	command string // as the page names it
	args    []string
	input   string
	before  func(x *tenant) // each try
	then    [][]string      // what is to work with the same rights afterwards
	shows   string          // what the output holds where all was done
}

// theEntity is the post that all of these commands work on.
const theEntity = `{"event_type":"post.created","data":{"post_id":"the-entity","title":"a"}}`

// works are all commands but `run`, which the other tests run, in an order in which
// none takes away what a later one needs.
func works() []work {
	return []work{
		{command: "setup", args: []string{"setup"}, shows: "search-indexer.dlq"},
		{command: "setup --apply", args: []string{"setup", "--apply"}, before: (*tenant).olderIndex, shows: "setting   added"},
		{command: "produce", args: []string{"produce"}, input: theEntity, shows: "published"},
		{command: "status", args: []string{"status"}, shows: "dead letter"},
		{command: "purge", args: []string{"purge"}, shows: "tombstones removed"},
		{
			command: "rebuild", args: []string{"rebuild"}, shows: "live now",
			then: [][]string{{"rebuild", "--dry-run"}, {"rebuild", "--rollback"}, {"rebuild", "--seed-from-current", "--keep", "0"}, {"rebuild", "--finish"}, {"rebuild", "--abort"}},
		},
		{command: "offsets show", args: []string{"offsets", "show"}, shows: "members: none"},
		{command: "offsets reset", args: []string{"offsets", "reset", "--to", "earliest", "--yes"}, shows: "done;"},
		{command: "offsets skip", args: []string{"offsets", "skip", "--topic", "post.created", "--partition", "0", "--to", "1", "--yes"}, shows: "done:"},
		{command: "verify", args: []string{"verify", "--repair"}, before: (*tenant).spoil, shows: "2 documents mended"},
		{command: "dlq list", args: []string{"dlq", "list"}, before: (*tenant).letter, shows: "rejected_by_index"},
		{command: "dlq show", args: []string{"dlq", "show", "0/0"}, shows: "rejected_by_index"},
		{command: "forget", args: []string{"forget", "the-entity", "--entity", "post", "--yes"}, before: (*tenant).keptCopy, shows: "removed"},
		{command: "dlq replay", args: []string{"dlq", "replay"}, before: (*tenant).letter, shows: "failed again    0"},
		{command: "dlq purge", args: []string{"dlq", "purge", "--all", "--yes"}, before: (*tenant).replayedLetter, shows: "must stay         0"},
	}
}

// commandRights does the work of each command with the rights that the page gives it,
// and with each right to Kafka missing: then it must not pass as done.
func commandRights(t *testing.T, x *tenant) {
	x.setUp() // so that each finds what its second run would find
	x.user("dlq replay")
	x.replayedLetter()
	for _, w := range works() {
		t.Run(w.command, func(t *testing.T) {
			x := x.on(t)
			needed := documented(t, w.command, x.prefix).rules
			for i, missing := range needed {
				user := fmt.Sprintf("%s%s-%d", x.prefix, strings.ReplaceAll(w.command, " ", "-"), i)
				x.setPassword(x.password, user)
				x.allow(user, slices.Delete(slices.Clone(needed), i, i+1))
				if done, out := x.does(w, user); done {
					t.Errorf("works without %s on %s\n%s", missing.operation, missing.resources[0].Name, out)
				}
			}
			x.user(w.command)
			if done, out := x.does(w, x.prefix+strings.ReplaceAll(w.command, " ", "-")); !done {
				t.Errorf("does not work\n%s", out)
			}
			for _, args := range w.then {
				if code, out := x.command(w.command, nil, args...); code != 0 {
					t.Errorf("%v: exit code %d\n%s", args, code, out)
				}
			}
		})
	}
}

func (x *tenant) does(w work, user string) (done bool, out string) {
	x.t.Helper()
	if w.before != nil {
		w.before(x)
	}
	code, out := x.run(w.command, map[string]string{"KAFKA_SASL_USERNAME": user}, w.input, w.args...)
	return code == 0 && strings.Contains(out, w.shows), out
}

// letter writes a dead letter that a replay can bring into the index.
func (x *tenant) letter() {
	x.t.Helper()
	producer, err := stream.NewProducer(stream.Config{Brokers: []string{x.stack.Kafka}, SecurityProtocol: "PLAINTEXT"}, zerolog.Nop())
	if err != nil {
		x.t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	sent := make(chan error, 1)
	dlq.NewSender(producer, x.prefix+"search-indexer.dlq").Send(context.Background(), dlq.Letter{
		Record: &record.Record{
			Partition: record.Partition{Topic: x.prefix + "post.created"}, Value: []byte(theEntity), Timestamp: time.Now().UnixMilli(),
		},
		Reason: "rejected_by_index", FailedAt: time.Now(),
	}, func(err error) { sent <- err })
	if err := <-sent; err != nil {
		x.t.Fatal(err)
	}
}

// replayedLetter writes a letter that the index has taken since.
func (x *tenant) replayedLetter() {
	x.t.Helper()
	x.letter()
	if code, out := x.command("dlq replay", nil, "dlq", "replay"); code != 0 {
		x.t.Fatalf("dlq replay: exit code %d\n%s", code, out)
	}
}

// keptCopy puts the entity into an index that looks like one that a rebuild has
// replaced.
func (x *tenant) keptCopy() {
	x.t.Helper()
	status, answer := x.ask(http.MethodPut, "/"+x.prefix+"posts-20200101-000000/_doc/the-entity?refresh=true",
		`{"title":"a","version":0,"_sync":{"format":1,"seen":[0,1,1]}}`)
	if status >= http.StatusMultipleChoices {
		x.t.Fatalf("make a kept copy: %d %s", status, answer)
	}
}

// olderIndex takes the index back to a setting that its template does not have.
func (x *tenant) olderIndex() {
	x.t.Helper()
	status, answer := x.ask(http.MethodPut, "/"+x.prefix+"posts-write/_settings", `{"index.refresh_interval":"9s"}`)
	if status >= http.StatusMultipleChoices {
		x.t.Fatalf("change a setting: %d %s", status, answer)
	}
}

// spoil alters the entity, which has an event, and makes up another, which has none.
func (x *tenant) spoil() {
	x.t.Helper()
	for _, id := range []string{"the-entity", "made-up"} {
		status, answer := x.ask(http.MethodPut, "/"+x.prefix+"posts-write/_doc/"+id+"?refresh=true",
			`{"title":"b","version":0,"_sync":{"format":1,"seen":[0,1,1]}}`)
		if status >= http.StatusMultipleChoices {
			x.t.Fatalf("write behind the worker's back: %d %s", status, answer)
		}
	}
}
