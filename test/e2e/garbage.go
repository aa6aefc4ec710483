package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// rule is one way to break the description of events, and the reason that the
// dead letter must give.
type rule struct {
	name   string
	reason string
	entity string // the kind that it needs; empty: either
	spoil  func(*generator, *message)
}

// garbage returns every rule. Each spoils one thing of a good event, so there is
// one reason only.
func garbage() []rule {
	return slices.Concat(badValues(), badEvents(), badNames(), badEnvelopes(), badFields())
}

func badValues() []rule {
	var rules []rule
	add := func(name, reason string, change func([]byte) []byte) {
		rules = append(rules, rule{name: name, reason: reason, spoil: func(_ *generator, m *message) { m.bytes = change }})
	}
	whole := func(reason string, values ...string) {
		for _, v := range values {
			add(fmt.Sprintf("value %.20q", v), reason, func([]byte) []byte { return []byte(v) })
		}
	}
	rules = append(rules, rule{name: "null value", reason: "empty_value", spoil: func(_ *generator, m *message) {
		m.framing = nil
		m.bytes = func([]byte) []byte { return nil }
	}})
	rules = append(rules, rule{name: "a schema registry header cut short", reason: "invalid_json", spoil: func(_ *generator, m *message) {
		m.framing = nil
		m.bytes = func([]byte) []byte { return []byte{0, 0, 1} }
	}})
	add("truncated", "invalid_json", func(v []byte) []byte { return v[:len(v)-1] })
	add("more behind the object", "invalid_json", func(v []byte) []byte { return append(v, " x"...) })
	add("two objects", "invalid_json", func(v []byte) []byte { return append(slices.Clone(v), v...) })
	add("comma at the end", "invalid_json", func(v []byte) []byte { return append(v[:len(v)-1], ",}"...) })
	whole("invalid_json", "not json", "{'post_id':1}", `{"post_id":1,"title":NaN}`, `{"post_id":01}`, `{"post_id":+1}`, `{"post_id":1.}`,
		`{"post_id":1/* why */}`, "\x1f\x8b\x08gzip", `{"post_id":"\x41"}`, `{"post_id":1,"title":tru}`, " ")
	whole("invalid_event", "null", "true", "17", `"`+Canary+`"`, "[]", `[{"post_id":1}]`)
	for _, text := range []string{"\xff", "caf\xe9", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "half \xf0\x9f\x90", "line\nbreak", "nul\x00"} {
		rules = append(rules, rule{name: fmt.Sprintf("text with the bytes %x", text), reason: "invalid_json", spoil: func(_ *generator, m *message) {
			m.setData("note", `"`+Canary+text+`"`)
		}})
	}
	return append(rules, rule{name: "name that is not UTF-8", reason: "invalid_json", spoil: func(_ *generator, m *message) {
		m.bytes = func(v []byte) []byte { return append(v[:len(v)-1], ",\"\xfe\":1}"...) }
	}})
}

func badEvents() []rule {
	var rules []rule
	nested := func(values ...string) {
		for _, v := range values {
			rules = append(rules, rule{name: "data is " + v, reason: "invalid_event", spoil: func(_ *generator, m *message) {
				m.wrap()
				m.nested = v
			}})
		}
	}
	nested("[]", `"text"`, "5", "false", `[{"post_id":1}]`)
	value := func(name, v string) {
		rules = append(rules, rule{name: name, reason: "invalid_event", spoil: func(_ *generator, m *message) { m.setData("note", v) }})
	}
	value("a key twice", `{"a":1,"a":1}`)
	value("a key twice, once escaped", `{"a":1,"\u0061":2}`)
	value("a key twice, deep", `[0,{"b":[{"a":{},"c":0,"a":{}}]}]`)
	value("17 deep lists", strings.Repeat("[", 17)+strings.Repeat("]", 17))
	value("17 deep objects", strings.Repeat(`{"a":`, 17)+"1"+strings.Repeat("}", 17))
	value("2000 deep", strings.Repeat("[", 2000)+strings.Repeat("]", 2000))
	value("an empty key, deep", `{"a":{"":1}}`)
	value("a lone high surrogate", `"\ud83d"`)
	value("a lone high surrogate in front of a letter", `"\ud83dx"`)
	value("a lone low surrogate", `"a\udc18"`)
	value("surrogates swapped", `["\udc18\ud83d"]`)
	value("a lone surrogate in a key", `{"\ud83d":1}`)
	value("a number of 1,001 digits", strings.Repeat("7", 1001))
	value("a negative number of 1,001 digits, deep", `{"a":[-`+strings.Repeat("7", 1001)+`]}`)
	value("a decimal past a double's range", "1e400")
	value("a negative decimal past a double's range, deep", `[{"a":-1.5E+309}]`)
	twice := func(name string, spoil func(*generator, *message)) {
		rules = append(rules, rule{name: name, reason: "invalid_event", spoil: spoil})
	}
	twice("a field twice", func(_ *generator, m *message) { m.data = append(m.data, m.data[0]) })
	twice("version twice", func(_ *generator, m *message) {
		m.set("version", "7")
		m.envelope = append(m.envelope, member{"version", "7"})
	})
	twice("data twice", func(_ *generator, m *message) {
		m.wrap()
		m.envelope = append(m.envelope, member{"data", `{"post_id":1,"artist_id":1}`})
	})
	return rules
}

func badNames() []rule {
	var rules []rule
	names := func(reason string, names ...string) {
		for _, name := range names {
			rules = append(rules, rule{name: fmt.Sprintf("field named %q", name), reason: reason, spoil: func(g *generator, m *message) {
				m.setData(name, g.anything(2))
			}})
		}
	}
	names("invalid_event", "", " ", ".", "..", ".a", "a.", "a..b", "a. .b", "a.\t", "\u3000.b")
	names("reserved_field", "_sync", "_sync.floor", "_id", "_index", "_routing", "_source", "_source.a", "_id.x", "version.x", "version.major.minor")
	return rules
}

func badEnvelopes() []rule {
	var rules []rule
	member := func(name, reason string, values ...string) {
		for _, v := range values {
			rules = append(rules, rule{name: fmt.Sprintf("%s %.30s", name, v), reason: reason, spoil: func(_ *generator, m *message) { m.set(name, v) }})
		}
	}
	versions := []string{"2.0", `"2"`, "-1", "9223372036854775807", "1e2", "true", "[2]", "{}", "99999999999999999999999", `""`}
	member("version", "invalid_version", versions...)
	for _, v := range versions {
		rules = append(rules, rule{name: "data.version " + v, reason: "invalid_version", spoil: func(_ *generator, m *message) {
			m.wrap()
			m.drop("version")
			m.setData("version", v)
		}})
	}
	member("timestamp", "invalid_timestamp", `""`, `"yesterday"`, "1714550400", "1714550400000", "true", "{}", `["2024-05-01T10:00:00Z"]`, `"2024-05-01"`,
		`"2024-13-01T00:00:00Z"`, `"2024-02-30T00:00:00Z"`, `"2024-05-01T25:00:00Z"`, `"2024-05-01T10:61:00Z"`, `"01/05/2024 10:00:00"`, `"2024-05-01T10:00:00Zx"`,
		`"2024-05-01_10:00:00Z"`, `"Wed, 01 May 2024 10:00:00 GMT"`)
	ahead := func(name string, micros int64) {
		rules = append(rules, rule{name: name, reason: "invalid_timestamp", spoil: func(g *generator, m *message) {
			m.set("timestamp", plainQuote(g.timestamp(m.time*1000+micros)))
		}})
	}
	ahead("timestamp 25 hours ahead", 25*3600*1_000_000)
	ahead("timestamp 24 hours and 1 ms ahead", 24*3600*1_000_000+1000)
	ahead("timestamp years ahead", 10*365*24*3600*1_000_000)
	member("event_id", "invalid_event", `""`, "5", "true", "{}", `["x"]`, `"`+strings.Repeat("x", 129)+`"`, `"`+strings.Repeat("я", 65)+`"`)
	member("event_type", "unknown_event_type", `"post.archived"`, `"user.created"`, `""`, "5", "true", "{}", `["post.created"]`, `"post"`, `"created"`, `" post.created"`)
	foreign := func(name string, spoil func(*message)) {
		rules = append(rules, rule{name: name, reason: "unknown_event_type", spoil: func(_ *generator, m *message) {
			m.topic = foreignTopic
			spoil(m)
		}})
	}
	foreign("no event_type on a topic that tells none", func(m *message) { m.drop("event_type") })
	foreign("null event_type on a topic that tells none", func(m *message) { m.set("event_type", "null") })
	return append(rules, badIDs()...)
}

func badIDs() []rule {
	rules := []rule{
		{name: "no id", reason: "invalid_id", spoil: func(_ *generator, m *message) { m.data = without(m.data, m.entity.kind+"_id") }},
		{name: "the id of the other entity", reason: "invalid_id", entity: "artist", spoil: func(_ *generator, m *message) {
			m.data = append(without(m.data, "artist_id"), member{"post_id", "5"})
		}},
	}
	for _, v := range []string{"null", `""`, "true", "1.5", "1.0", "1e3", "[1]", `["1"]`, "{}", `"` + strings.Repeat("x", 513) + `"`, `"` + strings.Repeat("я", 257) + `"`, strings.Repeat("7", 513)} {
		rules = append(rules, rule{name: fmt.Sprintf("id %.30s", v), reason: "invalid_id", spoil: func(_ *generator, m *message) { m.setData(m.entity.kind+"_id", v) }})
	}
	return rules
}

func badFields() []rule {
	var rules []rule
	field := func(entity string, names []string, values ...string) {
		for i, v := range values {
			for _, name := range []string{names[i%len(names)], names[0]}[:min(2, len(names))] {
				rules = append(rules, rule{
					name: fmt.Sprintf("%s %s %.30s", entity, name, v), reason: "invalid_field", entity: entity,
					spoil: func(_ *generator, m *message) { m.setData(name, v) },
				})
			}
		}
	}
	for _, entity := range []string{"post", "artist"} {
		field(entity, textFields[entity], `{}`, `{"ru":"`+Canary+`"}`, `[{"a":1}]`, `[["a"]]`, `["a",[]]`)
		field(entity, keywordFields[entity], `{}`, `{"a":1}`, `[{}]`, `[["a"]]`, `["a",{"b":1}]`, `[[]]`)
		field(entity, dateFields[entity], `"yesterday"`, `""`, "true", "1.5", "{}", `["2024-05-01T10:00:00Z",{}]`, `"2024-13-01"`, `"2024-02-30T00:00:00Z"`, `"01/05/2024"`, `"2024-05-01T10:00:00Zx"`)
		for _, name := range slices.Concat(textFields[entity], keywordFields[entity], dateFields[entity], numberFields[entity]) {
			rules = append(rules, rule{
				name: entity + " field " + name + ".x", reason: "invalid_field", entity: entity,
				spoil: func(_ *generator, m *message) { m.setData(name+".x", `"`+Canary+`"`) },
			})
		}
	}
	field("post", numberFields["post"], `"5"`, `"`+Canary+`"`, "true", "[]", "[5]", "{}")
	return rules
}
