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
	found, err := NewFetcher(cfg, zerolog.Nop()).Fetch(t.Context(), map[record.Partition][]int64{
		first: {3, 0, 1}, second: {1, 7}, {Topic: topic + "-none"}: {0},
	})
	if err != nil {
		t.Fatal(err)
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

// All that it was asked for may have been abandoned since the last try.
func TestFetcherWithNothingToFetchAsksNobody(t *testing.T) {
	found, err := NewFetcher(testConfig(t), zerolog.Nop()).Fetch(t.Context(), nil)
	if len(found) > 0 || err != nil {
		t.Errorf("fetched %v, error %v", found, err)
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
	if _, err := NewFetcher(cfg, zerolog.New(&said)).Fetch(t.Context(), offsets); err == nil || !strings.Contains(said.String(), "read records again") {
		t.Errorf("error %v, said %q", err, said.String())
	}
}
