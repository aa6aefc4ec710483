package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// unpacked returns the NDJSON of a bulk request.
func unpacked(header http.Header, body io.Reader) (io.Reader, error) {
	if header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	plain, err := gzip.NewReader(body)
	if err != nil {
		return nil, fmt.Errorf("unpack a bulk request: %w", err)
	}
	return plain, nil
}

// newLines returns a reader for readActions.
func newLines(from io.Reader) *bufio.Reader { return bufio.NewReaderSize(from, 256<<10) }

// readActions hands over each action of a bulk request, whose line is good until
// take returns, and returns the size of all. The documents are passed over.
func readActions(from *bufio.Reader, take func(operation string, line []byte) error) (size int, err error) {
	for {
		line, n, err := readLine(from)
		size += n
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		operation := operationOf(line)
		if err == nil && operation == "" {
			err = fmt.Errorf("no action: %.100q", line)
		}
		if err == nil {
			err = take(operation, line)
		}
		if err == nil && operation != "delete" {
			_, n, err = readLine(from)
			size += n
		}
		if err != nil {
			return size, fmt.Errorf("read a bulk request: %w", err)
		}
	}
}

// readLine reads one line and returns its beginning, which is good until the next
// call, and how many bytes it had.
func readLine(from *bufio.Reader) (head []byte, size int, err error) {
	head, err = from.ReadSlice('\n')
	size = len(head)
	for errors.Is(err, bufio.ErrBufferFull) { // a long document: nobody looks at it
		var more []byte
		more, err = from.ReadSlice('\n')
		size += len(more)
		head = nil
	}
	return head, size, err
}

// operationOf reads {"OPERATION": …; empty where that is none.
func operationOf(line []byte) string {
	_, rest, _ := bytes.Cut(line, []byte(`"`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	for _, known := range []string{"update", "create", "index", "delete"} {
		if string(name) == known { // without a copy
			return known
		}
	}
	return ""
}

// member returns what stands behind begin, up to the next quotation mark; nil where
// begin is not there. Names of aliases and the bench's own ids need no escapes.
func member(line []byte, begin string) []byte {
	_, rest, ok := bytes.Cut(line, []byte(begin))
	if !ok {
		return nil
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return value
}
