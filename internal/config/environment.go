package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Environment holds environment variables by name. It is an envconfig.Lookuper;
// tests write one instead of changing the process's own.
type Environment map[string]string

// ParseEnvironment reads the form of [os.Environ], "NAME=value".
func ParseEnvironment(environ []string) Environment {
	env := make(Environment, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

// Lookup returns the value of the variable and whether it is set.
func (e Environment) Lookup(name string) (string, bool) {
	value, ok := e[name]
	return value, ok
}

// Misspelled returns one sentence for each variable that is set, is no setting
// of the targets, and differs from one by at most two letters. Other unknown
// variables are none of our business: Kubernetes alone sets a dozen KAFKA_…
// variables beside a service of that name.
func (e Environment) Misspelled(targets ...any) []string {
	const typo = 2
	known := names(targets)
	var found []string
	for name := range e {
		if slices.Contains(known, name) {
			continue
		}
		near := slices.MinFunc(known, func(a, b string) int {
			return cmp.Compare(levenshtein.ComputeDistance(name, a), levenshtein.ComputeDistance(name, b))
		})
		if levenshtein.ComputeDistance(name, near) <= typo {
			found = append(found, fmt.Sprintf("%s is no setting; did you mean %s?", name, near))
		}
	}
	slices.Sort(found)
	return found
}

func names(targets []any) []string {
	var all []string
	for _, s := range Describe(targets...) {
		all = append(all, s.Name)
		if s.Secret {
			all = append(all, s.Name+fileSuffix)
		}
	}
	return all
}
