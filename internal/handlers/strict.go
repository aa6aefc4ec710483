package handlers

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// strict is the parser that tells every fault of a value.
type strict struct {
	text    []byte // being read
	input   bytes.Buffer
	decoder jsontext.Decoder
}

func (p *strict) begin(value []byte, options ...jsontext.Options) {
	p.text = value
	p.input = *bytes.NewBuffer(value)
	p.decoder.Reset(&p.input, options...)
}

func (p *strict) next() byte { return byte(p.decoder.PeekKind()) }

func (p *strict) open() (int, error) {
	_, err := p.decoder.ReadToken()
	return int(p.decoder.InputOffset()) - 1, err
}

func (p *strict) name() ([]byte, int, error) {
	if p.decoder.PeekKind() == '"' {
		name, err := p.value()
		return name, 0, err
	}
	_, err := p.decoder.ReadToken()
	return nil, int(p.decoder.InputOffset()), err
}

// value returns a slice of the record's value, which stays valid where the
// decoder's own result would not.
func (p *strict) value() ([]byte, error) {
	value, err := p.decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(p.decoder.InputOffset())
	return p.text[end-len(value) : end : end], nil
}

func (p *strict) end() error {
	switch _, err := p.decoder.ReadToken(); {
	case err == nil:
		return errTrailing
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

var errTrailing = errors.New("data after the value")

// classify tells a value that is no JSON from JSON that OpenSearch can't store,
// by the error of the strict scan and that of the lenient one.
func classify(value []byte, strict, lenient error) *Rejection {
	switch {
	case !utf8.Valid(value):
		return reject(InvalidJSON, "the value is not UTF-8")
	case lenient == nil && errors.Is(strict, jsontext.ErrDuplicateName):
		return reject(InvalidEvent, "a key comes twice in one object: %q", excerpt(pointerOf(strict).LastToken()))
	case lenient == nil:
		return reject(InvalidEvent, "a text has a lone surrogate: %s", cause(strict))
	case isTooDeep(lenient):
		return reject(InvalidEvent, "a value is nested deeper than 16")
	}
	return reject(InvalidJSON, "the value is not JSON: %s", cause(lenient))
}

func pointerOf(err error) jsontext.Pointer {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return syntactic.JSONPointer
	}
	return ""
}

// isTooDeep reports whether the parser gave up at its own limit of nesting. What
// follows was not read, so the value may be no JSON either.
func isTooDeep(err error) bool {
	const parserDepth = 10_000 // jsontext 1.27
	return strings.Count(string(pointerOf(err)), "/") >= parserDepth
}

// cause returns what the parser found, without the path to it, which may be long.
func cause(err error) string {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return strings.ToValidUTF8(clip(syntactic.Err.Error(), 2*maxExcerpt), "?")
	}
	return err.Error()
}
