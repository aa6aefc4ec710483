package index

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/config"
)

// TestRefusedPasswordIsReadAgain: the file changes while the client runs.
func TestRefusedPasswordIsReadAgain(t *testing.T) {
	var right atomic.Value
	right.Store("new")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != right.Load() {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		acceptAll(w, "\n\n")
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	var cfg Config
	if err := config.Load(t.Context(), config.Environment{
		"OPENSEARCH_URLS": server.URL, "OPENSEARCH_USERNAME": "indexer", "OPENSEARCH_PASSWORD_FILE": file,
	}, &cfg); err != nil {
		t.Fatal(err)
	}
	writer := NewWriter(mustClient(t, cfg))
	for _, step := range []struct {
		file string
		want Result
	}{{"old", Retry}, {"new", Retry}, {"new", Written}, {"newer", Written}} {
		write(step.file)
		if got := writer.Write(t.Context(), "x", posts(1))[0]; got.Result != step.want || got.Result == Retry && got.Reason != ReasonAuth {
			t.Errorf("file %q: %+v", step.file, got)
		}
	}
}

// TestDistrustNamesItsSetting makes each way that TLS can fail, and looks at what
// an operator is told.
func TestDistrustNamesItsSetting(t *testing.T) {
	trusted, elsewhere, expired := selfSigned(t, "127.0.0.1", time.Hour), selfSigned(t, "10.9.8.7", time.Hour), selfSigned(t, "127.0.0.1", -time.Minute)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, test := range map[string]struct {
		url, ca string
		want    string
	}{
		"unknown authority": {serveTLS(t, trusted, tls.NoClientCert), caFile(t, elsewhere), "OPENSEARCH_CA_FILE"},
		"expired":           {serveTLS(t, expired, tls.NoClientCert), caFile(t, expired), "renew the server's certificate"},
		"other name":        {serveTLS(t, elsewhere, tls.NoClientCert), caFile(t, elsewhere), "OPENSEARCH_URLS"},
		"client wanted":     {serveTLS(t, trusted, tls.RequireAnyClientCert), caFile(t, trusted), "OPENSEARCH_CERT_FILE"},
		"no TLS":            {strings.Replace(plain.URL, "http:", "https:", 1), caFile(t, trusted), "http://"},
	} {
		t.Run(name, func(t *testing.T) {
			client := mustClient(t, Config{URLs: []string{test.url}, CAFile: test.ca})
			if got := NewWriter(client).Write(t.Context(), "x", posts(1))[0]; got.Reason != ReasonTLS || !strings.Contains(got.Words, test.want) {
				t.Errorf("outcome %+v, want words with %s", got, test.want)
			}
			if problems := client.Ready(t.Context()); len(problems) != 1 || !strings.Contains(problems[0].WayOut, test.want) {
				t.Errorf("problems %v, want a way out with %s", problems, test.want)
			}
		})
	}
}

func TestAuthorityIsReadAgain(t *testing.T) {
	trusted, other := selfSigned(t, "127.0.0.1", time.Hour), selfSigned(t, "10.9.8.7", time.Hour)
	file := caFile(t, other)
	client := mustClient(t, Config{URLs: []string{serveTLS(t, trusted, tls.NoClientCert)}, CAFile: file})
	if got := NewWriter(client).Write(t.Context(), "x", posts(1))[0]; got.Reason != ReasonTLS {
		t.Fatalf("outcome %+v with another authority", got)
	}
	if err := os.Rename(caFile(t, trusted), file); err != nil {
		t.Fatal(err)
	}
	if got := NewWriter(client).Write(t.Context(), "x", posts(1))[0]; got.Result != Written {
		t.Errorf("outcome %+v with the right authority", got)
	}
}

func serveTLS(t *testing.T, certificate tls.Certificate, clients tls.ClientAuthType) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { acceptAll(w, "\n\n") }))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, ClientAuth: clients}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func caFile(t *testing.T, certificate tls.Certificate) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func selfSigned(t *testing.T, address string, ends time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(ends),
		IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
