package config

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Secret is a text that must not be seen: a password, or a URL that may hold
// one. However it is printed, marshalled or logged, it reads "[redacted]" (an
// empty one reads as empty, so that "not set" can still be told). The one hole is
// fmt's: of an unexported struct field it calls no method, so keep a Secret out
// of such fields or never print the struct.
//
// One that came from a file remembers which, so that whoever is refused with it
// can read it again: see [Secret.Renew].
type Secret struct{ text, file string }

const redacted = "[redacted]"

// NewSecret returns a Secret that came from no file.
func NewSecret(text string) Secret { return Secret{text: text} }

// readSecret reads a Secret from a file, one newline at its end removed. Its
// errors do not name the setting.
func readSecret(file string) (Secret, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return Secret{}, fmt.Errorf("name a file that this user can read: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	if text == "" {
		return Secret{}, fmt.Errorf("the file %q is empty: write the secret into it", file)
	}
	return Secret{text: text, file: file}, nil
}

// Reveal returns the text itself, for the one call that needs it.
func (s Secret) Reveal() string { return s.text }

// IsSet reports whether there is a text.
func (s Secret) IsSet() bool { return s.text != "" }

// Renew returns the secret as its file holds it now, and whether that is another
// than s. One that came from no file, or whose file cannot be read at the moment
// (it may be being replaced), stays as it is.
func (s Secret) Renew() (now Secret, changed bool) {
	if s.file == "" {
		return s, false
	}
	now, err := readSecret(s.file)
	if err != nil {
		return s, false
	}
	return now, now != s
}

// String returns "[redacted]", or "" where s is empty.
func (s Secret) String() string {
	if s.text == "" {
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

// UnmarshalText sets the text, which then came from no file.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
