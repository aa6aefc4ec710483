package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/web"
)

const token = "0123456789abcdef"

// serveAdmin returns the address of a server, and what it was told to pause.
func serveAdmin(t *testing.T, secret config.Secret) (url string, told *[]string) {
	t.Helper()
	told = &[]string{}
	server, err := web.Listen(t.Context(), web.Config{Addr: "127.0.0.1:0", AdminToken: secret}, web.Views{
		Metrics: prometheus.NewRegistry(),
		Pause: func(_ context.Context, topic string, partition int32, on bool) (web.Paused, error) {
			switch topic {
			case "unknown":
				return web.Paused{}, fmt.Errorf("%w: %s", web.ErrNoSuchPartition, topic)
			case "late":
				return web.Paused{}, errors.New("the worker ends")
			}
			*told = append(*told, fmt.Sprintf("%s/%d %t", topic, partition, on))
			return web.Paused{Topic: topic, Partition: partition, Paused: on, Owned: true}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return "http://" + server.Addr(), told
}

func post(t *testing.T, url, authorization string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestAdmin(t *testing.T) {
	url, told := serveAdmin(t, config.NewSecret(token))
	const right, place = "Bearer " + token, "?topic=post.created&partition=3"
	for name, tt := range map[string]struct {
		path, authorization string
		code                int
		body                string
		told                string
	}{
		"pause":            {"/admin/pause" + place, right, 202, `{"topic":"post.created","partition":3,"paused":true,"owned":true}`, "post.created/3 true"},
		"resume":           {"/admin/resume" + place, "bearer " + token, 202, `"paused":false`, "post.created/3 false"},
		"no token":         {"/admin/pause" + place, "", 401, "ADMIN_TOKEN", ""},
		"wrong token":      {"/admin/pause" + place, "Bearer " + strings.ToUpper(token), 401, "ADMIN_TOKEN", ""},
		"longer token":     {"/admin/pause" + place, right + "0", 401, "ADMIN_TOKEN", ""},
		"empty token":      {"/admin/pause" + place, "Bearer ", 401, "ADMIN_TOKEN", ""},
		"other scheme":     {"/admin/pause" + place, "Basic " + token, 401, "ADMIN_TOKEN", ""},
		"token in query":   {"/admin/pause" + place + "&token=" + token, "", 401, "ADMIN_TOKEN", ""},
		"no topic":         {"/admin/pause?partition=3", right, 400, "?topic=", ""},
		"no partition":     {"/admin/pause?topic=post.created", right, 400, "?topic=", ""},
		"bad partition":    {"/admin/resume?topic=post.created&partition=-1", right, 400, "?topic=", ""},
		"huge partition":   {"/admin/resume?topic=post.created&partition=4294967296", right, 400, "?topic=", ""},
		"unknown topic":    {"/admin/pause?topic=unknown&partition=1", right, 404, "no such partition", ""},
		"worker ends":      {"/admin/pause?topic=late&partition=1", right, 503, "the worker ends", ""},
		"unknown to admin": {"/admin/stop" + place, right, 404, "not found", ""},
	} {
		t.Run(name, func(t *testing.T) {
			*told = nil
			resp, body := post(t, url+tt.path, tt.authorization)
			if resp.StatusCode != tt.code || !strings.Contains(body, tt.body) || strings.Join(*told, ",") != tt.told {
				t.Errorf("%d %s, told %v; want %d with %s, told %q", resp.StatusCode, body, *told, tt.code, tt.body, tt.told)
			}
			if strings.Contains(body, token) {
				t.Errorf("the answer shows the token: %s", body)
			}
			if challenge := resp.Header.Get("WWW-Authenticate"); (challenge == "Bearer") != (tt.code == 401) {
				t.Errorf("WWW-Authenticate %q with status %d", challenge, resp.StatusCode)
			}
		})
	}
	if code, _ := get(t, url+"/admin/pause"+place); code != 405 {
		t.Errorf("GET answers %d, want 405", code)
	}
}

func TestNoAdminWithoutToken(t *testing.T) {
	url, told := serveAdmin(t, config.Secret{})
	for _, authorization := range []string{"", "Bearer ", "Bearer " + token} {
		if resp, _ := post(t, url+"/admin/pause?topic=post.created&partition=3", authorization); resp.StatusCode != 404 || len(*told) > 0 {
			t.Errorf("with %q: %d, told %v", authorization, resp.StatusCode, *told)
		}
	}
}

// A replaced token counts at once, and the old one no more; a file that is being
// written, or holds what could be guessed, changes nothing.
func TestTokenIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	var cfg web.Config
	var url string
	const first, second = "first-0123456789", "second-0123456789"
	for i, step := range []struct{ file, good, bad string }{
		{first, first, second}, {second, second, first}, {"", second, first}, {"short", second, "short"},
	} {
		if err := os.WriteFile(file, []byte(step.file+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := config.Load(t.Context(), config.Environment{"HTTP_ADDR": ":0", "ADMIN_TOKEN_FILE": file}, &cfg); err != nil {
				t.Fatal(err)
			}
			url, _ = serveAdmin(t, cfg.AdminToken)
		}
		for token, want := range map[string]int{step.good: 202, step.bad: 401} {
			if resp, _ := post(t, url+"/admin/pause?topic=post.created&partition=3", "Bearer "+token); resp.StatusCode != want {
				t.Errorf("with %q in the file: %q is answered %d, want %d", step.file, token, resp.StatusCode, want)
			}
		}
	}
}

func TestShortTokenIsRefused(t *testing.T) {
	err := web.Config{Addr: "8080", AdminToken: config.NewSecret("hunter2")}.Validate()
	if err == nil || !strings.Contains(err.Error(), "HTTP_ADDR: ") || !strings.Contains(err.Error(), "ADMIN_TOKEN: ") {
		t.Errorf("want both settings named: %v", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the token: %v", err)
	}
	if err := (web.Config{Addr: ":8080", AdminToken: config.NewSecret(token)}).Validate(); err != nil {
		t.Error(err)
	}
}
