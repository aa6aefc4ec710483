package handlers

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// What a value may hold at most. The first is the contract with publishers, the
// others were seen on OpenSearch 3.8: beyond them its JSON parser refuses the
// whole bulk request, or stores Infinity as a text.
const (
	maxDepth  = 16         // a scalar is 0 deep, [] is 1
	maxDigits = 1000       // of one number, those of the exponent included
	maxKey    = 50_000     // bytes of UTF-8, at any depth
	maxText   = 50_000_000 // bytes of JSON
)

// inspection is what a look at a whole value finds.
type inspection struct {
	depth   int
	spaced  bool   // has white space between tokens
	problem string // why the value can't be stored; empty where it can
}

// inspect looks through raw, which must be valid JSON.
func inspect(raw []byte) inspection {
	var v inspection
	switch raw[0] {
	case '{', '[':
		v.walk(raw)
	case '"':
		v.text(raw)
	default:
		v.scalar(raw)
	}
	return v
}

func (v *inspection) walk(raw []byte) {
	depth := 0
	var text []byte // the last one seen: a key where a colon follows
	for i := 0; i < len(raw) && v.problem == ""; {
		n := 1
		switch raw[i] {
		case '{', '[':
			depth++
			v.nested(depth)
		case '}', ']':
			depth--
		case '"':
			n = textLen(raw[i:])
			text = raw[i : i+n]
			v.text(text)
		case ':':
			v.key(text)
		case ',':
		case ' ', '\t', '\r', '\n':
			v.spaced = true
		default:
			n = scalarLen(raw[i:])
			v.scalar(raw[i : i+n])
		}
		i += n
	}
}

func (v *inspection) nested(depth int) {
	v.depth = max(v.depth, depth)
	if depth > maxDepth {
		v.problem = "is nested deeper than 16"
	}
}

func (v *inspection) text(raw []byte) {
	if len(raw) > maxText {
		v.problem = "has a text of over 50,000,000 bytes"
	}
}

func (v *inspection) key(raw []byte) {
	const quotes = 2
	switch {
	case len(raw) == quotes:
		v.problem = "has an empty key"
	case len(raw) > maxKey+quotes && len(unquote(raw)) > maxKey:
		v.problem = "has a key of over 50,000 bytes"
	}
}

func (v *inspection) scalar(raw []byte) {
	if !isNumber(raw) {
		return
	}
	digits := 0
	for _, c := range raw {
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	switch {
	case digits > maxDigits:
		v.problem = "has a number of over 1,000 digits"
	case !isInteger(raw) && !isFinite(raw):
		v.problem = "has a decimal beyond the range of a double"
	}
}

// textLen returns the length of the JSON string that raw begins with.
func textLen(raw []byte) int {
	for i := 1; ; i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// scalarLen returns the length of the number or literal that raw begins with.
func scalarLen(raw []byte) int {
	if n := bytes.IndexAny(raw, ",]} \t\r\n"); n >= 0 {
		return n
	}
	return len(raw)
}

func isNumber(raw []byte) bool { return raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9' }

// isInteger reports whether a JSON value is a number without fraction and exponent.
func isInteger(raw []byte) bool { return isNumber(raw) && !bytes.ContainsAny(raw, ".eE") }

// isFinite reports whether a JSON number is within the range of a double.
func isFinite(raw []byte) bool {
	const safe = 300 // so few digits and no exponent stay far below 1.8e308
	if len(raw) <= safe && !bytes.ContainsAny(raw, "eE") {
		return true
	}
	f, _ := strconv.ParseFloat(string(raw), 64) // ErrRange comes with an infinity
	return !math.IsInf(f, 0)
}

// unquote returns the text of a JSON string; bytes that are not UTF-8 are replaced.
func unquote(raw []byte) string { return string(unquoted(raw)) }

// unquoted is unquote without a copy where raw holds the text as it is.
func unquoted(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return raw[1 : len(raw)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // an error comes with the replaced text
	return text
}

// compact returns a copy of a valid JSON value without white space between tokens,
// so that it stays on one line of a bulk request.
func compact(raw []byte) []byte {
	line := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		n := 1
		switch raw[i] {
		case '"':
			n = textLen(raw[i:])
			line = append(line, raw[i:i+n]...)
		case ' ', '\t', '\r', '\n':
		default:
			line = append(line, raw[i])
		}
		i += n
	}
	return line
}
