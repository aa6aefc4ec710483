package stream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/config"
)

func TestAClientIsOutdatedOnceItsFilesHaveChanged(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	put(t, ca, authorityPEM(t))
	cfg := Config{SecurityProtocol: "SSL", CAFile: ca, GroupID: "g"}
	made := cfg.fingerprint()
	expect := func(what string, want bool) {
		t.Helper()
		if _, got := cfg.outdated(made); got != want {
			t.Errorf("%s: outdated is %t", what, got)
		}
	}
	expect("the same file", false)
	put(t, ca, []byte("no certificate"))
	expect("a file that is being replaced", false)
	put(t, ca, authorityPEM(t))
	expect("another authority", true)
	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	expect("no file", false)
}

// The password of other mechanisms is given to the client that there is.
func TestAClientIsOutdatedByItsClientSecretAlone(t *testing.T) {
	for mechanism, want := range map[string]bool{oauthBearer: true, "PLAIN": false} {
		file := filepath.Join(t.TempDir(), "secret")
		put(t, file, []byte("old"))
		var cfg Config
		if err := config.Load(t.Context(), config.Environment{
			"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": mechanism, "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD_FILE": file,
			"KAFKA_OPTIONS": "sasl.oauthbearer.token.endpoint.url=http://127.0.0.1:1",
		}, &cfg); err != nil {
			t.Fatal(err)
		}
		made := cfg.fingerprint()
		put(t, file, []byte("new"))
		renewed, got := cfg.outdated(made)
		if got != want || renewed.SASLPassword.Reveal() != "new" {
			t.Errorf("%s: outdated is %t with %q", mechanism, got, renewed.SASLPassword.Reveal())
		}
	}
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func authorityPEM(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
