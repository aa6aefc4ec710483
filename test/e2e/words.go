package e2e

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
)

// quote writes s as JSON text: plainly, or with some or all of it escaped, which
// is the same text.
func (g *generator) quote(s string) string {
	if !g.chance(20) {
		return plainQuote(s)
	}
	share := oneOf(g, 10, 100)
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r != '"' && r != '\\' && r >= ' ' && !g.chance(share) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, oneOf(g, `\u%04x`, `\u%04X`), unit)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// plainQuote escapes what has to be, and nothing else.
func plainQuote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

func (g *generator) array(items []string) string {
	open, comma, end := "[", ",", "]"
	if g.chance(10) {
		open, comma, end = "[ ", " ,\n", "\t]"
	}
	return open + strings.Join(items, comma) + end
}

func (g *generator) object(members []member) string {
	space := ""
	if g.chance(10) {
		space = oneOf(g, " ", "\n  ", "\r\n\t")
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(space + g.quote(m.name) + space + ":" + space + m.value + space)
	}
	b.WriteByte('}')
	return b.String()
}

func formatMicros(micros int64, layout string) string {
	return time.UnixMicro(micros).UTC().Format(layout)
}

// timestamp writes a moment in one of the ways of RFC 3339, or of Python's
// isoformat, which leaves the zone out.
func (g *generator) timestamp(micros int64) string {
	at := time.UnixMicro(micros).UTC()
	separator := oneOf(g, "T", "T", "T", "t", " ")
	zone := oneOf(g, "Z", "Z", "", "", "+00:00", "-00:00", "+03:00", "-07:30", "z")
	if len(zone) == 6 {
		var hours, minutes int
		if _, err := fmt.Sscanf(zone[1:], "%d:%d", &hours, &minutes); err != nil {
			panic(err)
		}
		offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
		if zone[0] == '-' {
			offset = -offset
		}
		at = at.Add(offset) // the clock on the wall there
	}
	fraction := at.Format(".000000")
	switch g.rng.IntN(4) {
	case 0:
		fraction = strings.TrimRight(fraction, "0")
		if fraction == "." {
			fraction = ""
		}
	case 1:
		fraction += oneOf(g, "000", "000000")
	case 2:
		if g.chance(20) { // below a microsecond: cut off
			fraction += oneOf(g, "9", "500", "001")
		}
	}
	return at.Format("2006-01-02") + separator + at.Format("15:04:05") + fraction + zone
}
