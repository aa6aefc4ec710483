package handlers

import (
	"encoding/binary"
	"unicode/utf8"
)

// The lowest and the highest bit of each byte of a word of eight.
const (
	lows  = 0x01_01_01_01_01_01_01_01
	highs = 0x80 * lows
)

// isPlain reports whether text is UTF-8 without control characters. It looks at
// eight bytes at once, since utf8.Valid takes two thirds of a microsecond for a
// kilobyte of Russian text (Go 1.26).
func isPlain(text []byte) bool {
	var due uint64 // the bytes of this word that have to continue a letter of the last one
	for i := 0; i < len(text); {
		word := wordAt(text, i)
		if (word|(word-' '*lows))&highs|due == 0 {
			i += 8 // nothing but ASCII, none of it below the space
			continue
		}
		if (word-' '*lows)&^word&highs != 0 {
			return false
		}
		letters := word & highs
		// The first byte of a letter has as many leading ones as the letter has bytes,
		// each other byte has one.
		first := letters & (word << 1)
		three := first & (word << 2)
		follow := letters &^ first
		if isSpecial(word, first, three) {
			next, ok := step(text, i)
			if !ok || due&^follow != 0 {
				return false
			}
			i, due = next, 0
			continue
		}
		if follow != due|first<<8|three<<16 {
			return false
		}
		i, due = i+8, first>>56|three>>48
	}
	return due == 0
}

// wordAt returns eight bytes of text from i on; spaces stand for those behind its end.
func wordAt(text []byte, i int) uint64 {
	if i+8 <= len(text) {
		return binary.LittleEndian.Uint64(text[i : i+8])
	}
	rest := [8]byte{' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '}
	copy(rest[:], text[i:])
	return binary.LittleEndian.Uint64(rest[:])
}

// isSpecial reports whether word holds the first byte of a letter of four bytes, or
// one that not every second byte may follow: C0, C1, E0 and ED. What has bits set is
// the first bytes, and those of them that begin a letter of three or more.
func isSpecial(word, first, three uint64) bool {
	if first&^(word<<2|word<<3|word<<4|word<<5|word<<6) != 0 {
		return true // C0 or C1
	}
	return three != 0 && (three&(word<<3) != 0 || hasZero(word^0xE0*lows) || hasZero(word^0xED*lows))
}

func hasZero(word uint64) bool { return (word-lows)&^word&highs != 0 }

// step reads the letters of the word at i one by one and returns where the next one
// begins.
func step(text []byte, i int) (next int, ok bool) {
	end := min(i+8, len(text))
	for i > 0 && !utf8.RuneStart(text[i]) {
		i--
	}
	for i < end {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return 0, false
		}
		i += n
	}
	return i, true
}
