package dedup

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
)

func TestTLS(t *testing.T) {
	cert, keyFile := certificate(t)
	port := freePort(t)
	startServer(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", keyFile, "--tls-auth-clients", "no")

	m, log := open(t, fmt.Sprintf("rediss://127.0.0.1:%d/0?skip_verify=true", port))
	comesBack(t, m, log)

	// A busy machine may take longer for the handshake than a call waits: then the
	// log names that, and another try has to find the certificate.
	await(t, "the log to name the untrusted certificate", func() bool {
		strict, log := open(t, fmt.Sprintf("rediss://127.0.0.1:%d/0", port))
		goesOnWithout(t, strict, log, fresh("uuid", 1))
		return strings.Contains(log.String(), "certificate")
	})
}

// certificate writes the certificate for 127.0.0.1 that httptest brings along.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	https := httptest.NewTLSServer(nil)
	defer https.Close()
	pair := https.TLS.Certificates[0]
	return writePair(t, pair.Certificate[0], pair.PrivateKey)
}

func writePair(t *testing.T, der []byte, key any) (certFile, keyFile string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private)
}

// TestTLSByFiles: an authority of one's own, and a server that wants to see the
// client's certificate too.
func TestTLSByFiles(t *testing.T) {
	cert, keyFile := ownCertificate(t)
	port := freePort(t)
	startServer(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", keyFile,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "yes")
	env := config.Environment{
		"REDIS_URL":     fmt.Sprintf("rediss://127.0.0.1:%d/0", port),
		"REDIS_CA_FILE": cert, "REDIS_CERT_FILE": cert, "REDIS_KEY_FILE": keyFile,
	}
	m, log := openByEnvironment(t, env)
	comesBack(t, m, log)

	delete(env, "REDIS_CERT_FILE")
	delete(env, "REDIS_KEY_FILE")
	nameless, log := openByEnvironment(t, env)
	goesOnWithout(t, nameless, log, fresh("uuid", 1))
}

func TestWrongCertificateFilesAreNamed(t *testing.T) {
	cert, keyFile := certificate(t)
	for want, env := range map[string]config.Environment{
		"REDIS_CA_FILE: name a file":           {"REDIS_CA_FILE": "/no/such/file"},
		"REDIS_CA_FILE: " + keyFile:            {"REDIS_CA_FILE": keyFile},
		"REDIS_CERT_FILE: goes with":           {"REDIS_KEY_FILE": keyFile},
		"REDIS_KEY_FILE: name a file":          {"REDIS_CERT_FILE": cert, "REDIS_KEY_FILE": "/no/such/file"},
		"REDIS_CERT_FILE: " + keyFile:          {"REDIS_CERT_FILE": keyFile, "REDIS_KEY_FILE": cert},
		"REDIS_URL: certificate files are set": {"REDIS_CA_FILE": cert, "REDIS_URL": "redis://127.0.0.1:1/0"},
	} {
		if env["REDIS_URL"] == "" {
			env["REDIS_URL"] = "rediss://127.0.0.1:1/0"
		}
		var cfg Config
		if err := config.Load(t.Context(), env, &cfg); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func openByEnvironment(t *testing.T, env config.Environment) (*Memory, *lockedBuffer) {
	t.Helper()
	var cfg Config
	if err := config.Load(t.Context(), env, &cfg); err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	m, err := New(cfg, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, log
}

// ownCertificate writes a certificate that is its own authority and serves both
// sides, which that of httptest does not.
func ownCertificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return writePair(t, der, key)
}
