package e2e

import (
	"fmt"
	"strconv"
	"strings"
)

// member is one member of a JSON object: its name, and its value as JSON text.
type member struct{ name, value string }

// What the known fields of each entity take (section "Known schema" of the
// events' description).
var (
	textFields = map[string][]string{
		"post": {"title", "content", "summary"}, "artist": {"name", "bio"},
	}
	keywordFields = map[string][]string{
		"post":   {"slug", "author_id", "artist_id", "status", "language", "tags"},
		"artist": {"slug", "country", "genres", "image_url"},
	}
	dateFields = map[string][]string{
		"post": {"created_at", "updated_at", "published_at"}, "artist": {"created_at", "updated_at"},
	}
	numberFields = map[string][]string{"post": {"rating"}}
)

// unknownNames are names that no schema knows, so that anything may stand there.
var unknownNames = []string{
	"views", "price", "meta", "meta.deep.er", "x.y", "x", "ключ", "ё", "е", "🔑", "e\u0301", "é",
	"constructor", "__proto__", "ctx", "params", "doc", "upsert", "script", "_private", "_syncs", "_ids",
	"versions", "Version", "deleted", "floor", "seen", "orders", "format", "null", "1", "[0]",
	"a b", "line\nbreak", "u\u2028\u2029", `quote"s`, `back\slash`, "<tag>&", "nul\x00", "title_", "Title", "~0/1",
}

// envelopeNames are ordinary names within the data of an envelope.
var envelopeNames = []string{"event_id", "event_type", "correlation_id", "timestamp", "data"}

// otherSchema are names that the other entity knows, so that here anything goes.
var otherSchema = map[string][]string{
	"post": {"name", "bio", "country", "image_url", "bio.x"}, "artist": {"title", "content", "rating", "published_at", "title.x"},
}

var strangeTexts = []string{
	"", " ", "Ёлка и ёж", "The quick brown fox", "Группа выпустила новый альбом", "emoji 🎸👩‍👩‍👧‍👦🇷🇺", "line\u2028para\u2029",
	"<script>alert('&amp;')</script>", "e\u0301 ё combining", "\x00\x01\x1f\x7f", `"\/` + "\b\f\n\r\t", "\ufeff\uffff\U0010ffff",
	"null", "true", "123", "{{params}}", "${ctx._source}", `{"a":1}`, "עברית العربية", strings.Repeat("long ", 200),
}

// fields returns what one event says of its entity: much when it was created,
// little or nothing in an update.
func (g *generator) fields(e entity, kind string) []member {
	var fields []member
	seen := map[string]bool{e.kind + "_id": true}
	add := func(percent int, names []string, value func() string) {
		for _, name := range names {
			if g.chance(percent) && !seen[name] {
				seen[name] = true
				fields = append(fields, member{name, value()})
			}
		}
	}
	known, unknown := 15, 2
	switch kind {
	case "created":
		known, unknown = 60, 4
	case "deleted":
		known, unknown = 2, 1
	}
	add(known, textFields[e.kind], func() string { return g.scalarOrList(g.text) })
	add(known, keywordFields[e.kind], func() string { return g.scalarOrList(g.text) })
	add(known, dateFields[e.kind], g.date)
	add(known, numberFields[e.kind], g.rating)
	add(unknown, unknownNames, func() string { return g.anything(4) })
	add(unknown, otherSchema[e.kind], func() string { return g.anything(3) })
	if g.chance(3) {
		add(50, envelopeNames, func() string { return g.anything(2) })
	}
	if g.rarely(400) {
		fields = append(fields, member{"huge", g.quote(strings.Repeat("ж", 20_000))})
	}
	return fields
}

func (g *generator) scalarOrList(text func() string) string {
	switch g.rng.IntN(16) {
	case 0:
		return "null"
	case 1:
		return g.number()
	case 2:
		return oneOf(g, "true", "false")
	case 3, 4:
		items := make([]string, g.rng.IntN(4))
		for i := range items {
			items[i] = oneOf(g, text(), text(), g.number(), "true", "null")
		}
		return g.array(items)
	}
	return text()
}

func (g *generator) text() string {
	switch {
	case g.chance(40):
		return g.quote(pick(g, strangeTexts))
	case g.rarely(500): // past the longest term that Lucene takes, 32,766 bytes
		return g.quote(Canary + strings.Repeat("длинный", 2400))
	}
	return g.quote(fmt.Sprintf("%s %d", Canary, g.rng.IntN(1_000_000)))
}

func (g *generator) number() string {
	switch g.rng.IntN(8) {
	case 0, 1:
		return g.digits(20 + g.rng.IntN(41))
	case 2:
		return "-" + g.digits(19)
	case 3:
		return strconv.FormatFloat(g.rng.NormFloat64()*1e6, 'f', g.rng.IntN(12)+1, 64)
	case 4:
		return oneOf(g, "1e3", "1.0", "-0.0", "5e-324", "1.7976931348623157e308", "0.1", "1E+2", "123456789.123456789", "-2.5e-7", "9007199254740993")
	case 5:
		return oneOf(g, "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809")
	}
	return strconv.Itoa(g.rng.IntN(2000) - 1000)
}

func (g *generator) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + g.rng.IntN(10))
	}
	b[0] = '7'
	return string(b)
}

func (g *generator) rating() string {
	return oneOf(g, "null", "4.5", "5", "0", "-1.25", "1e300", g.digits(25), strconv.Itoa(g.rng.IntN(100)))
}

func (g *generator) date() string {
	at := g.moment()
	switch g.rng.IntN(9) {
	case 0:
		return "null"
	case 1:
		return strconv.FormatInt(at/1000, 10)
	case 2:
		return oneOf(g, "0", "-1000", "4102444800000")
	case 3:
		return `"` + formatMicros(at, "2006-01-02") + `"`
	case 4:
		return `"` + formatMicros(at, "2006-01-02T15:04:05") + `"`
	case 5:
		return `"` + formatMicros(at, "2006-01-02T15:04:05.000000") + `123Z"`
	case 6:
		return `"` + formatMicros(at, "2006-01-02T15:04:05.000") + `+03:00"`
	}
	return `"` + formatMicros(at, "2006-01-02T15:04:05.999999Z") + `"`
}

// anything returns any JSON value, nested at most depth deep or, rarely, 14.
func (g *generator) anything(depth int) string {
	r := g.rng.IntN(12)
	if depth == 0 {
		r %= 6
	}
	switch r {
	case 0:
		return "null"
	case 1:
		return oneOf(g, "true", "false")
	case 2, 3:
		if g.rarely(200) {
			return g.digits(1000)
		}
		return g.number()
	case 4, 5:
		return g.text()
	case 6:
		if depth == 4 && g.rarely(20) { // 16 with data and envelope
			return strings.Repeat(`[`, 14) + "1" + strings.Repeat(`]`, 14)
		}
		fallthrough
	case 7, 8:
		items := make([]string, g.rng.IntN(4))
		for i := range items {
			items[i] = g.anything(depth - 1)
		}
		return g.array(items)
	}
	var members []member
	for _, name := range unknownNames {
		if g.chance(5) {
			members = append(members, member{name, g.anything(depth - 1)})
		}
	}
	if g.chance(20) { // names that only the top level forbids
		members = append(members, member{oneOf(g, "_id", "_source", "_sync", "version", "a..b", ".", "title.x"), g.anything(depth - 1)})
	}
	return g.object(members)
}
