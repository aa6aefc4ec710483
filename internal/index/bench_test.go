package index

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/produce"
)

const benchBatch = 1000 // actions of a request

// benchPosts are new posts of about 1 KB, as `indexer produce` invents them.
func benchPosts(b *testing.B, count int) []Action {
	b.Helper()
	invention := produce.Invention{Seed: 1, Count: 3 * count, Now: func() time.Time { return time.UnixMilli(1_767_225_600_000) }}
	mux := handlers.NewMux("")
	actions := make([]Action, 0, count)
	for r, err := range invention.Records() {
		if err != nil {
			b.Fatal(err)
		}
		if r.Topic != "post.created" {
			continue
		}
		_, change, rejection := mux.Decode(r)
		if rejection != nil {
			b.Fatal(rejection)
		}
		if actions = append(actions, Action{Key: change.Key, State: change.State}); len(actions) == count {
			return actions
		}
	}
	b.Fatalf("%d posts of %d", len(actions), count)
	return nil
}

// BenchmarkWrite is what a document costs here: a writer before a server that takes
// all at once. One operation is one document of 1 KB.
func BenchmarkWrite(b *testing.B) {
	server := newStub(b)
	writer := NewWriter(mustClient(b, Config{URLs: []string{server}, Shards: 1, RefreshInterval: time.Second}))
	actions := benchPosts(b, benchBatch)
	b.ReportAllocs()
	for b.Loop() {
		for i, o := range writer.Write(b.Context(), "bench", actions) {
			if o.Result != Written {
				b.Fatalf("action %d: %+v", i, o)
			}
		}
	}
}

// newStub returns the address of a server that answers each request at once: all of
// benchBatch actions are created.
func newStub(b *testing.B) string {
	b.Helper()
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	items := strings.Repeat(`,{"create":{"_index":"posts-20260102-030405","result":"created","status":201}}`, benchBatch)
	body := `{"items":[` + items[1:] + `]}`
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go acknowledge(conn, answer)
		}
	}()
	return "http://" + listener.Addr().String()
}

func acknowledge(conn net.Conn, answer string) {
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}
