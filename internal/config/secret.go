package config

// Secret is a text that must not be seen: a password, or a URL that may hold
// one. However it is printed, marshalled or logged, it reads "[redacted]" (an
// empty one reads as empty, so that "not set" can still be told).
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

// GoString hides s from the verb %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides s from every text encoder, JSON among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides s from JSON encoders that prefer this method.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }
