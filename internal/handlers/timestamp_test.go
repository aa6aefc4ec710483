package handlers

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestParseInstantAgreesWithTheStandardLibrary compares what RFC 3339 and the
// standard library have in common, days that the calendar lacks included.
func TestParseInstantAgreesWithTheStandardLibrary(t *testing.T) {
	var good, bad int
	rapid.Check(t, func(t *rapid.T) {
		for range 25 {
			text := drawInstant(t)
			canonical := text[:10] + "T" + strings.ToUpper(text[11:])
			if tail := canonical[19:]; !strings.ContainsAny(tail, "Z+-") {
				canonical += "Z"
			}
			want, err := time.Parse(time.RFC3339, canonical)
			got, ok := parseInstant([]byte(text))
			if ok != (err == nil) || ok && got.micros != want.UnixMicro() {
				t.Fatalf("%q is %+v (%v), want %v (%v)", text, got, ok, want, err)
			}
			if ok {
				good++
			} else {
				bad++
			}
		}
	})
	if good == 0 || bad == 0 {
		t.Errorf("%d good, %d bad: compared too little", good, bad)
	}
}
