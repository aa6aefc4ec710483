package handlers

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/test/stack"
)

// indexBody returns an index as the project's own template of an entity makes it.
// The files are read as they are, since handlers and index don't import each other.
func indexBody(t *testing.T, entity Entity) []byte {
	t.Helper()
	template := readTemplate(t, string(entity.Name))
	body, err := stdjson.Marshal(map[string]any{
		"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 0, "analysis": readTemplate(t, "analysis")},
		"mappings": template["mappings"],
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func readTemplate(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "index", "templates", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var template map[string]any
	if err := stdjson.Unmarshal(text, &template); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return template
}

// TestTemplatesMapTheKnownSchema holds that what is checked here as a kind is
// indexed as that kind, and that nothing else is indexed.
func TestTemplatesMapTheKnownSchema(t *testing.T) {
	types := map[string]Kind{"text": Text, "keyword": Keyword, "double": Number, "date": Date}
	for _, entity := range Entities() {
		mappings := readTemplate(t, string(entity.Name))["mappings"].(map[string]any)
		got := make(map[string]Kind)
		for name, mapping := range mappings["properties"].(map[string]any) {
			if name != document.VersionField && name != document.SyncField {
				got[name] = types[mapping.(map[string]any)["type"].(string)]
			}
		}
		if diff := cmp.Diff(entity.Fields, got); diff != "" {
			t.Errorf("%s (-checked +mapped):\n%s", entity.Name, diff)
		}
	}
}

// server is a real OpenSearch with indices of this test's own.
type server struct {
	url, prefix string
	client      *http.Client
}

func newServer(t *testing.T) *server {
	s := &server{url: strings.Split(stack.OpenSearch(t), ",")[0], prefix: stack.Name(t), client: &http.Client{Timeout: 30 * time.Second}}
	for _, entity := range Entities() {
		for _, way := range []string{"joined", "plain"} {
			index := s.index(string(entity.Name), way)
			if status, answer := s.do(t, http.MethodPut, "/"+index, indexBody(t, entity)); status != http.StatusOK {
				t.Fatalf("create index: %d %s", status, answer)
			}
		}
	}
	return s
}

func (s *server) index(entity, way string) string { return s.prefix + "-" + entity + "-" + way }

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func (s *server) do(t fataler, method, path string, body []byte) (int, []byte) {
	t.Helper()
	request, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatalf("make request: %v", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return response.StatusCode, answer
}

// write is one document on its way to an index.
type write struct {
	index, id string
	source    []byte
	of        string // the record's value
}

// bulk writes all in one request, those to joined indices as a scripted upsert.
func (s *server) bulk(t fataler, writes []write) {
	t.Helper()
	var body bytes.Buffer
	for _, w := range writes {
		if strings.HasSuffix(w.index, "-plain") {
			fmt.Fprintf(&body, "{\"index\":{\"_index\":%q,\"_id\":%s}}\n%s\n", w.index, quote(w.id), w.source)
			continue
		}
		fmt.Fprintf(&body, "{\"update\":{\"_index\":%q,\"_id\":%s}}\n", w.index, quote(w.id))
		fmt.Fprintf(&body, `{"scripted_upsert":true,"upsert":{},"script":{"source":"ctx._source = params.doc","params":{"doc":%s}}}`+"\n", w.source)
	}
	status, answer := s.do(t, http.MethodPost, "/_bulk", body.Bytes())
	if status != http.StatusOK {
		t.Fatalf("the whole bulk is refused: %d %s", status, clip(string(answer), 2000))
	}
	var result struct {
		Items []map[string]struct {
			Status int
			Error  stdjson.RawMessage
		}
	}
	if err := stdjson.Unmarshal(answer, &result); err != nil || len(result.Items) != len(writes) {
		t.Fatalf("%d items, %v: %s", len(result.Items), err, clip(string(answer), 2000))
	}
	for i, item := range result.Items {
		for _, outcome := range item {
			if outcome.Status/100 != 2 {
				t.Fatalf("%s refuses what Decode takes: %s\n%s", writes[i].index, outcome.Error, clip(writes[i].of, 2000))
			}
		}
	}
}

// stored returns the sources of the writes' documents.
func (s *server) stored(t fataler, writes []write) []any {
	t.Helper()
	var docs []any
	for _, w := range writes {
		docs = append(docs, map[string]any{"_index": w.index, "_id": w.id})
	}
	body, err := stdjson.Marshal(map[string]any{"docs": docs})
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	status, answer := s.do(t, http.MethodPost, "/_mget", body)
	var result struct {
		Docs []struct {
			Source stdjson.RawMessage `json:"_source"`
		}
	}
	if err := stdjson.Unmarshal(answer, &result); err != nil || status != http.StatusOK {
		t.Fatalf("read back: %d %v", status, err)
	}
	var sources []any
	for _, doc := range result.Docs {
		sources = append(sources, plain(t, doc.Source))
	}
	return sources
}

// plain decodes JSON so that equal documents are equal: numbers as numbers, keys
// in any turn.
func plain(t fataler, source []byte) any {
	t.Helper()
	decoder := stdjson.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("decode %s: %v", clip(string(source), 200), err)
	}
	return numbersAsNumbers(value)
}

func numbersAsNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = numbersAsNumbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = numbersAsNumbers(v[i])
		}
	case stdjson.Number:
		if integer, ok := new(big.Int).SetString(v.String(), 10); ok {
			return "integer " + integer.String()
		}
		double, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return err.Error()
		}
		return double
	}
	return value
}

// TestOpenSearchTakesWhatDecodeTakes holds the promise of this package: what is
// accepted here is never refused there, and comes back as it was published.
func TestOpenSearchTakesWhatDecodeTakes(t *testing.T) {
	s := newServer(t)
	mux := NewMux("")
	var good, bad int
	rapid.Check(t, func(t *rapid.T) {
		writes := make(map[string]write) // the last one of each document
		var all []write
		for range rapid.IntRange(1, 60).Draw(t, "records") {
			r := drawRecord(t)
			_, change, rejection := mux.Decode(r)
			if rejection != nil {
				bad++
				continue
			}
			good++
			for _, way := range []string{"joined", "plain"} {
				w := write{index: s.index(string(change.Entity), way), id: change.ID, source: change.State.AppendSource(nil), of: string(r.Value)}
				writes[w.index+" "+w.id] = w
				all = append(all, w)
			}
		}
		if len(all) == 0 {
			return
		}
		s.bulk(t, all)
		var last []write
		for _, w := range writes {
			last = append(last, w)
		}
		for i, got := range s.stored(t, last) {
			if diff := cmp.Diff(plain(t, last[i].source), got); diff != "" {
				t.Fatalf("stored otherwise (-published +stored):\n%s", clip(diff, 4000))
			}
		}
	})
	t.Logf("%d good events, %d bad", good, bad)
	if good < bad/2 {
		t.Errorf("only %d of %d events were good, which proves little", good, good+bad)
	}
}

// TestOpenSearchReadsDatesAsWeDo holds that a date means the same instant there.
func TestOpenSearchReadsDatesAsWeDo(t *testing.T) {
	s := newServer(t)
	index := s.index("post", "plain")
	want := make(map[string]string)
	var writes []write
	rapid.Check(t, func(t *rapid.T) {
		text := drawInstant(t)
		raw := quote(text)
		at, ok := parseInstant([]byte(text))
		if !ok || !isDateValue([]byte(raw)) {
			return
		}
		id := strconv.Itoa(len(writes))
		writes = append(writes, write{index: index, id: id, of: raw, source: fmt.Appendf(nil, `{"created_at":%s}`, raw)})
		want[id] = text + " is " + strconv.FormatInt(floorMillis(at.micros), 10)
	})
	for _, n := range []string{"0", "-1", "-0", "2024", "9999", "9223372036854775807", "-9223372036854775807"} {
		id := strconv.Itoa(len(writes))
		writes = append(writes, write{index: index, id: id, of: n, source: fmt.Appendf(nil, `{"created_at":%s}`, n)})
		want[id] = n + " is " + strings.Replace(n, "-0", "0", 1)
	}
	s.bulk(t, writes)
	s.do(t, http.MethodPost, "/"+index+"/_refresh", nil)
	status, answer := s.do(t, http.MethodPost, "/"+index+"/_search",
		[]byte(`{"size":10000,"_source":false,"docvalue_fields":[{"field":"created_at","format":"epoch_millis"}]}`))
	var result struct {
		Hits struct {
			Hits []struct {
				ID     string `json:"_id"`
				Fields struct {
					At []string `json:"created_at"`
				}
			}
		}
	}
	if err := stdjson.Unmarshal(answer, &result); err != nil || status != http.StatusOK {
		t.Fatalf("search: %d %v %s", status, err, clip(string(answer), 500))
	}
	got := make(map[string]string)
	for _, hit := range result.Hits.Hits {
		i, err := strconv.Atoi(hit.ID)
		if err != nil || len(hit.Fields.At) != 1 {
			t.Fatalf("hit %q has dates %q", hit.ID, hit.Fields.At)
		}
		got[hit.ID] = strings.Trim(writes[i].of, `"`) + " is " + hit.Fields.At[0]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dates (-ours +theirs):\n%s", clip(diff, 4000))
	}
}

func floorMillis(micros int64) int64 {
	millis := micros / 1000
	if micros%1000 < 0 {
		millis--
	}
	return millis
}
