package index

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// addition is a change that an index that stands may take.
type addition struct {
	kind, name string // of the Step that it is
	request    func() opensearchapi.Request
}

// comparison collects how a live index differs. Both sides come from OpenSearch, which
// writes mappings in one way: without defaults, and scalars as it likes them (3.8.0).
type comparison struct {
	index string
	found []Difference
}

// compare returns how live, the index of that name, differs from wanted.
func compare(index string, wanted, live template) []Difference {
	c := &comparison{index: index}
	c.parameters("the mapping", wanted.Mappings, live.Mappings)
	c.fields(container{
		member: "properties", closed: isClosed(live.Mappings, false),
		add: func(body map[string]any) map[string]any { return body },
	}, wanted.Mappings, live.Mappings)
	c.settings(flat(wanted.Settings), flat(live.Settings))
	return c.found
}

func (c *comparison) differ(a *addition, format string, args ...any) {
	c.found = append(c.found, Difference{What: fmt.Sprintf(format, args...), addition: a})
}

// container is where fields are: the properties of an object, or the fields of a field.
type container struct {
	member string // properties or fields
	path   string // of the object or field with a dot behind it; empty for the whole mapping
	closed bool   // documents add no fields to it by themselves
	// add returns the body that adds to the member. OpenSearch wants the definition of
	// each field on the way there repeated.
	add func(body map[string]any) map[string]any
}

// fields compares the fields in a container.
func (c *comparison) fields(in container, wanted, live map[string]any) {
	want, have := object(wanted[in.member]), object(live[in.member])
	for _, name := range names(want, have) {
		w, isWanted := want[name]
		h, isThere := have[name]
		switch {
		case !isThere:
			body := in.add(map[string]any{in.member: map[string]any{name: w}})
			c.differ(&addition{kind: "field", name: in.path + name, request: func() opensearchapi.Request {
				return opensearchapi.IndicesPutMappingRequest{Index: []string{c.index}, Body: encoded(body)}
			}}, "field %s%s is missing", in.path, name)
		case isWanted:
			c.field(in, name, object(w), object(h))
		case in.closed:
			c.differ(nil, "field %s%s is not in the template", in.path, name)
		}
	}
}

// field compares one field that both have.
func (c *comparison) field(in container, name string, wanted, live map[string]any) {
	path := in.path + name
	if w, h := fieldType(wanted), fieldType(live); w != h {
		c.differ(nil, "field %s is of type %s, the template has %s", path, h, w)
		return
	}
	c.parameters("field "+path, wanted, live)
	for _, member := range []string{"properties", "fields"} {
		c.fields(container{
			member: member, path: path + ".", closed: member == "fields" || isClosed(live, in.closed),
			add: func(body map[string]any) map[string]any {
				for parameter, value := range live {
					if parameter != "properties" && parameter != "fields" {
						body[parameter] = value
					}
				}
				return in.add(map[string]any{in.member: map[string]any{name: body}})
			},
		}, wanted, live)
	}
}

// parameters compares what a mapping or a field says beside its fields. Of a change of
// these, what is indexed already would not follow.
func (c *comparison) parameters(of string, wanted, live map[string]any) {
	for _, name := range names(wanted, live) {
		switch name {
		case "properties", "fields", "_meta":
			continue
		}
		if !reflect.DeepEqual(wanted[name], live[name]) {
			c.differ(nil, "%s has %s %s, the template %s", of, name, shown(live[name]), shown(wanted[name]))
		}
	}
}

// settings compares those that the template speaks of, and the whole analysis.
func (c *comparison) settings(wanted, live map[string]any) {
	told := map[string]bool{}
	for _, name := range names(wanted, live) {
		w, isWanted := wanted[name]
		part, isAnalysis := analysisPart(name)
		switch {
		case fmt.Sprint(w) == fmt.Sprint(live[name]), told[part], !isWanted && !isAnalysis, isNoted(name, wanted):
		case isAnalysis:
			told[part] = true
			c.differ(nil, "%s is another than in the template", part)
		default:
			c.differ(settingChange(c.index, name, w), "%s is %s, the template has %s", name, shown(live[name]), shown(w))
		}
	}
}

// settingChange returns the change of a setting, nil for those that never change.
func settingChange(index, name string, value any) *addition {
	if name == "index.number_of_shards" {
		return nil
	}
	return &addition{kind: "setting", name: name, request: func() opensearchapi.Request {
		return opensearchapi.IndicesPutSettingsRequest{Index: []string{index}, Body: encoded(map[string]any{name: value})}
	}}
}

// isNoted reports whether a setting is what somebody keeps there by the way: a block,
// or the replicas that OpenSearch itself chooses.
func isNoted(name string, wanted map[string]any) bool {
	if name == "index.number_of_replicas" {
		expand, ok := wanted["index.auto_expand_replicas"]
		return ok && fmt.Sprint(expand) != "false"
	}
	return strings.HasPrefix(name, "index.blocks.")
}

// analysisPart returns "analyzer x" for each setting of that analyzer.
func analysisPart(setting string) (part string, ok bool) {
	rest, ok := strings.CutPrefix(setting, "index.analysis.")
	words := strings.SplitN(rest, ".", 3) // kind, name, member
	return strings.Join(words[:min(2, len(words))], " "), ok
}

// isClosed reports whether an object takes no fields from documents; inherited is what
// holds for the object around it.
func isClosed(object map[string]any, inherited bool) bool {
	switch fmt.Sprint(object["dynamic"]) {
	case "<nil>":
		return inherited
	case "false", "strict":
		return true
	}
	return false
}

func fieldType(field map[string]any) string {
	if name, ok := field["type"].(string); ok {
		return name
	}
	return "object"
}

func object(value any) map[string]any {
	members, _ := value.(map[string]any)
	return members
}

// names returns the names in both, sorted.
func names(a, b map[string]any) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// shown is a value in a sentence.
func shown(value any) string {
	const most = 40
	text, isText := value.(string)
	switch {
	case value == nil:
		return "unset"
	case !isText:
		text = asJSON(value)
	}
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
