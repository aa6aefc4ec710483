package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/test/stack"
)

func TestSameComparesNumbersAsNumbers(t *testing.T) {
	cases := []struct {
		a, b string
		same bool
	}{
		{`1e3`, `1000.0`, true},
		{`1.0`, `1`, true},
		{`12345678901234567890123`, `12345678901234567890123`, true},
		{`12345678901234567890123`, `12345678901234567890124`, false},
		{`12345678901234567890123`, `1.2345678901234568E22`, false},
		{`9007199254740993`, `9007199254740992`, false},
		{`9007199254740993`, `9007199254740992.0`, false},
		{`0.1`, `0.10000000000000001`, true},
		{`1`, `"1"`, false},
		{`null`, `0`, false},
		{`{"a":[1,{"b":null}]}`, `{"a":[1.0,{"b":null}]}`, true},
		{`{"a":null}`, `{}`, false},
		{`[]`, `null`, false},
		{`"e\u0301"`, `"é"`, false},
		{`"\u2028"`, "\"\u2028\"", true},
	}
	for _, c := range cases {
		if got := Same(decode(t, c.a), decode(t, c.b)); got != c.same {
			t.Errorf("%s and %s: want same=%v, got %v", c.a, c.b, c.same, got)
		}
		if got := Same(decode(t, c.b), decode(t, c.a)); got != c.same {
			t.Errorf("%s and %s: want same=%v, got %v", c.b, c.a, c.same, got)
		}
	}
}

// The comparison must find every single thing that may go wrong with a document,
// or all other tests here prove nothing.
func TestCompareFindsEveryAlteration(t *testing.T) {
	want := newStream(smallPlan(7)).want
	alterations := map[string]func(k Key, s Snapshot) bool{
		"a document missing": func(k Key, s Snapshot) bool { delete(s, k); return true },
		"a document too many": func(_ Key, s Snapshot) bool {
			s[Key{"post", "nobody"}] = Stored{Source: map[string]any{"version": json.Number("0")}}
			return true
		},
		"seen though hidden, or hidden": func(k Key, s Snapshot) bool {
			s[k] = Stored{Source: s[k].Source, Found: !s[k].Found}
			return true
		},
		"another version": func(k Key, s Snapshot) bool { s[k].Source["version"] = json.Number("77777"); return true },
		"no version":      func(k Key, s Snapshot) bool { delete(s[k].Source, "version"); return true },
		"version as text": func(k Key, s Snapshot) bool { s[k].Source["version"] = "1"; return true },
		"no _sync":        func(k Key, s Snapshot) bool { delete(s[k].Source, "_sync"); return true },
		"another time": func(k Key, s Snapshot) bool {
			s[k].Source["_sync"] = map[string]any{"deleted_at": json.Number("5")}
			return true
		},
		"a field too many": func(k Key, s Snapshot) bool { s[k].Source["left over"] = nil; return true },
		"a field missing": func(k Key, s Snapshot) bool {
			delete(s[k].Source, k.Entity+"_id")
			return s[k].Found // a tombstone has none
		},
		"a field altered": func(k Key, s Snapshot) bool {
			s[k].Source[k.Entity+"_id"] = "x"
			return true
		},
	}
	for name, alter := range alterations {
		t.Run(name, func(t *testing.T) {
			checked := 0
			for k := range want {
				if checked++; checked > 50 {
					break
				}
				got := ideal(map[Key]Document{k: want[k]})
				if differences := Compare(map[Key]Document{k: want[k]}, got); len(differences) > 0 {
					t.Fatalf("unaltered, yet %v", differences)
				}
				altered := maps.Clone(got)
				if !alter(k, altered) {
					continue
				}
				if len(Compare(map[Key]Document{k: want[k]}, altered)) == 0 {
					t.Fatalf("not found in %s: %s", k, show(altered[k].Source))
				}
				if len(CompareRuns(ideal(map[Key]Document{k: want[k]}), altered)) == 0 {
					t.Fatalf("not found between two runs in %s: %s", k, show(altered[k].Source))
				}
			}
		})
	}
}

// The same on a real index: what the reference expects is written by hand, read
// back, and equal; then one document is altered, one hidden, one removed.
func TestCompareReadsARealIndex(t *testing.T) {
	cluster := Cluster{stack.OpenSearch(t)}
	prefix := stack.Name(t)
	ctx := t.Context()
	want := newStream(smallPlan(8)).want
	for entity, alias := range Aliases(prefix) {
		body := fmt.Sprintf(`{"settings":{"number_of_replicas":0},
			"mappings":{"dynamic":false,"properties":{"_sync":{"properties":{"deleted":{"type":"boolean"}}}}},
			"aliases":{%q:{"filter":{"bool":{"must_not":{"term":{"_sync.deleted":true}}}}},%q:{"is_write_index":true}}}`, alias, alias+"-write")
		if err := cluster.Do(ctx, http.MethodPut, "/"+alias+"-000001", body, nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := cluster.Do(context.WithoutCancel(ctx), http.MethodDelete, "/"+alias+"-000001", "", nil); err != nil {
				t.Error(err)
			}
		})
		load(t, cluster, alias, entity, want)
	}
	got, err := cluster.Snapshot(ctx, prefix)
	if err != nil {
		t.Fatal(err)
	}
	if report := Report("documents", Compare(want, got)); report != "" {
		t.Fatal(report)
	}
	alterThree(t, cluster, prefix, want)
	got, err = cluster.Snapshot(ctx, prefix)
	if err != nil {
		t.Fatal(err)
	}
	if differences := Compare(want, got); len(differences) != 3 {
		t.Errorf("want 3 differences, got %v", differences)
	}
}

// alterThree spoils three visible posts, each in another way.
func alterThree(t *testing.T, cluster Cluster, prefix string, want map[Key]Document) {
	t.Helper()
	var ids []string
	for k, d := range want {
		if k.Entity == "post" && d.Visible && d.DeletedAt == 0 && len(ids) < 3 {
			ids = append(ids, plainQuote(k.ID))
		}
	}
	body := `{"update":{"_id":` + ids[0] + `}}` + "\n" + `{"doc":{"left over":1}}` + "\n" +
		`{"update":{"_id":` + ids[1] + `}}` + "\n" + `{"doc":{"_sync":{"deleted":true}}}` + "\n" +
		`{"delete":{"_id":` + ids[2] + `}}` + "\n"
	bulk(t, cluster, prefix+"posts-write", body)
}

func load(t *testing.T, cluster Cluster, alias, entity string, want map[Key]Document) {
	t.Helper()
	var body strings.Builder
	for k, stored := range ideal(want) {
		if k.Entity == entity {
			source, err := json.Marshal(stored.Source)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&body, `{"index":{"_id":%s}}`+"\n%s\n", plainQuote(k.ID), source)
		}
	}
	bulk(t, cluster, alias+"-write", body.String())
}

func bulk(t *testing.T, cluster Cluster, index, body string) {
	t.Helper()
	var answer struct {
		Errors bool
		Items  []map[string]struct {
			ID    string `json:"_id"`
			Error any
		}
	}
	if err := cluster.Do(t.Context(), http.MethodPost, "/"+index+"/_bulk", body, &answer); err != nil {
		t.Fatal(err)
	}
	for _, item := range answer.Items {
		for action, result := range item {
			if result.Error != nil {
				t.Fatalf("%s %q: %v", action, result.ID, result.Error)
			}
		}
	}
}

// ideal is how want stands in an index where all went right.
func ideal(want map[Key]Document) Snapshot {
	snapshot := make(Snapshot, len(want))
	for k, d := range want {
		sync := map[string]any{"format": json.Number("1")}
		if d.DeletedAt > 0 {
			sync["deleted_at"] = json.Number(fmt.Sprint(d.DeletedAt))
			sync["deleted"] = !d.Visible
		}
		source := map[string]any{"version": json.Number(fmt.Sprint(d.Version)), "_sync": sync}
		for name, values := range d.Fields {
			source[name] = values[0]
		}
		snapshot[k] = Stored{Source: source, Found: d.Visible}
	}
	return snapshot
}
