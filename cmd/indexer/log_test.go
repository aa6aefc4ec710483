package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestLogLines(t *testing.T) {
	for _, format := range []string{"json", ""} { // no terminal
		testLogLines(t, logConfig{Level: "warn", Format: format})
	}
}

func testLogLines(t *testing.T, cfg logConfig) {
	t.Helper()
	var out bytes.Buffer
	log := cfg.logger(&out)
	log.Info().Msg("not this")
	log.Warn().Str("topic", "post.created").Msg("this")
	var line struct{ Level, Time, Topic, Message string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	at, err := time.Parse("2006-01-02T15:04:05.000Z", line.Time)
	if err != nil || time.Since(at) > time.Minute || line.Level != "warn" || line.Topic != "post.created" || line.Message != "this" {
		t.Errorf("%s, error %v", out.String(), err)
	}
}

func TestConsoleLogLines(t *testing.T) {
	var out bytes.Buffer
	log := logConfig{Level: "info", Format: "console"}.logger(&out)
	log.Info().Int("lag", 5).Msg("reading")
	if got := out.String(); !bytes.HasSuffix(out.Bytes(), []byte(" INF reading lag=5\n")) || got[2] != ':' {
		t.Errorf("%q", got)
	}
}
