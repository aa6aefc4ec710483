package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// ClientTLS returns how a client talks TLS with the PEM files of the settings
// PREFIX_CA_FILE, PREFIX_CERT_FILE and PREFIX_KEY_FILE. Each may be empty: without
// an authority the system's are trusted, without a certificate none is shown. Who
// calls it for each connection uses renewed files without a restart; the certificate
// alone is read at every handshake in any case. The error joins what is wrong with
// all of them, each by its variable's name.
func ClientTLS(prefix, caFile, certFile, keyFile string) (*tls.Config, error) {
	security := &tls.Config{MinVersion: tls.VersionTLS12}
	var wrong []error
	if caFile != "" {
		text, err := readPEM(prefix+"_CA_FILE", caFile)
		security.RootCAs = x509.NewCertPool()
		if err == nil && !security.RootCAs.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%s_CA_FILE: %s holds no PEM certificate", prefix, caFile)
		}
		wrong = append(wrong, err)
	}
	if (certFile == "") != (keyFile == "") {
		wrong = append(wrong, fmt.Errorf("%s_CERT_FILE: goes with %[1]s_KEY_FILE, set both or none", prefix))
	} else if certFile != "" {
		_, err := readPair(prefix, certFile, keyFile)
		security.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := readPair(prefix, certFile, keyFile)
			return &pair, err
		}
		wrong = append(wrong, err)
	}
	return security, errors.Join(wrong...)
}

func readPair(prefix, certFile, keyFile string) (tls.Certificate, error) {
	certificate, certErr := readPEM(prefix+"_CERT_FILE", certFile)
	key, keyErr := readPEM(prefix+"_KEY_FILE", keyFile)
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return pair, fmt.Errorf("%s_CERT_FILE: %s and the key in %s are no PEM pair: %w", prefix, certFile, keyFile, err)
	}
	return pair, nil
}

func readPEM(variable, file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: name a file that this user can read: %w", variable, err)
	}
	return text, nil
}
