package index

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
)

// TestServeGivesTheTemplatesSettings, and says where there are too few nodes: the
// cluster under test has one.
func TestServeGivesTheTemplatesSettings(t *testing.T) {
	t.Parallel()
	cfg := realConfig(t)
	cfg.Replicas, cfg.RefreshInterval = 2, 7*time.Second
	client := mustClient(t, cfg)
	next := nextAt(t, client, 0, "")
	settings := func() string {
		own := call[map[string]any](t, client, http.MethodGet, "/"+next.Index+"/_settings?flat_settings=true", "")
		found := own[next.Index].(map[string]any)["settings"].(map[string]any)
		return fmt.Sprintf("%v %v %v", found["index.refresh_interval"], found["index.number_of_replicas"], found["index.auto_expand_replicas"])
	}
	if got := settings(); got != "-1 0 false" {
		t.Errorf("while loading: %s", got)
	}
	note, err := client.Serve(t.Context(), next)
	if err != nil || note != "each shard has 1 copies of 3: the cluster has 1 data nodes" {
		t.Errorf("%q %v", note, err)
	}
	if got := settings(); got != "7000ms 2 <nil>" {
		t.Errorf("after serve: %s", got)
	}
}

// TestServeWaitsNoLongerThanItsContext for a shard that is allowed on no node.
func TestServeWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	server := newFakeServer(t, nil)
	asked := make(chan struct{}, 8)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, `{"status":"yellow","number_of_data_nodes":2,"active_primary_shards":1,"active_shards":1,"unassigned_shards":1}`)
		if strings.HasPrefix(r.URL.Path, "/_cluster/health/") {
			asked <- struct{}{}
		}
	})
	client := mustClient(t, server.config())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		<-asked
		cancel()
	}()
	if note, err := client.Serve(ctx, Next{Entity: document.Post, Index: "i"}); err == nil || note != "" {
		t.Errorf("%q %v", note, err)
	}
}

func TestCopiesOfAShard(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		now  health
		done bool
	}{
		"green":                   {health{Status: "green"}, true},
		"red":                     {health{Status: "red", DataNodes: 1, Primaries: 1, Active: 1, Unassigned: 3}, false},
		"no node for the replica": {health{Status: "yellow", DataNodes: 1, Primaries: 2, Active: 2, Unassigned: 2}, true},
		"one of two is missing":   {health{Status: "yellow", DataNodes: 2, Primaries: 1, Active: 1, Unassigned: 2}, false},
		"all but the third":       {health{Status: "yellow", DataNodes: 2, Primaries: 1, Active: 2, Unassigned: 1}, true},
		"a replica is coming":     {health{Status: "yellow", DataNodes: 2, Primaries: 1, Active: 1, Initializing: 1}, false},
		"nothing is known":        {health{}, false},
	} {
		if done, note := tc.now.copies(); done != tc.done || (note != "") != (done && tc.now.Status != "green") {
			t.Errorf("%s: %t %q", name, done, note)
		}
	}
}

func TestDisk(t *testing.T) {
	t.Parallel()
	space, err := mustClient(t, realConfig(t)).Disk(t.Context())
	if err != nil || space.FreeBelowWatermark <= 0 || space.Watermark == "" {
		t.Errorf("%+v %v", space, err)
	}
}

// TestDiskCounts data nodes only, and by the setting that counts.
func TestDiskCounts(t *testing.T) {
	t.Parallel()
	const node = `{"roles":["%s"],"fs":{"total":{"total_in_bytes":1000,"available_in_bytes":%d}}}`
	nodes := fmt.Sprintf(`{"nodes":{"a":`+node+`,"b":`+node+`,"c":`+node+`}}`, "data", 300, "data", 50, "ingest", 900)
	disk := func(section, disk string) string {
		return fmt.Sprintf(`%q:{"cluster":{"routing":{"allocation":{"disk":%s}}}}`, section, disk)
	}
	standard := disk("defaults", `{"threshold_enabled":"true","watermark":{"high":"90%"}}`)
	for settings, want := range map[string]DiskSpace{
		standard: {200, "90%"},
		standard + "," + disk("persistent", `{"watermark":{"high":"0.8"}}`):                                                            {100, "0.8"},
		standard + "," + disk("persistent", `{"watermark":{"high":"100b"}}`) + "," + disk("transient", `{"watermark":{"high":"40b"}}`): {270, "40b"},
		standard + "," + disk("transient", `{"threshold_enabled":"false"}`):                                                            {350, "off"},
	} {
		server := newFakeServer(t, nil)
		server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, map[bool]string{true: nodes, false: "{" + settings + "}"}[strings.HasPrefix(r.URL.Path, "/_nodes")])
		})
		if got, err := mustClient(t, server.config()).Disk(t.Context()); got != want || err != nil {
			t.Errorf("%s: %+v %v, want %+v", settings, got, err, want)
		}
	}
}

func TestReserved(t *testing.T) {
	t.Parallel()
	for watermark, want := range map[string]int64{
		"off": 0, "90%": 100, "87.5%": 125, "0.75": 250, "10b": 10, "2kb": 2048, "1.5MB": 3 << 19, "20gb": 20 << 30, "1tb": 1 << 40, "1pb": 1 << 50,
	} {
		if got, err := reserved(watermark, 1000); got != want || err != nil {
			t.Errorf("%s: %d %v, want %d", watermark, got, err, want)
		}
	}
	if _, err := reserved("much", 1000); err == nil {
		t.Error("a word was taken")
	}
}

// TestLoadTellsARefusedDocument from its neighbours, as every write does.
func TestLoadTellsARefusedDocument(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	next := nextAt(t, client, 0, "")
	got := client.Load(t.Context(), "", next, []Action{
		post("1", 1, `{"title":"t"}`), post("2", 1, `{"created_at":"not a date"}`), post(strings.Repeat("x", 513), 1, `{}`), post("4", 1, `{}`),
	})
	for i, want := range []Result{Written, Rejected, Rejected, Written} {
		if got[i].Result != want {
			t.Errorf("action %d: %+v, want %s", i, got[i], want)
		}
	}
	if bytes, docs, err := client.StoreSize(t.Context(), next.Alias); err != nil || bytes == 0 {
		t.Errorf("%d bytes, %d documents: %v", bytes, docs, err)
	}
}
