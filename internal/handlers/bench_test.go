package handlers

import (
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/produce"
	"github.com/search-indexer/search-indexer/internal/record"
)

// BenchmarkDecode decodes events: as `indexer produce --count` invents them, and
// of one shape each. "escaped" is one as Python's json.dumps writes it.
func BenchmarkDecode(b *testing.B) {
	const event = `{"event_id":"0b9f5c1e-6f1a-4a51-9a0e-2f6f5d1c0101","event_type":"post.created","correlation_id":"5f2c8c0e-1d0b-4f7e-9a39-f4b1f6d0a102",` +
		`"timestamp":"2025-11-03T12:40:11.250Z","version":7,"data":DATA}`
	const post = `{"post_id":"post-101","title":"Как выбрать первую гитару","content":"CONTENT","slug":"pervaya-gitara",` +
		`"author_id":"user-7","artist_id":"artist-1","status":"published","language":"ru","tags":["гитара","новичкам"],"rating":4.5,"created_at":"2025-11-03T12:40:11.250Z"}`
	kilobyte := strings.Replace(post, "CONTENT", strings.Repeat("word ", 128), 1)
	russian := strings.Replace(post, "CONTENT", strings.Repeat("слово ", 60), 1)
	const title = `{"post_id":"post-101","title":"Как выбрать первую гитару"}`
	escaped := strings.NewReplacer(`":`, `": `, `,"`, `, "`, "и", `\u0438`, "о", `\u043e`).Replace(russian)
	enveloped := func(data string) []*record.Record {
		return []*record.Record{testCase{value: strings.Replace(event, "DATA", data, 1)}.record()}
	}
	deleted := testCase{value: strings.Replace(event, "created", "deleted", 1)}
	deleted.value = strings.Replace(deleted.value, "DATA", `{"post_id":"post-101"}`, 1)
	for _, c := range []struct {
		name    string
		records []*record.Record
	}{
		{"invented", invented(b, 4096)},
		{"english", enveloped(kilobyte)},
		{"russian", enveloped(russian)},
		{"escaped", enveloped(escaped)},
		{"title", enveloped(title)},
		{"deleted", []*record.Record{deleted.record()}},
		{"bare", []*record.Record{testCase{topic: "post.updated", value: `{"version":7,` + kilobyte[1:]}.record()}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkDecode(b, c.records) })
	}
}

func benchmarkDecode(b *testing.B, records []*record.Record) {
	size := 0
	for _, r := range records {
		size += len(r.Value)
	}
	mux := NewMux("")
	b.SetBytes(int64(size / len(records)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, rejection := mux.Decode(records[i%len(records)]); rejection != nil {
			b.Fatal(rejection)
		}
	}
}

func invented(b testing.TB, count int) []*record.Record {
	b.Helper()
	var records []*record.Record
	invention := produce.Invention{Seed: 1, Count: count, Now: func() time.Time { return time.UnixMilli(recordTime) }}
	for r, err := range invention.Records() {
		if err != nil {
			b.Fatal(err)
		}
		r.Timestamp = recordTime
		records = append(records, r)
	}
	return records
}
