package handlers

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/search-indexer/search-indexer/internal/record"
)

// drawRecord draws an event of any entity that is good more often than not, with
// a liking for what OpenSearch stumbles over.
func drawRecord(t *rapid.T) *record.Record {
	entity := rapid.SampledFrom(Entities()).Draw(t, "entity")
	r := &record.Record{Timestamp: recordTime}
	r.Topic = rapid.SampledFrom(entity.EventTypes).Draw(t, "type")
	members := []string{quote(entity.IDMember) + ":" + drawID(t)}
	taken := map[string]bool{entity.IDMember: true}
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		name, value := drawField(t, entity)
		if !taken[name] {
			members = append(members, drawSpace(t)+quote(name)+drawSpace(t)+":"+value)
		}
		taken[name] = true
	}
	data := "{" + strings.Join(members, ",") + drawSpace(t) + "}"
	if rapid.Bool().Draw(t, "bare") {
		r.Value = []byte(data)
	} else {
		r.Value = fmt.Appendf(nil, `{"version":%d,"data":%s}`, rapid.Int64Range(0, 1<<62).Draw(t, "version"), data)
	}
	return r
}

func quote(text string) string {
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

// usually draws from the first generator half of the time, else from another.
func usually(t *rapid.T, label string, first func(*rapid.T) string, others ...func(*rapid.T) string) string {
	if rapid.Bool().Draw(t, "usual "+label) {
		return first(t)
	}
	return oneOf(t, label, others...)
}

// oneOf draws from one of the generators.
func oneOf(t *rapid.T, label string, draws ...func(*rapid.T) string) string {
	return draws[rapid.IntRange(0, len(draws)-1).Draw(t, label)](t)
}

func sampled(label string, values ...string) func(*rapid.T) string {
	return func(t *rapid.T) string { return rapid.SampledFrom(values).Draw(t, label) }
}

func drawID(t *rapid.T) string {
	return oneOf(t, "kind of id",
		sampled("id", `"1"`, `"a b"`, `"\u0000"`, `"\n"`, `"_id"`, `"/"`, `".."`, `" "`, `"#?&"`, `"\uffff"`, `"ё🎸"`, `"\ud83c\udfb8"`),
		sampled("long id", quote(strings.Repeat("я", 256)), quote(strings.Repeat("🎸", 128)), strings.Repeat("9", 512), quote(strings.Repeat("a", 513))),
		func(t *rapid.T) string { return strconv.FormatInt(rapid.Int64().Draw(t, "number"), 10) },
		func(t *rapid.T) string { return quote(rapid.StringN(1, 20, 512).Draw(t, "text")) },
	)
}

func drawSpace(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", "", " ", "\n", "\r\n\t"}).Draw(t, "space")
}

func drawField(t *rapid.T, entity Entity) (name, value string) {
	known := slices.Sorted(maps.Keys(entity.Fields))
	name = usually(t, "kind of name", sampled("known", known...),
		func(t *rapid.T) string { return rapid.StringMatching(`[a-z_.@ё]{1,6}`).Draw(t, "short name") },
		drawText,
		func(t *rapid.T) string { return drawNastyName(t, known) },
	)
	kind, ok := entity.Fields[name]
	if !ok || rapid.IntRange(0, 9).Draw(t, "whatever") == 0 {
		return name, drawValue(t, rapid.IntRange(0, 5).Draw(t, "depth"))
	}
	switch kind {
	case Date:
		return name, drawDate(t)
	case Number:
		return name, drawNumber(t)
	default:
		return name, usually(t, "kind of words", drawScalar, drawList)
	}
}

func drawNastyName(t *rapid.T, known []string) string {
	return oneOf(t, "nasty",
		sampled("odd", "", ".", "a.", ".a", "a..b", " ", "a. .b", "a.\u00a0.b", "\u001c", "a.\u001c.b", "a.\u2003", "\u200b", "\ufeff", "\x00", "*", "?", "a*", "#", `"`, `\`, "a\nb", "$.a", "🎸", "title ", "event_id", "timestamp"),
		sampled("metadata", "_id", "_index", "_routing", "_source", "_type", "_field_names", "_ignored", "_nested_path", "_seq_no", "_primary_term", "_version", "_doc_count", "_size", "_feature",
			"_data_stream_timestamp", "_recovery_source", "_tier", "_parent", "_all", "_uid", "_score", "_timestamp", "_sync", "_id.x", "_source.a", "version.x", "_context", "_tombstone"),
		sampled("long", strings.Repeat("k", 50_000), strings.Repeat("я", 25_000), strings.Repeat("k", 50_001), strings.Repeat("a.", 3000)+"a", strings.Repeat("a.", 30)+"title"),
		func(t *rapid.T) string {
			return rapid.SampledFrom(known).Draw(t, "head") + rapid.SampledFrom([]string{".x", ".exact", ".", "..", " ", ".a.b"}).Draw(t, "tail")
		},
	)
}

func drawText(t *rapid.T) string {
	return oneOf(t, "kind of text",
		func(t *rapid.T) string { return rapid.String().Draw(t, "any") },
		sampled("text", "", " ", "гитара", "Ёлка", "concerts", "<b>&amp;", "\u2028\u2029", "\x00\x01\x1f\x7f", "\uffff\ufffe", "👩‍👩‍👧", "{}", "null", "NaN", `\u0041`, "2024-01-02", "é\u0301", "\ufdd0"),
		sampled("long text", strings.Repeat("ж", 20_000), strings.Repeat("🎸", 9000), strings.Repeat("中", 8191), strings.Repeat("Ⱥ", 8191), strings.Repeat("word ", 10_000)),
	)
}

func drawScalar(t *rapid.T) string {
	return usually(t, "kind of scalar", func(t *rapid.T) string { return quote(drawText(t)) },
		drawNumber, drawDate, sampled("literal", "true", "false", "null"),
	)
}

func drawNumber(t *rapid.T) string {
	return oneOf(t, "kind of number",
		sampled("number", "0", "-0", "-0.0", "1e3", "1E+3", "4.5", "0.1", "123456789012345678901234567890", "9007199254740993", "1.7976931348623157e308", "5e-324", "1e-400", "0e400", "0e99999", "1e308", "9223372036854775808"),
		sampled("edge", strings.Repeat("7", 1000), "-"+strings.Repeat("7", 1000), "0."+strings.Repeat("7", 999), strings.Repeat("9", 308), strings.Repeat("9", 309), "7."+strings.Repeat("7", 990)+"e-00000001"),
		sampled("beyond", "1e309", "-1e400", "1.7976931348623159e308", strings.Repeat("7", 1001), strings.Repeat("7", 400)+".5", "1e99999999999"),
		func(t *rapid.T) string { return strconv.FormatFloat(rapid.Float64().Draw(t, "double"), 'g', -1, 64) },
		func(t *rapid.T) string { return strconv.FormatInt(rapid.Int64().Draw(t, "integer"), 10) },
	)
}

// drawDate draws what is a date or nearly one.
func drawDate(t *rapid.T) string {
	return usually(t, "kind of date", func(t *rapid.T) string { return quote(drawInstant(t)) },
		func(t *rapid.T) string { return quote(drawInstant(t)[:10]) },
		func(t *rapid.T) string { return strconv.FormatInt(rapid.Int64().Draw(t, "milliseconds"), 10) },
		sampled("edge", "null", "0", "-1", "-0", "2024", "9999", "9223372036854775807", "-9223372036854775807", "-9223372036854775808", "9223372036854775808", `"2024"`, `"2024-01"`, `"now"`, `""`, "1e3", "1.5",
			`"2024-01-02T03:04Z"`, `"2024-01-02T24:00:00Z"`, `"2016-12-31T23:59:60Z"`, `"2024-01-02T03:04:05+0300"`, `"2024-01-02T03:04:05,5Z"`, `"2024-01-02T"`, `["2024-01-02"]`),
	)
}

func drawInstant(t *rapid.T) string {
	between := func(label string, from, to int) int { return rapid.IntRange(from, to).Draw(t, label) }
	text := fmt.Sprintf("%04d-%02d-%02d%s%02d:%02d:%02d", rapid.SampledFrom([]int{0, 1, 1582, 1969, 1970, 2023, 2024, 2038, 9999}).Draw(t, "year"),
		between("month", 1, 12), between("day", 1, 31), rapid.SampledFrom([]string{"T", "t", " "}).Draw(t, "separator"),
		between("hour", 0, 23), between("minute", 0, 59), between("second", 0, 59))
	if digits := between("digits", 0, 10); digits > 0 {
		text += "." + rapid.StringMatching(fmt.Sprintf("[0-9]{%d}", digits)).Draw(t, "fraction")
	}
	if rapid.Bool().Draw(t, "offset") {
		return text + fmt.Sprintf("%s%02d:%02d", rapid.SampledFrom([]string{"+", "-"}).Draw(t, "sign"), between("offset hour", 0, 18), rapid.SampledFrom([]int{0, 0, 1, 30, 59}).Draw(t, "offset minute"))
	}
	return text + rapid.SampledFrom([]string{"Z", "z", ""}).Draw(t, "zone")
}

func drawList(t *rapid.T) string {
	var items []string
	for range rapid.IntRange(0, 4).Draw(t, "items") {
		items = append(items, drawSpace(t)+drawScalar(t))
	}
	return "[" + strings.Join(items, ",") + "]"
}

// drawValue draws any JSON value, depth deep at most, or a very deep one.
func drawValue(t *rapid.T, depth int) string {
	if depth == 0 {
		return drawScalar(t)
	}
	return oneOf(t, "kind of value", drawScalar, drawList,
		func(t *rapid.T) string {
			n := rapid.SampledFrom([]int{1, 15, 16, 17, 21}).Draw(t, "levels")
			if rapid.Bool().Draw(t, "lists") {
				return strings.Repeat("[", n) + strings.Repeat("]", n)
			}
			return strings.Repeat(`{"a.b":`, n) + "1" + strings.Repeat("}", n)
		},
		func(t *rapid.T) string {
			name := oneOf(t, "inner name", drawText, sampled("odd", "_id", "", ".", "a..b", "title", "_source", "\x00"))
			return "{" + drawSpace(t) + quote(name) + ":" + drawValue(t, depth-1) + "}"
		},
	)
}
