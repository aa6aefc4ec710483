package index

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/smithy-go/logging"
	"github.com/google/go-cmp/cmp"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/document"
)

func TestBasicAuth(t *testing.T) {
	server := newFakeServer(t, acceptAll)
	cfg := server.config()
	cfg.Username, cfg.Password = "indexer", config.NewSecret("hunter2")
	NewWriter(mustClient(t, cfg)).Write(t.Context(), "x", posts(1))
	request := http.Request{Header: server.header}
	if user, password, _ := request.BasicAuth(); user != "indexer" || password != "hunter2" {
		t.Errorf("login %q, %q", user, password)
	}
}

func TestSigV4(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	server := newFakeServer(t, acceptAll)
	cfg := server.config()
	cfg.AWSRegion = "eu-west-1"
	got := NewWriter(mustClient(t, cfg)).Write(t.Context(), "x", posts(1))
	if got[0].Result != Written {
		t.Errorf("signing spoiled the request: %+v", got[0])
	}
	signature := server.header.Get("Authorization")
	if !strings.HasPrefix(signature, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(signature, "/eu-west-1/es/aws4_request") {
		t.Errorf("Authorization %q", signature)
	}
	want := encode(posts(1), creates(map[document.Entity]string{document.Post: "posts-write"})).bytes()
	if diff := cmp.Diff(string(want), server.requests()[0]); diff != "" {
		t.Errorf("signing changed the body: %s", diff)
	}
}

// TestSentOnce: also a request without body, which could be sent again whole.
func TestSentOnce(t *testing.T) {
	server := newFakeServer(t, func(w http.ResponseWriter, _ string) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_ = conn.Close()
	})
	client := mustClient(t, server.config())
	err := client.ask(t.Context(), opensearchapi.GetScriptRequest{ScriptID: "x"}, nil)
	if err == nil || !strings.Contains(err.Error(), "connection closed before the answer") {
		t.Errorf("error %v", err)
	}
	if sent := len(server.requests()); sent != 1 {
		t.Errorf("sent %d times", sent)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { acceptAll(w, "\n\n") }))
	t.Cleanup(server.Close)
	cfg := (&fakeServer{Server: server}).config()
	if got := NewWriter(mustClient(t, cfg)).Write(t.Context(), "x", posts(1))[0]; got.Reason != ReasonTLS {
		t.Errorf("an unknown certificate was trusted: %+v", got)
	}
	cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(cfg.CAFile, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := NewWriter(mustClient(t, cfg)).Write(t.Context(), "x", posts(1))[0]; got.Result != Written {
		t.Errorf("with its authority: %+v", got)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for variable, cfg := range map[string]Config{
		"OPENSEARCH_CA_FILE: name":                   {CAFile: empty + "-missing"},
		"OPENSEARCH_CA_FILE: " + empty + " holds no": {CAFile: empty},
		"OPENSEARCH_CERT_FILE: ":                     {CertFile: empty, KeyFile: empty},
	} {
		cfg.URLs = []string{"http://localhost:9200"}
		if _, err := NewClient(cfg); err == nil || !strings.HasPrefix(err.Error(), variable) {
			t.Errorf("%s: %v", variable, err)
		}
	}
}

// TestAWSLogsNothing: the SDK would write to stderr, past our log.
func TestAWSLogsNothing(t *testing.T) {
	loaded, err := loadAWS("eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, silent := loaded.Logger.(logging.Nop); !silent || loaded.Region != "eu-west-1" {
		t.Errorf("logger %T, region %q", loaded.Logger, loaded.Region)
	}
}
