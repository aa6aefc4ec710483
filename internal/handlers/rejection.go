package handlers

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxExcerpt is how many bytes of an event's contents may show in a rejection.
const maxExcerpt = 64

func reject(reason Reason, format string, args ...any) *Rejection {
	return &Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// excerpt returns the beginning of a value, as published, for a rejection.
func excerpt[T []byte | string](value T) string {
	text := clip(string(value[:min(len(value), maxExcerpt+utf8.UTFMax)]), maxExcerpt)
	text = strings.ToValidUTF8(text, "?")
	if len(value) > maxExcerpt {
		text += "…"
	}
	return text
}

// clip returns the first limit bytes of text at most, whole runes only.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
