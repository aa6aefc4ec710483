package dlq

import (
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

func TestFilters(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }
	broker := newBroker()
	letters := broker.letters(t.Context(),
		Letter{Record: post(1, `{"post_id":"7","version":"x"}`), Reason: "invalid_version", FailedAt: at(1)},
		Letter{Record: post(2, `{"post_id":"7"}`), Reason: "rejected_by_index", FailedAt: at(2)},
		Letter{Record: post(3, `{"post_id":"8"}`), Reason: "rejected_by_index", FailedAt: at(3)},
		Letter{Record: keyed(post(4, `{`), "7"), Reason: "invalid_json", FailedAt: at(4)},
		Letter{Record: keyed(post(5, `{"post_id":"8"}`), "7"), Reason: "too_large", FailedAt: at(5)},
	)
	for name, tt := range map[string]struct {
		filter Filter
		want   string
	}{
		"all":                     {Filter{}, "12345"},
		"reason":                  {Filter{Reasons: []string{"rejected_by_index"}}, "23"},
		"reasons":                 {Filter{Reasons: []string{"invalid_json", "too_large"}}, "45"},
		"topic":                   {Filter{Topics: []string{"post.created"}}, "12345"},
		"another topic":           {Filter{Topics: []string{"artist.created"}}, ""},
		"entity":                  {Filter{Entity: "post"}, "12345"},
		"another entity":          {Filter{Entity: "artist"}, ""},
		"document, or else key":   {Filter{Entity: "post", ID: "7"}, "124"},
		"since":                   {Filter{Since: at(3)}, "345"},
		"before":                  {Filter{Before: at(3)}, "12"},
		"place of a copy":         {Filter{Places: []Place{{record.Partition{Topic: "dead", ID: 1}, 1}}}, "3"},
		"places of originals":     {Filter{Places: []Place{placeOf(post(1, "")), placeOf(post(4, ""))}}, "14"},
		"reason, document, since": {Filter{Reasons: []string{"rejected_by_index"}, ID: "7", Since: at(2)}, "2"},
	} {
		var got strings.Builder
		for _, e := range letters.Matching(tt.filter, false) {
			got.WriteByte(byte('0' + e.Offset))
		}
		if got.String() != tt.want {
			t.Errorf("%s: %s, want %s", name, got.String(), tt.want)
		}
		if tt.filter.IsZero() != (name == "all") {
			t.Errorf("%s: IsZero", name)
		}
	}
}
