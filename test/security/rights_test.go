package security

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// page is docs/security.md, whose rules the tests apply.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rights are a row of the page's table: what one command needs.
type rights struct {
	rules []rule
	role  string // in OpenSearch; empty for none
}

// rule is one operation on the resources of a column.
type rule struct {
	operation string
	resources []kafka.ACLBinding
}

// documented returns the row of a command, for the topics and groups of a prefix.
func documented(t *testing.T, command, prefix string) rights {
	t.Helper()
	topic := func(name string, pattern kafka.ResourcePatternType) kafka.ACLBinding {
		return kafka.ACLBinding{Type: kafka.ResourceTopic, Name: prefix + name, ResourcePatternType: pattern}
	}
	columns := [][]kafka.ACLBinding{
		{topic("post.", kafka.ResourcePatternTypePrefixed), topic("artist.", kafka.ResourcePatternTypePrefixed)},
		{topic("search-indexer.dlq", kafka.ResourcePatternTypeLiteral)},
		{topic("search-indexer.dlq.done", kafka.ResourcePatternTypeLiteral)},
		{{Type: kafka.ResourceGroup, Name: prefix + "search-indexer", ResourcePatternType: kafka.ResourcePatternTypeLiteral}},
	}
	const role = 5 // the cell behind them
	for line := range strings.Lines(page(t)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != role+1 || !strings.Contains(cells[0], "`"+command+"`") {
			continue
		}
		found := rights{role: strings.Trim(cells[role], " `")}
		for i, resources := range columns {
			for operation := range strings.FieldsFuncSeq(cells[i+1], func(r rune) bool { return r == ' ' || r == ',' }) {
				found.rules = append(found.rules, rule{operation, resources})
			}
		}
		return found
	}
	t.Fatalf("docs/security.md has no rights of %q", command)
	return rights{}
}

// allow gives a Kafka user the rules.
func (s *services) allow(user string, rules []rule) {
	s.t.Helper()
	var bindings kafka.ACLBindings
	for _, r := range rules {
		operation, err := kafka.ACLOperationFromString(strings.ReplaceAll(r.operation, "DescribeConfigs", "Describe_Configs"))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, binding := range r.resources {
			binding.Principal, binding.Host = "User:"+user, "*"
			binding.Operation, binding.PermissionType = operation, kafka.ACLPermissionTypeAllow
			bindings = append(bindings, binding)
		}
	}
	if len(bindings) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	results, err := s.broker.CreateACLs(ctx, bindings)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, result := range results {
		if result.Error.Code() != kafka.ErrNoError {
			s.t.Fatalf("%+v: %v", bindings[i], result.Error)
		}
	}
}

// setPassword gives Kafka users of SCRAM a password.
func (s *services) setPassword(password string, users ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wanted []kafka.UserScramCredentialUpsertion
	for _, user := range users {
		wanted = append(wanted, kafka.UserScramCredentialUpsertion{
			User: user, Password: []byte(password),
			ScramCredentialInfo: kafka.ScramCredentialInfo{Mechanism: kafka.ScramMechanismSHA512, Iterations: 4096},
		})
	}
	result, err := s.broker.AlterUserScramCredentials(ctx, wanted, nil)
	if err != nil {
		s.t.Fatalf("set passwords: %v", err)
	}
	for user, refusal := range result.Errors {
		if refusal.Code() != kafka.ErrNoError {
			s.t.Fatalf("set the password of %s: %v", user, refusal)
		}
	}
}

// searchRoles makes the page's roles for each prefix of indices, a user of the same
// name for each, and maps one to the other: with one change of the plugin's own index
// for each kind of thing, as it takes only one change at a time.
func (s *services) searchRoles(passwords map[string]string) {
	s.t.Helper()
	pattern := regexp.MustCompile("(?s)/roles/(indexer-[a-z]+)`\\).*?```json\n(.*?)```")
	documented := pattern.FindAllStringSubmatch(page(s.t), -1)
	if len(documented) == 0 {
		s.t.Fatal("docs/security.md has no roles")
	}
	changes := map[string][]map[string]any{}
	add := func(kind, name string, value any) {
		changes[kind] = append(changes[kind], map[string]any{"op": "add", "path": "/" + name, "value": value})
	}
	for prefix, password := range passwords {
		for _, role := range documented {
			body := strings.NewReplacer(`"posts`, `"`+prefix+"posts", `"artists`, `"`+prefix+"artists").Replace(role[2])
			add("roles", prefix+role[1], json.RawMessage(body))
			add("internalusers", prefix+role[1], map[string]any{"password": password})
			add("rolesmapping", prefix+role[1], map[string]any{"users": []string{prefix + role[1]}})
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(changes)) { // so a mapping comes after its role
		body, err := json.Marshal(changes[kind])
		if err != nil {
			s.t.Fatal(err)
		}
		s.change("PATCH", "/_plugins/_security/api/"+kind, string(body))
	}
}

// give maps the worker's role of a prefix to users.
func (s *services) give(prefix string, users ...string) {
	s.t.Helper()
	s.change("PUT", "/_plugins/_security/api/rolesmapping/"+prefix+"indexer-run", `{"users":["`+strings.Join(users, `","`)+`"]}`)
}

// redisUser applies the page's rule to a user of Redis.
func (s *services) redisUser(name, password string) {
	s.t.Helper()
	rule := regexp.MustCompile(`(?m)^ACL SETUSER indexer (.*)$`).FindStringSubmatch(page(s.t))
	if rule == nil {
		s.t.Fatal("docs/security.md has no rule for Redis")
	}
	command := []any{"ACL", "SETUSER", name, "reset"}
	for word := range strings.FieldsSeq(strings.ReplaceAll(rule[1], "PASSWORD", password)) {
		command = append(command, word)
	}
	if err := s.redis.Do(context.Background(), command...).Err(); err != nil {
		s.t.Fatal(err)
	}
}
