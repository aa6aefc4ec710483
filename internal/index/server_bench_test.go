package index

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/search-indexer/search-indexer/internal/document"
)

// BenchmarkServer is what ways to write documents of 1 KB cost the real OpenSearch
// (who else uses it is counted too), by the percentage of them that are there before,
// in an older version:
//
//	index    plain, whatever is there: the most that it can take
//	create   a create each, and the script for those that are refused
//	script   the script each
//	stale    the script each, of what is there already
//
// One operation is 40,000 documents in a new index. A server that has just begun is
// slower: run each way several times, in turns.
func BenchmarkServer(b *testing.B) {
	const docs = 40_000
	actions := benchPosts(b, docs)
	newer := make([]Action, docs)
	for i, a := range actions {
		order := a.State.Head().Seen
		order.Version++
		newer[i] = Action{a.Key, document.Upsert(order, append([]document.Field{}, actions[(i+1)%docs].State.Unpack().Fields...)).Pack()}
	}
	byIndex := func(c *Client, batch []Action) []Outcome {
		return NewWriter(c).write(b.Context(), "bench", c.encode(batch, indexes(c.names(document.Post).Write)), batch)
	}
	// A new writer takes all documents for new.
	byCreate := func(c *Client, batch []Action) []Outcome { return NewWriter(c).Write(b.Context(), "bench", batch) }
	byScript := func(c *Client, batch []Action) []Outcome {
		return neverFirst(NewWriter(c)).Write(b.Context(), "bench", batch)
	}
	for _, way := range []struct {
		name  string
		there int
		by    func(*Client, []Action) []Outcome
		write []Action
	}{
		{"index", 0, byIndex, newer},
		{"create", 0, byCreate, newer},
		{"script", 0, byScript, newer},
		{"create", 10, byCreate, newer},
		{"script", 10, byScript, newer},
		{"create", 30, byCreate, newer},
		{"script", 30, byScript, newer},
		{"create", 50, byCreate, newer},
		{"script", 50, byScript, newer},
		{"script", 100, byScript, newer},
		{"stale", 100, byScript, actions},
	} {
		b.Run(fmt.Sprintf("%s/%d", way.name, way.there), func(b *testing.B) {
			var used, took time.Duration
			for b.Loop() {
				client := setUp(b, realConfig(b))
				var before []Action
				for i := range actions {
					if i%100 < way.there {
						before = append(before, actions[i])
					}
				}
				writeAll(b, before, func(batch []Action) []Outcome { return byIndex(client, batch) })
				from, began := serverCPU(b, client), time.Now()
				writeAll(b, way.write, func(batch []Action) []Outcome { return way.by(client, batch) })
				took += time.Since(began)
				used += serverCPU(b, client) - from
				removeAll(b, client)
			}
			n := float64(b.N * docs)
			b.ReportMetric(n/took.Seconds(), "docs/s")
			b.ReportMetric(float64(used.Microseconds())/n, "server-µs/doc")
		})
	}
}

// indexes writes each action over whatever there is.
func indexes(alias string) encoding {
	return func(dst []byte, a *Action) []byte {
		dst = appendID(fmt.Appendf(dst, `{"index":{"_index":%q,"_id":`, alias), a.ID)
		return append(a.State.AppendSource(append(dst, "}}\n"...)), '\n')
	}
}

// writeAll writes actions in batches, four at once.
func writeAll(b *testing.B, actions []Action, write func([]Action) []Outcome) {
	b.Helper()
	var next atomic.Int64
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			for {
				to := int(next.Add(benchBatch))
				if to-benchBatch >= len(actions) {
					return nil
				}
				for i, o := range write(actions[to-benchBatch : min(to, len(actions))]) {
					if o.Result == Retry || o.Result == Rejected {
						return fmt.Errorf("action %d: %+v", i, o)
					}
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// serverCPU returns the CPU time of OpenSearch since its start. A node reads it once
// a second (3.8.0); that of a moment ago is waited out.
func serverCPU(b *testing.B, c *Client) time.Duration {
	b.Helper()
	type stats struct {
		Nodes map[string]struct {
			Process struct {
				Timestamp int64 `json:"timestamp"`
				CPU       struct {
					Millis int64 `json:"total_in_millis"`
				} `json:"cpu"`
			} `json:"process"`
		} `json:"nodes"`
	}
	for old := int64(0); ; time.Sleep(20 * time.Millisecond) {
		for _, node := range call[stats](b, c, http.MethodGet, "/_nodes/stats/process", "").Nodes {
			if old != 0 && node.Process.Timestamp != old {
				return time.Duration(node.Process.CPU.Millis) * time.Millisecond
			}
			old = node.Process.Timestamp
		}
	}
}
