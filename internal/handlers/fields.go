package handlers

import (
	"strings"
	"unicode"

	"github.com/search-indexer/search-indexer/internal/document"
)

// checkFields rejects the first field that the document can't hold, and puts each
// value on one line.
func (m *members) checkFields(e *Entity) *Rejection {
	fields := m.fields()
	for i := range fields {
		f := &fields[i]
		kind, known := e.Fields[f.Name]
		if !known && f.Name != e.IDMember {
			if rejection := checkName(e, f.Name); rejection != nil {
				return rejection
			}
		}
		found := inspect(f.Value)
		if found.problem != "" {
			return reject(InvalidEvent, "field %q %s: %s", excerpt(f.Name), found.problem, excerpt(f.Value))
		}
		if known && !kind.takes(f.Value, found.depth) {
			return reject(InvalidField, "field %q is a %s and can't hold %s", f.Name, kind, excerpt(f.Value))
		}
		if found.spaced {
			f.Value = compact(f.Value)
		}
	}
	return nil
}

// checkName rejects a top-level key outside the known schema that OpenSearch would
// refuse. It takes a dot as a step into an object, which a known field, the
// version and a metadata field are not.
func checkName(e *Entity, name string) *Rejection {
	if name == "" {
		return reject(InvalidEvent, "a key is empty")
	}
	if len(name) > maxKey {
		return reject(InvalidEvent, "a key has over 50,000 bytes: %q", excerpt(name))
	}
	for part := range strings.SplitSeq(name, ".") {
		if strings.TrimFunc(part, isBlank) == "" {
			return reject(InvalidEvent, "a key has an empty or blank part: %q", excerpt(name))
		}
	}
	head, _, dotted := strings.Cut(name, ".")
	if isReserved(head) || dotted && head == document.VersionField {
		return reject(ReservedField, "field %q has a reserved name", excerpt(name))
	}
	if _, known := e.Fields[head]; known {
		return reject(InvalidField, "field %q continues field %q, which is not an object", excerpt(name), head)
	}
	return nil
}

// isBlank reports whether r is white space to Unicode or, as the four separators
// of ASCII are, to Java alone.
func isBlank(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' }

// isReserved reports whether a document may not hold name: it is ours, or a
// metadata field of OpenSearch 2.19 to 3.8 and its mapper-size plugin. All but
// _type (a metadata field up to 1.x, which old clients still take for one) and
// _doc_count (which sets how often the document counts) would be refused.
func isReserved(name string) bool {
	switch name {
	case document.SyncField,
		"_data_stream_timestamp", "_doc_count", "_feature", "_field_names", "_id", "_ignored", "_index",
		"_nested_path", "_routing", "_seq_no", "_size", "_source", "_type", "_version":
		return true
	}
	return false
}
