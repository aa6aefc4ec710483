package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// setting is a row of docs/configuration.md.
type setting struct {
	name, kind, fallback string
	file                 bool // NAME_FILE names a file
}

// settings reads the tables of docs/configuration.md, which is itself written from
// the program's own structs.
func settings(page string) []setting {
	row := regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)`(<br>`[A-Z0-9_]+_FILE`)? \\| ([^|]+) \\| (`[^`]*`|none) \\|")
	var found []setting
	for _, cells := range row.FindAllStringSubmatch(page, -1) {
		found = append(found, setting{
			name: cells[1], file: cells[2] != "", kind: strings.TrimSpace(cells[3]),
			fallback: strings.Trim(strings.TrimSuffix(cells[4], "none"), "`"),
		})
	}
	return found
}

// givenByChart are settings with a value of their own in the chart.
func givenByChart(name string) string {
	return map[string]string{
		"HTTP_ADDR": "port",
		"FOLD_DIR":  "rebuild.disk and verify.disk",
	}[name]
}

// choices are the texts that some settings take.
func choices(name string) string {
	return map[string]string{
		"KAFKA_SECURITY_PROTOCOL": `"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"`,
		"KAFKA_SASL_MECHANISM":    `"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"`,
		"LOG_LEVEL":               `"debug", "info", "warn", "error"`,
		"LOG_FORMAT":              `"json", "console"`,
	}[name]
}

// shape is the JSON schema of a setting in `config`.
func (s setting) shape() string {
	if known := choices(s.name); known != "" {
		return `{"enum": [` + known + `, null]}`
	}
	switch s.kind {
	case "number":
		return `{"type": ["integer", "null"], "minimum": 0}`
	case "true or false":
		return `{"type": ["boolean", "null"]}`
	case "duration":
		return `{"type": ["string", "null"], "pattern": "^([0-9]+(\\.[0-9]+)?(h|m|s|ms|us))+$|^0$"}`
	case "list: a,b":
		return `{"type": ["string", "array", "null"], "items": {"type": "string"}}`
	case "list: a=1,b=2":
		return `{"type": ["string", "object", "null"]}`
	}
	return `{"type": ["string", "null"]}`
}

// complete puts the settings into the two definitions that stand for them.
func complete(schema string, all []setting) (string, error) {
	if len(all) < 30 {
		return "", fmt.Errorf("only %d settings found: has the page another form?", len(all))
	}
	var config, files []string
	for _, s := range all {
		certificate := strings.HasSuffix(s.name, "_FILE")
		inConfig := !certificate && givenByChart(s.name) == "" && (s.kind != "secret" || s.name == "REDIS_URL")
		switch {
		case inConfig:
			config = append(config, fmt.Sprintf("        %q: %s", s.name, s.shape()))
		case certificate:
			files = append(files, fmt.Sprintf(`        %q: {"$ref": "#/definitions/file"}`, s.name))
		}
		if s.file {
			files = append(files, fmt.Sprintf(`        %q: {"$ref": "#/definitions/file"}`, s.name+"_FILE"))
		}
	}
	schema, err := define(schema, "settings", config)
	if err != nil {
		return "", err
	}
	return define(schema, "files", files)
}

// define replaces the body of one definition, an object with no other members.
func define(schema, name string, properties []string) (string, error) {
	begin := "    \"" + name + "\": {\n"
	before, rest, found := strings.Cut(schema, begin)
	if !found {
		return "", errors.New("no definition of " + name)
	}
	_, after, found := strings.Cut(rest, "\n    }")
	if !found {
		return "", errors.New("no end of the definition of " + name)
	}
	body := "      \"type\": \"object\",\n      \"additionalProperties\": false,\n      \"properties\": {\n" +
		strings.Join(properties, ",\n") + "\n      }"
	return before + begin + body + "\n    }" + after, nil
}
