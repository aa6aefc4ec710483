package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
)

// CheckLog names what is wrong with all that a worker printed: races, contents of
// events, and lines that are no JSON. The first of each kind has to do.
func CheckLog(text string) []string {
	var wrong []string
	if _, race, found := strings.Cut(text, "WARNING: DATA RACE"); found {
		wrong = append(wrong, fmt.Sprintf("the race detector speaks:\n%.6000s", race))
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, Canary) {
			return append(wrong, fmt.Sprintf("contents of an event stand in the log: %.500s", line))
		}
		if !json.Valid([]byte(line)) && strings.HasSuffix(line, "\n") { // a kill may cut the last one
			return append(wrong, fmt.Sprintf("a line of the log is no JSON: %.500s", line))
		}
	}
	return wrong
}
