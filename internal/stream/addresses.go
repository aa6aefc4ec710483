package stream

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// validateBrokers names every address that the client would take and never reach.
func (c Config) validateBrokers() error {
	if len(c.Brokers) == 0 {
		return errors.New("KAFKA_BROKERS: name at least one broker as host:port")
	}
	var wrong []error
	for _, broker := range c.Brokers {
		if err := checkBroker(broker); err != nil {
			wrong = append(wrong, fmt.Errorf("KAFKA_BROKERS: %w", err))
		}
	}
	return errors.Join(wrong...)
}

// checkBroker takes host:port, an IPv6 address in brackets. The address is not
// repeated where it may hold a login.
func checkBroker(broker string) error {
	if isBlank(broker) {
		return errors.New("leave no name in the list empty")
	}
	if strings.ContainsAny(broker, "@/") {
		return errors.New("name brokers as host:port, without a scheme, a login or a path")
	}
	host, port, err := net.SplitHostPort(strings.TrimSpace(broker))
	number, notNumber := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || notNumber != nil || number == 0 || strings.ContainsAny(host, " \t") {
		return fmt.Errorf("%q is no broker: use host:port with a port of 1 to 65535, an IPv6 address in brackets", broker)
	}
	return nil
}

// validateFiles looks into the certificate files: of one that it can't use,
// librdkafka tells neither the setting nor, at times, the name.
func (c Config) validateFiles() error {
	return errors.Join(
		checkPEM("KAFKA_CA_FILE", c.CAFile, "CERTIFICATE"),
		checkPEM("KAFKA_CERT_FILE", c.CertFile, "CERTIFICATE"),
		checkPEM("KAFKA_KEY_FILE", c.KeyFile, "PRIVATE KEY"),
	)
}

// checkPEM looks for a block of the kind in the setting's file, if it names one.
// Keys have several kinds, such as RSA PRIVATE KEY.
func checkPEM(setting, file, kind string) error {
	if file == "" {
		return nil
	}
	rest, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s: cannot be read: %w", setting, err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return fmt.Errorf("%s: %s holds no PEM block of a %s", setting, file, strings.ToLower(kind))
		}
		if strings.HasSuffix(block.Type, kind) {
			return nil
		}
	}
}
