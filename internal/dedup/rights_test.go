package dedup

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The rights that docs/security.md lists are enough, and none is too many.
func TestRights(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`(?m)^ACL SETUSER indexer on >PASSWORD (.*)$`).FindSubmatch(page)
	if rule == nil {
		t.Fatal("docs/security.md has no rule for Redis")
	}
	rights := strings.Fields(string(rule[1]))
	s := startServer(t)
	words := func(without string) string {
		command := []any{"ACL", "SETUSER", "indexer", "reset", "on", ">secret"}
		for _, right := range rights {
			if right != without {
				command = append(command, right)
			}
		}
		s.do(t, command...)
		s.do(t, "FLUSHALL")
		m, log := open(t, "redis://indexer:secret@"+s.addr()+"/1")
		await(t, "word of Redis", func() bool { m.Up(); return log.String() != "" })
		entries := fresh("uuid", 2)
		m.Mark(t.Context(), entries[:1])
		m.Mark(t.Context(), entries[1:])
		m.Seen(t.Context(), entries)
		return log.String()
	}
	if log := words("nothing"); strings.Contains(log, "down") {
		t.Errorf("the rights are not enough: %s", log)
	}
	for _, right := range rights {
		if log := words(right); !strings.Contains(log, "Redis is down") {
			t.Errorf("%s is too much: %s", right, log)
		}
	}
}
