package dedup

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTLS(t *testing.T) {
	cert, keyFile := certificate(t)
	port := freePort(t)
	startServer(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", keyFile, "--tls-auth-clients", "no")

	m, log := open(t, fmt.Sprintf("rediss://127.0.0.1:%d/0?skip_verify=true", port))
	comesBack(t, m, log)

	strict, log := open(t, fmt.Sprintf("rediss://127.0.0.1:%d/0", port))
	goesOnWithout(t, strict, log, fresh("uuid", 1))
	if !strings.Contains(log.String(), "certificate") {
		t.Errorf("the log does not name the untrusted certificate:\n%s", log)
	}
}

// certificate writes the certificate for 127.0.0.1 that httptest brings along.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	https := httptest.NewTLSServer(nil)
	defer https.Close()
	pair := https.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
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
	return write("cert.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", private)
}
