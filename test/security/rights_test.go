//go:build security

package security

import (
	"context"
	"os"
	"regexp"
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

// setPassword gives a Kafka user of SCRAM a password.
func (s *services) setPassword(user, password string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	result, err := s.broker.AlterUserScramCredentials(ctx, []kafka.UserScramCredentialUpsertion{{
		User: user, Password: []byte(password),
		ScramCredentialInfo: kafka.ScramCredentialInfo{Mechanism: kafka.ScramMechanismSHA512, Iterations: 4096},
	}}, nil)
	if err != nil || result.Errors[user].Code() != kafka.ErrNoError {
		s.t.Fatalf("set the password of %s: %v %v", user, err, result.Errors)
	}
}

// acls are the page's rules for a user, for the topics and groups of a prefix and
// in the name of another user.
func (s *services) acls(documented, prefix, user string) kafka.ACLBindings {
	s.t.Helper()
	flag := regexp.MustCompile(`--(operation|topic|group|resource-pattern-type) (\S+)`)
	var found kafka.ACLBindings
	for line := range strings.Lines(page(s.t)) {
		if !strings.HasPrefix(line, "kafka-acls --add --allow-principal User:"+documented+" ") {
			continue
		}
		rule := kafka.ACLBinding{
			Principal: "User:" + user, Host: "*", PermissionType: kafka.ACLPermissionTypeAllow, ResourcePatternType: kafka.ResourcePatternTypeLiteral,
		}
		var operations []string
		for _, match := range flag.FindAllStringSubmatch(line, -1) {
			switch match[1] {
			case "operation":
				operations = append(operations, match[2])
			case "topic":
				rule.Type, rule.Name = kafka.ResourceTopic, prefix+match[2]
			case "group":
				rule.Type, rule.Name = kafka.ResourceGroup, prefix+match[2]
			case "resource-pattern-type":
				rule.ResourcePatternType = kafka.ResourcePatternTypePrefixed
			}
		}
		for _, operation := range operations {
			var err error
			one := rule
			if one.Operation, err = kafka.ACLOperationFromString(strings.ReplaceAll(operation, "DescribeConfigs", "Describe_Configs")); err != nil {
				s.t.Fatal(err)
			}
			found = append(found, one)
		}
	}
	if len(found) == 0 {
		s.t.Fatalf("docs/security.md has no ACLs for %s", documented)
	}
	return found
}

// allow gives a Kafka user rules.
func (s *services) allow(rules kafka.ACLBindings) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	results, err := s.broker.CreateACLs(ctx, rules)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, result := range results {
		if result.Error.Code() != kafka.ErrNoError {
			s.t.Fatalf("%+v: %v", rules[i], result.Error)
		}
	}
}

// role makes the page's role for a command under a prefix of indices.
func (s *services) role(documented, prefix string) {
	s.t.Helper()
	_, after, found := strings.Cut(page(s.t), "/roles/"+documented+"`)")
	_, after, block := strings.Cut(after, "```json\n")
	body, _, end := strings.Cut(after, "```")
	if !found || !block || !end {
		s.t.Fatalf("docs/security.md has no role %s", documented)
	}
	body = strings.NewReplacer(`"posts`, `"`+prefix+"posts", `"artists`, `"`+prefix+"artists").Replace(body)
	s.put("/_plugins/_security/api/roles/"+prefix+documented, body)
}

// give maps the role of a prefix to users.
func (s *services) give(documented, prefix string, users ...string) {
	s.t.Helper()
	s.put("/_plugins/_security/api/rolesmapping/"+prefix+documented, `{"users":["`+strings.Join(users, `","`)+`"]}`)
}

// searchUser makes an OpenSearch user, or gives one another password.
func (s *services) searchUser(name, password string) {
	s.t.Helper()
	s.put("/_plugins/_security/api/internalusers/"+name, `{"password":"`+password+`"}`)
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
