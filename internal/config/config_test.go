package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type broker struct {
	Brokers  []string          `env:"T_BROKERS, default=a:1,b:2" doc:"Brokers."`
	Options  map[string]string `env:"T_OPTIONS, separator==" doc:"Options."`
	Wait     time.Duration     `env:"T_WAIT, default=250ms" doc:"Wait."`
	On       bool              `env:"T_ON, default=true" doc:"On."`
	Password Secret            `env:"T_PASSWORD" doc:"Password."`
	clients  int               //nolint:unused // a field that is no setting must not disturb
}

type batch struct {
	Max  int    `env:"T_MAX, default=500" doc:"Max."`
	Name string `env:"T_NAME" doc:"Name."`
}

func (b batch) Validate() error {
	var errs []error
	if b.Max < 1 {
		errs = append(errs, fmt.Errorf("T_MAX must be 1 or more, not %d", b.Max))
	}
	if b.Name == "wrong" {
		errs = append(errs, errors.New("T_NAME must not be wrong"))
	}
	return errors.Join(errs...)
}

func TestLoadTakesDefaultsAndValues(t *testing.T) {
	got, size := broker{Brokers: []string{"left over"}}, batch{}
	if err := Load(t.Context(), Environment{}, &got, &size); err != nil {
		t.Fatal(err)
	}
	want := broker{Brokers: []string{"a:1", "b:2"}, Wait: 250 * time.Millisecond, On: true}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(broker{}), cmp.Transformer("reveal", Secret.Reveal)); diff != "" {
		t.Error(diff)
	}
	if size.Max != 500 {
		t.Errorf("Max = %d, want 500", size.Max)
	}

	env := Environment{"T_BROKERS": "x:1, y:2", "T_OPTIONS": "a.b=1,c=x=y", "T_WAIT": "2s", "T_ON": "false", "T_PASSWORD": "pw"}
	if err := Load(t.Context(), env, &got); err != nil {
		t.Fatal(err)
	}
	want = broker{Brokers: []string{"x:1", "y:2"}, Options: map[string]string{"a.b": "1", "c": "x=y"}, Wait: 2 * time.Second, Password: NewSecret("pw")}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(broker{}), cmp.Transformer("reveal", Secret.Reveal)); diff != "" {
		t.Error(diff)
	}
}

func TestLoadNamesEveryWrongVariableOnce(t *testing.T) {
	env := Environment{
		"T_OPTIONS": "sasl.password", "T_WAIT": "5", "T_ON": "", "T_MAX": "many",
		"T_NAME": "wrong", "T_PASSWORD": "hunter2", "T_PASSWORD_FILE": "/nowhere",
	}
	var b broker
	err := Load(t.Context(), env, &b, new(batch))
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`T_OPTIONS: its value can't be read; use a list of name=value with commas: a=1,b=2`,
		`T_WAIT: "5" does not fit; use a duration such as 500ms, 25s or 24h`,
		`T_ON is set to nothing: unset it for its default, or use true or false`,
		`T_PASSWORD and T_PASSWORD_FILE are both set: unset one of them`,
		`T_MAX: "many" does not fit; use a whole number of at most 64 bits`,
		`T_NAME must not be wrong`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestLoadReadsSecretsFromFiles(t *testing.T) {
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ content, want string }{{"pw", "pw"}, {"pw\n", "pw"}, {"pw\r\n", "pw"}, {" p w \n\n", " p w \n"}} {
		var b broker
		if err := Load(t.Context(), Environment{"T_PASSWORD_FILE": file(c.content)}, &b); err != nil {
			t.Fatal(err)
		}
		if b.Password.Reveal() != c.want {
			t.Errorf("file %q gives %q, want %q", c.content, b.Password.Reveal(), c.want)
		}
	}
	for _, path := range []string{file("\n"), "/nowhere/at/all"} {
		err := Load(t.Context(), Environment{"T_PASSWORD_FILE": path}, new(broker))
		if err == nil || !strings.HasPrefix(err.Error(), "T_PASSWORD_FILE: ") {
			t.Errorf("file %s: error %v", path, err)
		}
	}
}

func TestSecretIsRenewedFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	var b broker
	if err := Load(t.Context(), Environment{"T_PASSWORD_FILE": path}, &b); err != nil {
		t.Fatal(err)
	}
	secret := b.Password
	for _, step := range []struct {
		file, want string
		changed    bool
	}{{"old\n", "old", false}, {"new\n", "new", true}, {"", "new", false}, {"newer", "newer", true}} {
		write(step.file)
		var changed bool
		if secret, changed = secret.Renew(); secret.Reveal() != step.want || changed != step.changed {
			t.Errorf("file %q: renewed to %q, changed %t", step.file, secret.Reveal(), changed)
		}
	}
	if now, changed := NewSecret("x").Renew(); now != NewSecret("x") || changed {
		t.Errorf("a secret without a file was renewed to %q", now.Reveal())
	}
}

func TestSecretNeverPrints(t *testing.T) {
	b := broker{Password: NewSecret("hunter2")}
	asJSON, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := b.Password.MarshalText()
	for _, seen := range []string{
		b.Password.String(), fmt.Sprintf("%v %+v %#v", b, b, b), string(asJSON), string(text),
		fmt.Sprintf("%s %q %x %#v", b.Password, b.Password, b.Password, b.Password),
		fmt.Sprintf(strings.ToLower("%D"), b.Password), // a wrong verb, hidden from vet
	} {
		if strings.Contains(seen, "hunter2") || strings.Contains(seen, "68756e74657232") {
			t.Errorf("shown: %s", seen)
		}
	}
	if b.Password.Reveal() != "hunter2" || (Secret{}).String() != "" {
		t.Error("a secret must still be usable, and an empty one visibly empty")
	}
}

func TestDescribe(t *testing.T) {
	want := []Setting{
		{Name: "T_BROKERS", Default: "a:1,b:2", Doc: "Brokers.", Type: "list: a,b"},
		{Name: "T_OPTIONS", Doc: "Options.", Type: "list: a=1,b=2"},
		{Name: "T_WAIT", Default: "250ms", Doc: "Wait.", Type: "duration"},
		{Name: "T_ON", Default: "true", Doc: "On.", Type: "true or false"},
		{Name: "T_PASSWORD", Doc: "Password.", Type: "secret", Secret: true},
		{Name: "T_MAX", Default: "500", Doc: "Max.", Type: "number"},
		{Name: "T_NAME", Doc: "Name.", Type: "text"},
	}
	if diff := cmp.Diff(want, Describe(new(broker), new(batch))); diff != "" {
		t.Error(diff)
	}
}

func TestMisspelled(t *testing.T) {
	env := ParseEnvironment([]string{
		"T_BROKER=x", "T_BROKERS=x", "T_PASSWORD_FIEL=x", "KAFKA_PORT_9092_TCP=tcp://10.0.0.1", "PATH=/bin=x", "malformed",
	})
	want := []string{"T_BROKER is no setting; did you mean T_BROKERS?", "T_PASSWORD_FIEL is no setting; did you mean T_PASSWORD_FILE?"}
	if diff := cmp.Diff(want, env.Misspelled(new(broker))); diff != "" {
		t.Error(diff)
	}
	if env["PATH"] != "/bin=x" {
		t.Errorf("PATH = %q", env["PATH"])
	}
}
