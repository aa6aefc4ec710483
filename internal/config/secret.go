package config

import (
	"fmt"
	"io"
)

// Secret is a text that must not be seen: a password, or a URL that may hold
// one. However it is printed, marshalled or logged, it reads "[redacted]" (an
// empty one reads as empty, so that "not set" can still be told). The one hole is
// fmt's: of an unexported struct field it calls no method, so keep a Secret out
// of such fields or never print the struct.
type Secret string

const redacted = "[redacted]"

// Reveal returns the text itself, for the one call that needs it.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]", or "" where s is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides s from every verb of package fmt; without it a wrong verb such
// as %d would show the text in its complaint.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText hides s from every text encoder, JSON among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides s from JSON encoders that prefer this method.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }
