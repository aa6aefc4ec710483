package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable escapes what a terminal would obey, or not show: publishers write what
// stands in letters.
func printable(text string) string {
	var b strings.Builder
	for i, width := 0, 0; i < len(text); i += width {
		var r rune
		r, width = utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// isPlain reports whether a terminal shows bytes as they are, line breaks and tabs
// included. Joiners pass, since emoji are made with them; marks that turn the
// direction of writing do not.
func isPlain(bytes []byte) bool {
	text := strings.ReplaceAll(string(bytes), "\r\n", "\n") // a lone \r would overwrite what stands before it
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsGraphic(r) && r != '\n' && r != '\t' && r != '\u200c' && r != '\u200d' {
			return false
		}
	}
	return true
}

// plainOrHex returns bytes as text where a terminal shows them as they are, else as
// a hex dump.
func plainOrHex(bytes []byte) (text, form string) {
	if isPlain(bytes) {
		return string(bytes), "text"
	}
	return strings.TrimRight(hex.Dump(bytes), "\n"), "hex"
}

// cutTail shortens text to width characters from its end.
func cutTail(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// cutHead shortens text to width characters from its beginning: a place ends in
// what tells it apart.
func cutHead(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return "…" + string(runes[len(runes)-width+1:])
}
