package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one value that the chart can be told.
type entry struct {
	path, text, fallback string
}

// describe reads the values in their order. A comment that begins with "-- " describes
// the key below it, with all that is inside; a key without one must hold others.
func describe(values []byte) ([]entry, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(values, &document); err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	var found []entry
	err := walk(document.Content[0], "", &found)
	return found, err
}

func walk(mapping *yaml.Node, prefix string, found *[]entry) error {
	var wrong []error
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		path := prefix + key.Value
		text, described := comment(key.HeadComment)
		switch {
		case described:
			fallback, err := inline(value)
			wrong = append(wrong, err)
			*found = append(*found, entry{path, text, fallback})
		case key.Value == "resources": // the same everywhere
			fallback, err := inline(value)
			wrong = append(wrong, err)
			*found = append(*found, entry{path, "What its container asks for, and may take.", fallback})
		case value.Kind == yaml.MappingNode && len(value.Content) > 0:
			wrong = append(wrong, walk(value, path+".", found))
		default:
			wrong = append(wrong, fmt.Errorf("%s has no comment", path))
		}
	}
	return errors.Join(wrong...)
}

// comment returns the text of the comment's last paragraph where that describes.
func comment(head string) (string, bool) {
	paragraphs := strings.Split(head, "\n\n")
	lines := strings.Split(paragraphs[len(paragraphs)-1], "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(line, "#"), " ")
	}
	return strings.CutPrefix(strings.Join(lines, " "), "-- ")
}

// inline shows a default on one line.
func inline(value *yaml.Node) (string, error) {
	var plain any
	if err := value.Decode(&plain); err != nil {
		return "", fmt.Errorf("read default: %w", err)
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(plain); err != nil {
		return "", fmt.Errorf("show default: %w", err)
	}
	return strings.TrimSpace(text.String()), nil
}
