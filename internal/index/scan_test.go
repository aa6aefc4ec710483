package index

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

// scanned returns what a scan hands over, by id.
func scanned(t *testing.T, c *Client, index string, o ScanOptions) map[string]Stored {
	t.Helper()
	found := map[string]Stored{}
	err := c.Scan(t.Context(), index, document.Post, o, func(page []Stored) error {
		for _, d := range page {
			if _, twice := found[d.ID]; twice {
				t.Errorf("%s came twice", d.ID)
			}
			found[d.ID] = d
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestScan(t *testing.T) {
	t.Parallel()
	cfg := realConfig(t)
	cfg.Shards = 3
	client := setUp(t, cfg)
	index := behind(t, client, client.names(document.Post).Write)
	var actions []Action
	for i := range 97 {
		actions = append(actions, post(fmt.Sprintf("live/%d", i), 1, fmt.Sprintf(`{"title":"t%d"}`, i)))
	}
	for i := range 20 {
		actions = append(actions, deleted(fmt.Sprintf("gone %d", i), int64(i+1))) // deleted_at is the version
	}
	mustWrite(t, client, actions...)

	for _, o := range []ScanOptions{{}, {Page: 1}, {Page: 10}, {Page: 117}} {
		found := scanned(t, client, index, o)
		if len(found) != len(actions) {
			t.Errorf("%+v: %d of %d documents", o, len(found), len(actions))
		}
		for _, a := range actions {
			got := found[a.ID]
			if got.Key != a.Key || !got.Found || got.Err != nil || got.PrimaryTerm < 1 || !document.Equal(got.State, a.State.Unpack()) {
				t.Errorf("%+v: %s is %+v", o, a.ID, got)
			}
		}
	}
	for _, d := range scanned(t, client, index, ScanOptions{Unread: true, Page: 50}) {
		unread := d.State.IsZero()
		if d.Read(); !unread || d.State.IsZero() || d.Err != nil || !d.Found {
			t.Errorf("asked for unread documents, got %+v", d)
		}
	}
	old := scanned(t, client, index, ScanOptions{Tombstones: time.UnixMilli(8)})
	for i := range 20 {
		if _, got := old[fmt.Sprintf("gone %d", i)]; got != (i+1 < 8) {
			t.Errorf("tombstone of time %d: %v", i+1, got)
		}
	}
	if len(old) != 7 {
		t.Errorf("%d tombstones", len(old))
	}
	if alias := scanned(t, client, client.names(document.Post).Read, ScanOptions{}); len(alias) != 97 {
		t.Errorf("%d documents through the read alias", len(alias))
	}
}

// TestScanIsOfOneMoment: what is written while it goes on is not in it.
func TestScanIsOfOneMoment(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	index := behind(t, client, client.names(document.Post).Write)
	mustWrite(t, client, posts(30)...)
	count := 0
	err := client.Scan(t.Context(), index, document.Post, ScanOptions{Page: 10}, func(page []Stored) error {
		count += len(page)
		mustWrite(t, client, post(fmt.Sprintf("new-%d", count), 1, `{}`), post("id-29", int64(count), `{"title":"x"}`))
		refresh(t, client)
		for _, d := range page {
			if d.ID == "id-29" && d.State.Version() != 1 {
				t.Errorf("it has version %d", d.State.Version())
			}
		}
		return nil
	})
	if err != nil || count != 30 {
		t.Errorf("%d documents, %v", count, err)
	}
}

func pointsInTime(t *testing.T, c *Client, index string) int {
	t.Helper()
	type stats map[string]struct {
		Total struct {
			Search struct {
				Current int `json:"point_in_time_current"`
			} `json:"search"`
		} `json:"total"`
	}
	answer := call[struct {
		Indices stats `json:"indices"`
	}](t, c, http.MethodGet, "/"+index+"/_stats/search", "")
	return answer.Indices[index].Total.Search.Current
}

func TestScanGivesBackItsPointInTime(t *testing.T) {
	t.Parallel()
	client := setUp(t, realConfig(t))
	index := behind(t, client, client.names(document.Post).Write)
	mustWrite(t, client, posts(30)...)
	boom := errors.New("boom")
	ctx, cancel := context.WithCancel(t.Context())
	for want, fn := range map[error]func([]Stored) error{
		boom:             func([]Stored) error { return boom },
		context.Canceled: func([]Stored) error { cancel(); return nil },
	} {
		err := client.Scan(ctx, index, document.Post, ScanOptions{Page: 1}, func(page []Stored) error {
			if pointsInTime(t, client, index) != 1 {
				t.Error("there is no point in time to give back")
			}
			return fn(page)
		})
		if ctx.Err() == nil && !errors.Is(err, want) || ctx.Err() != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, want)
		}
		if n := pointsInTime(t, client, index); n != 0 {
			t.Errorf("%v: %d points in time are left", want, n)
		}
	}
}

func TestScanOfNoIndex(t *testing.T) {
	t.Parallel()
	client := mustClient(t, realConfig(t))
	err := client.Scan(t.Context(), client.names(document.Post).Write, document.Post, ScanOptions{}, func([]Stored) error { return nil })
	if !isMissing(err) {
		t.Errorf("got %v", err)
	}
}

// TestScanWaitsForABusyServer: what is refused for a while is asked for again, from
// the first request on.
func TestScanWaitsForABusyServer(t *testing.T) {
	searches, requests := 0, 0
	server := newFakeServer(t, func(w http.ResponseWriter, body string) {
		requests++
		switch {
		case requests == 1 || requests == 3:
			refuse(http.StatusServiceUnavailable, `{"error":{"type":"cluster_block_exception","reason":"no manager"},"status":503}`)(w, body)
		case strings.Contains(body, `"search_after":[1]`):
			refuse(http.StatusOK, `{"hits":{"hits":[]}}`)(w, body)
		case strings.Contains(body, `"sort"`):
			if searches++; searches < 3 {
				refuse(http.StatusTooManyRequests, `{"error":{"type":"rejected_execution_exception","reason":"full"},"status":429}`)(w, body)
				return
			}
			refuse(http.StatusOK, `{"hits":{"hits":[{"_id":"1","_seq_no":4,"_primary_term":2,"sort":[1]}]}}`)(w, body)
		default:
			refuse(http.StatusOK, `{"pit_id":"p","_shards":{"total":1}}`)(w, body)
		}
	})
	found := scanned(t, mustClient(t, server.config()), "posts-1", ScanOptions{Page: 1})
	want := map[string]Stored{"1": {Key: document.Key{Entity: document.Post, ID: "1"}, Found: true, SeqNo: 4, PrimaryTerm: 2}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}
