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

// BenchmarkServer is what the ways to write a document cost the real OpenSearch,
// whoever else uses it counted too.
func BenchmarkServer(b *testing.B) {
	const docs = 40_000
	actions := benchPosts(b, docs)
	newer := make([]Action, docs)
	for i, a := range actions {
		order := a.State.Seen
		order.Version++
		fields := append([]document.Field{}, actions[(i+1)%docs].State.Fields...)
		newer[i] = Action{Key: a.Key, State: document.Upsert(order, fields)}
	}
	script := func(c *Client, alias string) encoding {
		return updates(map[document.Entity]string{document.Post: alias}, c.script.id)
	}
	create := func(_ *Client, alias string) encoding { return creates(map[document.Entity]string{document.Post: alias}) }
	index := func(_ *Client, alias string) encoding {
		lines := creates(map[document.Entity]string{document.Post: alias})
		return func(dst []byte, a *Action) []byte {
			from := len(dst)
			dst = lines(dst, a)
			copy(dst[from:], `{"index": `)
			return dst
		}
	}
	for _, way := range []struct {
		name   string
		there  int // percent of the documents
		lines  func(*Client, string) encoding
		before []Action
		write  []Action
	}{
		{"index/0", 0, index, nil, actions},
		{"create/0", 0, create, nil, actions},
		{"script/0", 0, script, nil, actions},
		{"update/100", 100, script, actions, newer},
		{"stale/100", 100, script, actions, actions},
		{"first/00", 0, nil, nil, newer},
		{"first/02", 2, nil, actions, newer},
		{"script/10", 10, script, actions, newer},
		{"first/10", 10, nil, actions, newer},
		{"script/30", 30, script, actions, newer},
		{"first/30", 30, nil, actions, newer},
		{"script/50", 50, script, actions, newer},
		{"first/50", 50, nil, actions, newer},
	} {
		b.Run(way.name, func(b *testing.B) {
			var used, took time.Duration
			for b.Loop() {
				client := setUp(b, realConfig(b))
				w := NewWriter(client)
				alias := client.names(document.Post).Write
				by := func(lines encoding) func([]Action) []Outcome {
					return func(a []Action) []Outcome {
						out, _ := w.write(b.Context(), "b", encode(a, lines), a)
						return out
					}
				}
				var before []Action
				for i := range way.before {
					if i%100 < way.there {
						before = append(before, way.before[i])
					}
				}
				sendAll(b, by(create(client, alias)), before)
				write := func(a []Action) []Outcome { return createFirst(a, by(create(client, alias)), by(script(client, alias))) }
				if way.lines != nil {
					write = by(way.lines(client, alias))
				}
				from := serverCPU(b, client)
				began := time.Now()
				sendAll(b, write, way.write)
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

func createFirst(actions []Action, create, script func([]Action) []Outcome) []Outcome {
	out := create(actions)
	var again []Action
	for i, o := range out {
		if o.Reason == ReasonConflict {
			again = append(again, actions[i])
		}
	}
	second := script(again)
	for i, o := range out {
		if o.Reason == ReasonConflict {
			out[i], second = second[0], second[1:]
		}
	}
	return out
}

func sendAll(b *testing.B, write func([]Action) []Outcome, actions []Action) {
	const inFlight = 4
	var next atomic.Int64
	var group errgroup.Group
	for range inFlight {
		group.Go(func() error {
			for {
				to := int(next.Add(benchBatch))
				if to-benchBatch >= len(actions) {
					return nil
				}
				for i, o := range write(actions[to-benchBatch:min(to, len(actions))]) {
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

func serverCPU(b *testing.B, c *Client) time.Duration {
	type answer struct {
		Nodes map[string]struct {
			Process struct {
				Timestamp int64 `json:"timestamp"`
				CPU       struct {
					Millis int64 `json:"total_in_millis"`
				} `json:"cpu"`
			} `json:"process"`
		} `json:"nodes"`
	}
	var old int64
	for {
		for _, n := range call[answer](b, c, http.MethodGet, "/_nodes/stats/process", "").Nodes {
			if old != 0 && n.Process.Timestamp != old {
				return time.Duration(n.Process.CPU.Millis) * time.Millisecond
			}
			old = n.Process.Timestamp
		}
		time.Sleep(20 * time.Millisecond)
	}
}
