package stream

import (
	"crypto/sha256"
	"os"
)

// A client (librdkafka 2.15) reads certificates, and the client secret of
// OAUTHBEARER, once: when it is made. Where the brokers refuse them, or it the
// brokers', and the files have changed since, it has to be replaced by another.

// fingerprint tells the contents of those files as they are now apart from others.
type fingerprint [sha256.Size]byte

// outdated returns the settings with the secret as it is now, and whether a client
// that was made with the given contents should be replaced. That is not so where
// librdkafka refuses what is in the files: they may be being replaced.
func (c Config) outdated(made fingerprint) (Config, bool) {
	c.SASLPassword, _ = c.SASLPassword.Renew()
	return c, c.fingerprint() != made && c.tryOut() == nil
}

func (c Config) fingerprint() fingerprint {
	all := sha256.New()
	add := func(content []byte) {
		digest := sha256.Sum256(content) // of one length, so that no two contents run together
		_, _ = all.Write(digest[:])
	}
	for _, file := range []string{c.CAFile, c.CertFile, c.KeyFile} {
		content, _ := os.ReadFile(file) // tryOut says that it can't be read
		add(content)
	}
	if c.SASLMechanism == oauthBearer {
		add([]byte(c.SASLPassword.Reveal()))
	}
	return fingerprint(all.Sum(nil))
}
