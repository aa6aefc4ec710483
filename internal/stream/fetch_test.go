package stream

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/record"
)

func TestFetcherReadsWhatIsStillThere(t *testing.T) {
	cfg := testConfig(t)
	topic := makeTopics(t, cfg, 2)[0]
	first, second := record.Partition{Topic: topic, ID: 0}, record.Partition{Topic: topic, ID: 1}
	publish(t, cfg, first, "a", "b", "c", "d")
	publish(t, cfg, second, "x", "y")
	cutLog(t, cfg, first, 1)
	found, unread := NewFetcher(cfg, zerolog.Nop()).Fetch(t.Context(), map[record.Partition][]int64{
		first: {3, 0, 1}, second: {1, 7}, {Topic: topic + "-none"}: {0},
	})
	if len(unread) > 0 {
		t.Errorf("unread: %v", unread)
	}
	var got []string
	for _, r := range found {
		got = append(got, fmt.Sprintf("%d@%d %s", r.ID, r.Offset, r.Value))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"0@1 b", "0@3 d", "1@1 y"}, got); diff != "" {
		t.Errorf("%s", diff)
	}
}

// What lies far apart is sought, and what lies between is not read.
func TestReaderGoesFromRangeToRange(t *testing.T) {
	cfg := testConfig(t)
	id := record.Partition{Topic: makeTopics(t, cfg, 1)[0]}
	values := make([]string, 5000)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	publish(t, cfg, id, values...)
	ranges := []Range{{Partition: id, From: 1, To: 3}, {Partition: id, From: 4900, To: 4901}, {Partition: id, From: 4999, To: 5000}}
	if diff := cmp.Diff([]string{"0:1", "0:2", "0:4900", "0:4999"}, read(t, testReader(t, cfg), ranges)); diff != "" {
		t.Errorf("%s", diff)
	}
}

func TestAroundOffsets(t *testing.T) {
	log := Range{Partition: record.Partition{Topic: "any"}, TopicID: "id", From: 10, To: 100_000}
	for name, tt := range map[string]struct {
		offsets []int64
		want    [][2]int64
	}{
		"none":            {nil, nil},
		"gone or to come": {[]int64{3, 9, 100_000}, nil},
		"near":            {[]int64{10, 11, 11 + seekGap}, [][2]int64{{10, 12 + seekGap}}},
		"far":             {[]int64{10, 11, 12 + seekGap, 99_999}, [][2]int64{{10, 12}, {12 + seekGap, 13 + seekGap}, {99_999, 100_000}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got [][2]int64
			for _, r := range around(log, tt.offsets) {
				got = append(got, [2]int64{r.From, r.To})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s", diff)
			}
		})
	}
}

// All that it was asked for may have been abandoned since the last try.
func TestFetcherWithNothingToFetchAsksNobody(t *testing.T) {
	found, unread := NewFetcher(testConfig(t), zerolog.Nop()).Fetch(t.Context(), nil)
	if len(found)+len(unread) > 0 {
		t.Errorf("fetched %v, unread %v", found, unread)
	}
}

func TestFetcherKnowsAPasswordThatWasChanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	put(t, file, []byte("old"))
	var cfg Config
	if err := config.Load(t.Context(), config.Environment{
		"KAFKA_BROKERS": "127.0.0.1:1", "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN",
		"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD_FILE": file,
	}, &cfg); err != nil {
		t.Fatal(err)
	}
	fetcher := NewFetcher(cfg, zerolog.Nop())
	put(t, file, []byte("new"))
	r, err := fetcher.reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := r.cfg.SASLPassword.Reveal(); got != "new" {
		t.Errorf("reads with the password %q", got)
	}
}

// A certificate may be broken while it is being replaced.
func TestFetcherThatCannotConnectSaysSo(t *testing.T) {
	var said strings.Builder
	cfg := testConfig(t)
	cfg.SecurityProtocol, cfg.CAFile = "SSL", filepath.Join(t.TempDir(), "none.pem")
	offsets := map[record.Partition][]int64{{Topic: "any"}: {0}}
	if _, unread := NewFetcher(cfg, zerolog.New(&said)).Fetch(t.Context(), offsets); len(unread) != 1 || !strings.Contains(said.String(), "read records again") {
		t.Errorf("unread %v, said %q", unread, said.String())
	}
}
