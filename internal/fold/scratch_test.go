package fold

import (
	"bufio"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWorkingFilesArePrivateAndGoAway(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { // both are closed by now
		if names := namesIn(t, dir); len(names) > 0 {
			t.Errorf("left: %v", names)
		}
	})
	first := open(t, dir)
	if info, err := os.Stat(first.scratch.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	open(t, dir)
	if names := namesIn(t, dir); len(names) != 2 {
		t.Errorf("two folds side by side have %v", names)
	}
}

const holdIn = "FOLD_TEST_HOLD_IN"

// A process that holds working files until it is killed; for the test below.
func TestHold(t *testing.T) {
	dir := os.Getenv(holdIn)
	if dir == "" {
		return
	}
	if _, err := Open(Config{Dir: dir, Memory: leastMemory}); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("open\n")
	select {}
}

func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"other", scratchPrefix + "file"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHold$")
	holder.Env = append(os.Environ(), holdIn+"="+dir)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := sweep(dir); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, dir); len(names) != 3 {
		t.Fatalf("while the other process lives there is %v", names)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed
	f := open(t, dir)
	if names := namesIn(t, dir); len(names) != 3 || !strings.Contains(strings.Join(names, " "), filepath.Base(f.scratch.path)) {
		t.Errorf("after it was killed there is %v", names)
	}
}

func TestADiskWithoutRoomIsTold(t *testing.T) {
	f := open(t, t.TempDir())
	if err := f.scratch.checkRoom(0); err != nil {
		t.Error(err)
	}
	if err := f.scratch.checkRoom(math.MaxInt64); err == nil || !strings.Contains(err.Error(), "FOLD_DIR") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	if err := (Config{Memory: leastMemory}).Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Dir: filepath.Join(t.TempDir(), "none"), Memory: 1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "FOLD_DIR") || !strings.Contains(err.Error(), "FOLD_MEMORY") {
		t.Errorf("got %v", err)
	}
}
