package handlers

import (
	"strings"
	"testing"
)

// BenchmarkDecode decodes one enveloped post of 1 KB.
func BenchmarkDecode(b *testing.B) {
	r := benchmarkCase().record()
	mux := NewMux("")
	b.SetBytes(int64(len(r.Value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, rejection := mux.Decode(r); rejection != nil {
			b.Fatal(rejection)
		}
	}
}

func benchmarkCase() testCase {
	const event = `{"event_id":"0b9f5c1e-6f1a-4a51-9a0e-2f6f5d1c0101","event_type":"post.created","correlation_id":"5f2c8c0e-1d0b-4f7e-9a39-f4b1f6d0a102",` +
		`"timestamp":"2025-11-03T12:40:11.250Z","version":7,"data":{"post_id":"post-101","title":"Как выбрать первую гитару","content":"CONTENT","slug":"pervaya-gitara",` +
		`"author_id":"user-7","artist_id":"artist-1","status":"published","language":"ru","tags":["гитара","новичкам"],"rating":4.5,"created_at":"2025-11-03T12:40:11.250Z"}}`
	const size = 1024
	words := strings.Repeat("word ", size)[:size-len(event)+len("CONTENT")]
	return testCase{value: strings.Replace(event, "CONTENT", words, 1)}
}
