package handlers

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// FuzzIsPlain holds isPlain against the standard library.
func FuzzIsPlain(f *testing.F) {
	for _, text := range []string{
		"", "plain", "Новый альбом группы — «Лето»", "слова по-русски", "гитара 🎸 и 🎸🎸", "日本語のテキスト", "हिन्दी", "한국어 노래", "\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
		"a line\n", "0123456\x1f", "\x8c", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "1234567\xd0", "1234567\xe2\x80", "1234567\xd0🎸", "123456\xe2\x80🎸",
	} {
		f.Add([]byte(text), uint8(0))
		f.Add([]byte(text), uint8(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, shift uint8) {
		text = append(bytes.Repeat([]byte("_"), int(shift%16)), text...)
		want := utf8.Valid(text) && bytes.IndexFunc(text, func(r rune) bool { return r < ' ' }) < 0
		if got := isPlain(text); got != want {
			t.Errorf("isPlain(%q) is %v", text, got)
		}
	})
}
