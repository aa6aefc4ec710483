package web

import (
	"bytes"
	"embed"
	"net/http"
	"time"
)

// The page is plain files: it is served as it lies here, and asks nobody but this
// server.
//
//go:embed page/index.html page/page.css page/page.js
var pageFiles embed.FS

// pagePolicy lets the page load its own files and ask /status, and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page serves one file of the page.
func page(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")                                // another release, another page
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text)) // the type is that of the name's end
	})
}
