package index

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
)

// dialTLS connects with the authorities and the certificate that the files hold now,
// so that renewed ones need no restart.
func (c Config) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	security, err := c.tls()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return (&tls.Dialer{Config: security}).DialContext(ctx, network, address)
}

// trustError is a connection that failed because one side does not trust the other.
type trustError struct {
	err    error
	wayOut string
}

// Error returns the reason and what to do about it.
func (e *trustError) Error() string { return fmt.Sprintf("ask OpenSearch: %v; %s", e.err, e.wayOut) }

// Unwrap returns the reason.
func (e *trustError) Unwrap() error { return e.err }

// distrust says what to do where one side does not trust the other's certificate,
// or speaks no TLS; "" for any other error.
func distrust(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		header  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "set OPENSEARCH_CA_FILE to the authority that signed the server's certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the server's certificate (or set this machine's clock); OPENSEARCH_CA_FILE must not have expired either"
	case errors.As(err, &invalid):
		return "check OPENSEARCH_CA_FILE and the server's certificate"
	case errors.As(err, &name):
		return "name the server in OPENSEARCH_URLS as its certificate does"
	case errors.As(err, &header), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server speaks no TLS: use http:// in OPENSEARCH_URLS, or switch its TLS on"
	// Of the alerts that a server sends, crypto/tls exports no type.
	case strings.Contains(err.Error(), "remote error: tls:"):
		return "the server refuses this client's certificate: check that OPENSEARCH_CERT_FILE is set, has not expired and is signed by an authority that the server trusts"
	case strings.Contains(err.Error(), "OPENSEARCH_CA_FILE"), strings.Contains(err.Error(), "OPENSEARCH_CERT_FILE"):
		return "put what it names there"
	}
	return ""
}
