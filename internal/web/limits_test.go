package web_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/web"
)

// TestOversizeHeadersAreRefused: Go adds 4 KiB to what a server sets.
func TestOversizeHeadersAreRefused(t *testing.T) {
	base := serve(t, nil, web.Readiness{})
	for size, want := range map[int]int{8 << 10: http.StatusOK, 32 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/livez", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Long", strings.Repeat("x", size))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("header of %d bytes: status %d, want %d", size, response.StatusCode, want)
		}
	}
}

// TestSlowRequestsAreCutOff sends headers, and a body, that never end (slowloris).
func TestSlowRequestsAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for timeouts of 5 and 10 s")
	}
	base := serve(t, nil, web.Readiness{})
	for name, begun := range map[string]string{
		"headers": "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"body":    "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = connection.Close() }()
			if _, err := io.WriteString(connection, begun); err != nil {
				t.Fatal(err)
			}
			go func() {
				for { // ends with the connection
					time.Sleep(200 * time.Millisecond)
					if _, err := io.WriteString(connection, "x"); err != nil {
						return
					}
				}
			}()
			const patience = time.Minute // the server's own is 10 s at most
			_ = connection.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, bufio.NewReader(connection)); isTimeout(err) {
				t.Errorf("still open after %s", patience)
			}
		})
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
