package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/go-json-experiment/json"
	"github.com/opensearch-project/opensearch-go/v2"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
	"github.com/opensearch-project/opensearch-go/v2/signer/awsv2"
)

const (
	// requestTimeout bounds one request from its first byte out to its last byte
	// in. A server that is silent for longer counts as away.
	requestTimeout = time.Minute
	dialTimeout    = 5 * time.Second
	idleTimeout    = 30 * time.Second
	// connsPerHost is above any useful number of requests under way; Go's own
	// default of 2 idle ones would open a connection for nearly every bulk request.
	connsPerHost = 64
)

// Client talks to one OpenSearch cluster. It is safe for concurrent use.
type Client struct {
	cfg    Config
	os     *opensearch.Client
	script script
	bodies spareBodies
}

// NewClient returns a Client for valid settings. It opens no connection; the
// errors are of files and AWS settings that cannot be read.
func NewClient(cfg Config) (*Client, error) {
	transport, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	var requests http.RoundTripper = errorsOnce{transport}
	if cfg.Username != "" {
		requests = &login{next: requests, username: cfg.Username, password: cfg.Password}
	}
	options := opensearch.Config{
		Transport:    requests,
		DisableRetry: true, // a retry is the caller's, who counts and delays it
	}
	for _, u := range cfg.URLs {
		options.Addresses = append(options.Addresses, strings.TrimSpace(u))
	}
	if cfg.AWSRegion != "" {
		loaded, err := loadAWS(cfg.AWSRegion)
		if err != nil {
			return nil, fmt.Errorf("load AWS settings: %w", err)
		}
		if options.Signer, err = awsv2.NewSigner(loaded); err != nil {
			return nil, fmt.Errorf("make AWS signer: %w", err)
		}
	}
	client, err := opensearch.NewClient(options)
	if err != nil {
		return nil, fmt.Errorf("make OpenSearch client: %w", err)
	}
	return &Client{cfg: cfg, os: client, script: mergeScript(), bodies: make(spareBodies, mostSpare)}, nil
}

// loadAWS reads the AWS environment. The SDK's own log lines would go to stderr
// past our log; what matters of them is in the error of a request.
func loadAWS(region string) (aws.Config, error) {
	return awsconfig.LoadDefaultConfig(context.Background(), awsconfig.WithRegion(region), awsconfig.WithLogger(logging.Nop{}))
}

func newTransport(cfg Config) (*http.Transport, error) {
	security, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DialTLSContext:      cfg.dialTLS,
		TLSClientConfig:     security, // for a proxy, behind which the transport dials itself
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: connsPerHost,
		// An answer is 80 bytes a document, beside the document that was sent: not worth
		// the time that both sides would take to compress it.
		DisableCompression: true,
		IdleConnTimeout:    idleTimeout,
	}, nil
}

// errorsOnce hides a bare io.EOF from the client, whose v2.3.0 sends a request
// again after one even with DisableRetry. Of a request with a body that second
// attempt finds nothing left to send, and its error hides the real one.
type errorsOnce struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t errorsOnce) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("connection closed before the answer: %w", err)
	}
	return res, err
}

// answer is one whole response of the server.
type answer struct {
	status int
	body   []byte
}

// send makes one request and reads the response to its end. An error means that
// no whole response came; a response with an error status is no error here.
func (c *Client) send(ctx context.Context, req opensearchapi.Request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := req.Do(ctx, c.os)
	if err != nil {
		if wayOut := distrust(err); wayOut != "" {
			return answer{}, &trustError{err: err, wayOut: wayOut}
		}
		return answer{}, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	defer func() { _ = res.Body.Close() }() // it was read to the end
	var body bytes.Buffer
	if _, err := io.Copy(&body, res.Body); err != nil {
		return answer{}, fmt.Errorf("%w: read its answer: %w", errUnanswered, err)
	}
	return answer{status: res.StatusCode, body: body.Bytes()}, nil
}

// ask is send for requests whose every error status is an error: *serverError.
// What comes back is decoded into out, unless that is nil.
func (c *Client) ask(ctx context.Context, req opensearchapi.Request, out any) error {
	got, err := c.send(ctx, req)
	if err != nil {
		return err
	}
	if got.status >= http.StatusMultipleChoices {
		return &serverError{status: got.status, fault: readFault(got.body)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(got.body, out); err != nil {
		return fmt.Errorf("read OpenSearch's answer: %w", err)
	}
	return nil
}
