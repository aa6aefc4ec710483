package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/web"
)

// TestPageAsksNobodyElse: it has to work where the cluster reaches nothing outside.
func TestPageAsksNobodyElse(t *testing.T) {
	base := serve(t, nil, web.Readiness{})
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Content-Type"); response.StatusCode != 200 || got != kind {
			t.Errorf("%s: %d %s", path, response.StatusCode, got)
		}
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", path, policy)
		}
		_, body := get(t, base+path)
		for _, address := range regexp.MustCompile(`(?i)(https?:)?//[\w.-]+\.\w+[^"\s]*`).FindAllString(body, -1) {
			if address != "http://www.w3.org/2000/svg" { // a name, which nobody asks for
				t.Errorf("%s names %s", path, address)
			}
		}
	}
}

// TestPageSetsNoHTML: topics are named, and servers answer, as others like.
func TestPageSetsNoHTML(t *testing.T) {
	_, script := get(t, serve(t, nil, web.Readiness{})+"/page.js")
	for _, way := range []string{`innerHTML\s*=[^=]`, `outerHTML`, `insertAdjacentHTML`, `document\.write`, `\beval\b`, `new Function`} {
		if found := regexp.MustCompile(way).FindString(script); found != "" {
			t.Errorf("the script has %q", found)
		}
	}
}
