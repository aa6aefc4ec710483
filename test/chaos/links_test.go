package chaos

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a TCP connection that can be made bad.
type link struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// newLink listens on a port of its own and passes on to upstream.
func newLink(t *testing.T, name, upstream string) *link {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics write to the global log
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &link{t: t, proxy: toxiproxy.NewProxy(server, name, freeAddress(t.Fatal), upstream)}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	return l
}

func (l *link) address() string { return l.proxy.Listen }

// toxic is how a link is bad, in toxiproxy's words.
type toxic struct {
	Type       string           `json:"type"`
	Stream     string           `json:"stream"` // upstream: requests; downstream: answers
	Toxicity   float64          `json:"toxicity"`
	Attributes map[string]int64 `json:"attributes"`
}

// poison makes the link bad until the func that it returns is called.
func (l *link) poison(bad toxic) (mend func()) {
	text, err := json.Marshal(bad)
	if err != nil {
		l.t.Fatal(err)
	}
	added, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(string(text)))
	if err != nil {
		l.t.Fatal(err)
	}
	return func() {
		if err := l.proxy.Toxics.RemoveToxic(context.Background(), added.Name); err != nil {
			l.t.Error(err)
		}
	}
}
