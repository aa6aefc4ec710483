package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// verified is what `verify --json` prints.
type verified struct {
	findings

	Events      int64
	Letters     int64 `json:"letter_events"`
	Repair      *struct{ Mended, Refused, Left int64 }
	AfterRepair *findings `json:"after_repair"`
	Notes       []string
}

type findings struct {
	Differences int64
	Listed      []struct {
		Entity, ID, Class string
		Fields            []string
		DeadLetter        bool `json:"dead_letter"`
	}
	Unread int64 `json:"unread_events"`
}

// list returns each difference as "class entity/id fields", sorted.
func (f findings) list() []string {
	list := []string{}
	for _, d := range f.Listed {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s/%s %s", d.Class, d.Entity, d.ID, strings.Join(d.Fields, ","))))
	}
	slices.Sort(list)
	return list
}

// verify runs the command, which must end with that exit code.
func (x *indexer) verify(code int, flags ...string) (v verified) {
	x.t.Helper()
	got, out := x.run(append([]string{"verify", "--json"}, flags...)...)
	if got != code {
		x.t.Fatalf("verify %v: exit code %d, want %d\n%s", flags, got, code, out)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, `{"entities"`) || strings.Contains(line, `"bad_records"`) {
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				x.t.Fatalf("verify --json: %v in %s", err, line)
			}
			return v
		}
	}
	if code == 0 || code == 3 {
		x.t.Fatalf("verify --json printed no report:\n%s", out)
	}
	return v
}

// trafficPlan is a size for what has to last a while.
func trafficPlan(seed uint64) Plan {
	p := smallPlan(seed)
	p.Entities, p.Records = 1500, 9000
	return p
}

// While records come and workers write, lag, and stop, nothing is ever wrong. Open
// dead letters of an operator's template are no difference either.
func TestVerifyUnderTrafficFindsNothing(t *testing.T) {
	t.Parallel()
	x := newIndexer(t).with("KAFKA_OPTIONS=group.protocol=classic,session.timeout.ms=6000")
	s := newStream(trafficPlan(4))
	x.setup()
	x.verify(0) // nothing is there, nothing is wrong
	half := len(s.records) / 2
	places := x.publish(s.records[:half])
	unread := x.verify(0)
	if unread.Events != 0 || unread.Unread != int64(half) {
		t.Errorf("nothing was read, but verify counts %+v of %d", unread, half)
	}
	// Slow workers: a small part is written at a time, and committed seldom.
	slow := x.with("BATCH_MAX_EVENTS=50", "BULK_CONCURRENCY=1")
	workers := []*worker{slow.start(), slow.start()}
	rest := x.publishSlowly(s.records[half:])
	midway := 0
	for n := range 6 {
		if v := x.verify(0); v.Events > 0 && v.Unread > 0 {
			midway++
		}
		if n == 1 {
			workers[0].kill()
		}
	}
	if midway == 0 {
		t.Error("no run saw events both read and unread")
	}
	places = append(places, rest()...)
	x.verify(0)
	x.awaitCommitted(places)
	v := x.verify(0)
	if v.Unread != 0 || v.Events == 0 {
		t.Errorf("all was read, but verify counts %+v", v)
	}
	x.must(s, places, true)
	// The group stands at the beginning again, its documents do not.
	workers[1].stop()
	x.await(func() bool { return x.broker.Rewind(t.Context(), x.env["KAFKA_GROUP_ID"]) == nil }, func() string { return "the group to be empty" })
	x.verify(0)
}

// put writes a document behind the workers' backs; an empty source removes it.
func (x *indexer) put(k Key, source string) {
	x.t.Helper()
	index, err := x.cluster.Index(x.t.Context(), Aliases(x.index)[k.Entity])
	if err != nil {
		x.t.Fatal(err)
	}
	method := http.MethodPut
	if source == "" {
		method = http.MethodDelete
	}
	path := "/" + index + "/_doc/" + url.PathEscape(k.ID)
	if err := x.cluster.Do(x.t.Context(), method, path, source, nil); err != nil {
		x.t.Fatal(err)
	}
}

// spoil changes documents in every way and returns what verify has to say.
func (x *indexer) spoil(good Snapshot) (want []string) {
	x.t.Helper()
	visible, tombstones := plainKeys(x.t, good)
	alter := func(k Key, change func(source, sync map[string]any)) {
		source := clone(x.t, good[k].Source)
		sync, _ := source["_sync"].(map[string]any)
		change(source, sync)
		x.put(k, encode(x.t, source))
	}
	says := func(class string, k Key, fields string) {
		want = append(want, strings.TrimSpace(class+" "+k.Entity+"/"+k.ID+" "+fields))
	}

	x.put(visible[0], "")
	says("missing", visible[0], "")
	alter(visible[1], func(source, _ map[string]any) { source["title"], source["name"] = "altered", "altered" })
	says("differing", visible[1], "name,title")
	made := Key{"post", "made-up"}
	x.put(made, `{"title":"made up","version":1,"_sync":{"format":1,"seen":[1,1,1]}}`)
	says("orphaned", made, "")
	alter(visible[2], func(source, sync map[string]any) { // an older State: only its first order
		for name := range source {
			if name != "version" && name != "_sync" {
				delete(source, name)
			}
		}
		source["version"] = 0
		sync["seen"] = []any{0, 1, 1}
		delete(sync, "orders")
	})
	var gone []string
	for name := range good[visible[2]].Source {
		if name != "_sync" && (name != "version" || fmt.Sprint(good[visible[2]].Source[name]) != "0") {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	says("stale", visible[2], strings.Join(gone, ","))
	alter(visible[3], func(source, _ map[string]any) { source["version"] = 12345 })
	says("differing", visible[3], "version")
	x.put(tombstones[0], "")
	says("undeleted", tombstones[0], "")
	alter(tombstones[1], func(_, sync map[string]any) { delete(sync, "deleted") })
	says("differing", tombstones[1], "_sync")
	slices.Sort(want)
	return want
}

// plainKeys returns documents whose ids fit a path, with and without a visible one;
// none has fields from before its last write.
func plainKeys(t *testing.T, all Snapshot) (visible, tombstones []Key) {
	t.Helper()
	for k, stored := range all {
		if strings.ContainsFunc(k.ID, func(r rune) bool { return (r < '0' || r > '9') && r != '-' }) || len(k.ID) > 30 {
			continue
		}
		sync, _ := stored.Source["_sync"].(map[string]any)
		switch {
		case !stored.Found:
			tombstones = append(tombstones, k)
		case sync["floor"] == nil && len(stored.Source) > 3:
			visible = append(visible, k)
		}
	}
	order := func(a, b Key) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(visible, order)
	slices.SortFunc(tombstones, order)
	if len(visible) < 4 || len(tombstones) < 2 {
		t.Fatalf("%d documents and %d tombstones are too few", len(visible), len(tombstones))
	}
	return visible, tombstones
}

func clone(t *testing.T, source map[string]any) map[string]any {
	t.Helper()
	copied, ok := decode(t, encode(t, source)).(map[string]any)
	if !ok {
		t.Fatal("no object")
	}
	return copied
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each document that is changed behind the worker's back is named, and no other; a
// repair mends them all, also while workers write.
func TestVerifyNamesWhatIsWrongAndMendsIt(t *testing.T) {
	t.Parallel()
	x := newIndexer(t).with("TOMBSTONE_RETENTION=87600h")
	s := ofRecords(t, newStream(smallPlan(9)).records)
	x.setup()
	places := x.publish(s.records)
	w := x.start()
	x.awaitCommitted(places)
	x.verify(0)
	good := x.snapshot()
	want := x.spoil(good)
	if got := x.verify(3).list(); !slices.Equal(got, want) {
		t.Errorf("want\n  %s\ngot\n  %s", strings.Join(want, "\n  "), strings.Join(got, "\n  "))
	}
	code, table := x.run("verify", "--entity", "post", "--limit", "1")
	for line := range strings.Lines(table) {
		if len([]rune(strings.TrimRight(line, "\n"))) > 80 && !strings.HasPrefix(line, "{") && !strings.HasPrefix(line, "next:") {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	if code != 3 || !strings.Contains(table, "UNDELETED") || !strings.Contains(table, "orphaned  post/made-up") {
		t.Errorf("exit code %d\n%s", code, table)
	}
	x.verify(2, "--sample", "-1")
	if v := x.verify(0, "--repair"); v.Differences != int64(len(want)) || v.Repair == nil || v.Repair.Mended != v.Differences || v.AfterRepair.Differences != 0 {
		t.Errorf("repair of %d: %+v", len(want), v)
	}
	x.verify(0, "--sample", "50")
	// With a topic forgotten, what its events made would be taken back everywhere.
	most := x.with("KAFKA_TOPICS=" + strings.Join(slices.DeleteFunc(slices.Clone(Topics), func(topic string) bool { return topic == "post.updated" }), ","))
	if v := most.verify(3, "--repair"); v.Repair.Left < 100 || !strings.Contains(strings.Join(v.Notes, " "), "KAFKA_TOPICS") {
		t.Errorf("a topic is missing: %+v", v)
	}
	x.must(s, places, false)
	if report := Report("mended documents", CompareRuns(good, x.snapshot())); report != "" {
		t.Error(report)
	}
	w.stop()
}

// Repairs go on while workers write; what both write ends as the log says.
func TestRepairUnderTraffic(t *testing.T) {
	t.Parallel()
	x := newIndexer(t).with("TOMBSTONE_RETENTION=87600h")
	s := newStream(trafficPlan(5))
	x.setup()
	half := len(s.records) / 2
	places := x.publish(s.records[:half])
	w := x.start()
	x.awaitCommitted(places)
	rest := x.publishSlowly(s.records[half:])
	for range 3 {
		x.spoil(x.snapshot())
		x.verify(0, "--repair")
	}
	places = append(places, rest()...)
	x.awaitCommitted(places)
	x.verify(0)
	x.must(s, places, false)
	w.stop()
}

// Events that an operator's template refuses need not be in the index, and a document
// that lacks more than these is told apart.
func TestVerifyTellsDeadLettersApart(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x = x.with("OPENSEARCH_TEMPLATE_DIR=" + strictTemplates(t))
	x.setup()
	w := x.start()
	at := time.Now().UnixMilli()
	record := func(value string) Record {
		return Record{Topic: "post.updated", Timestamp: at, Value: []byte(value)}
	}
	places := x.publish([]Record{
		record(`{"post_id":"1","version":1,"title":"one"}`),
		record(`{"post_id":"1","version":2,"mood":"blue"}`),
		record(`{"post_id":"2","version":1,"mood":"red"}`),
		record(`{"post_id":"3","version":1,"title":"three"}`),
	})
	x.awaitCommitted(places)
	if v := x.verify(0); v.Letters != 2 || v.Events != 2 {
		t.Errorf("want 2 letters and 2 events, got %+v", v)
	}
	x.put(Key{"post", "1"}, "")
	x.put(Key{"post", "3"}, "")
	v := x.verify(3)
	if got := v.list(); !slices.Equal(got, []string{"missing post/1", "missing post/3"}) {
		t.Errorf("got %v", got)
	}
	for _, d := range v.Listed {
		if d.DeadLetter != (d.ID == "1") {
			t.Errorf("dead letter of %s: %v", d.ID, d.DeadLetter)
		}
	}
	x.verify(0, "--repair")
	w.stop()
}

// Of a log that was cut, documents that it does not know are no difference, and are
// never removed; what it knows is judged.
func TestVerifyWithACutLog(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	s := ofRecords(t, newStream(smallPlan(10)).records)
	x.setup()
	places := x.publish(s.records)
	w := x.start()
	x.awaitCommitted(places)
	half := ends(places)
	for at, end := range half {
		half[at] = end / 2
	}
	for _, topic := range Topics {
		if err := x.broker.Cut(t.Context(), x.prefix+topic, half); err != nil {
			t.Fatal(err)
		}
	}
	v := x.verify(0)
	if len(v.Notes) == 0 || !strings.Contains(strings.Join(v.Notes, " "), x.prefix+"post.created") {
		t.Errorf("the report does not say that the log was cut: %v", v.Notes)
	}
	x.put(Key{"post", "made-up"}, `{"title":"made up","version":1,"_sync":{"format":1,"seen":[1,1,1]}}`)
	x.verify(0, "--repair")
	if _, ok := x.snapshot()[Key{"post", "made-up"}]; !ok {
		t.Error("a document that the cut log does not know was removed")
	}
	w.stop()
}
