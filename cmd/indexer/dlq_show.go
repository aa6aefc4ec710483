package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

func (p *program) dlqShowCommand() *cobra.Command {
	var choice letterChoice
	var asJSON bool
	command := &cobra.Command{
		Use:   "show PLACE ...",
		Short: "Show dead letters in full",
		Long: `show prints the original record byte for byte (as hex where it is no plain
text), why it failed in the words of this program and of OpenSearch, and what
the decoder of this version makes of it now.

PLACE is PARTITION/OFFSET in the dead-letter topic, as "dlq list" prints it, or
TOPIC/PARTITION/OFFSET of the original record.`,
		Example: `  indexer dlq show 3/17
  indexer dlq show post.updated/0/421
  indexer dlq show 3/17 --json | jq -r .value.text > event.json`,
		Args:        cobra.MinimumNArgs(1),
		Annotations: settingsHelp(&stream.Config{}, &logConfig{}),
		RunE: func(c *cobra.Command, args []string) error {
			choice.places = args
			return p.dlqShow(c.Context(), &choice, asJSON)
		},
	}
	choice.command = command
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}

func (p *program) dlqShow(ctx context.Context, choice *letterChoice, asJSON bool) error {
	box, err := p.openLetterbox(ctx, choice, noMore)
	if err != nil {
		return err
	}
	defer box.close()
	var views []letterView
	err = box.reader.Each(ctx, box.listing.Matching(box.filter, true), func(e *dlq.Entry, l dlq.Letter) error {
		views = append(views, newLetterView(box.decoder, e, l))
		return nil
	})
	if err != nil {
		return err
	}
	for i, view := range views {
		if i > 0 && !asJSON {
			_, _ = fmt.Fprintln(p.stdout)
		}
		if err := view.print(p.stdout, asJSON); err != nil {
			return err
		}
	}
	return nil
}

// letterView is one letter in full.
type letterView struct {
	letterLine `json:",inline"`

	Key     *bytesView    `json:"key"`
	Value   *bytesView    `json:"value"`
	Headers []headerView  `json:"headers"`
	Decoded decodedView   `json:"decoded"`
	entry   *dlq.Entry    // for people
	record  record.Record // the original
}

// bytesView holds bytes as text where they are UTF-8, else as base64.
type bytesView struct {
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
}

type headerView struct {
	Key   string     `json:"key"`
	Value *bytesView `json:"value"`
}

// decodedView is what the decoder makes of the record now.
type decodedView struct {
	Reason  string         `json:"reason,omitempty"` // why it is still refused; empty where it is good
	Detail  string         `json:"detail,omitempty"`
	Kind    string         `json:"kind,omitempty"` // upsert or delete
	Version *int64         `json:"version,omitempty"`
	Time    *time.Time     `json:"time,omitempty"` // its place in the order
	Fields  jsontext.Value `json:"fields,omitempty"`
}

func newLetterView(decoder *handlers.Mux, e *dlq.Entry, l dlq.Letter) letterView {
	view := letterView{
		letterLine: newLetterLine(e), Key: viewBytes(l.Record.Key), Value: viewBytes(l.Record.Value),
		Headers: []headerView{}, Decoded: decode(decoder, l.Record), entry: e, record: *l.Record,
	}
	for _, h := range l.Record.Headers {
		view.Headers = append(view.Headers, headerView{h.Key, viewBytes(h.Value)})
	}
	return view
}

func viewBytes(bytes []byte) *bytesView {
	if bytes == nil {
		return nil
	}
	if text := string(bytes); text == strings.ToValidUTF8(text, "") {
		return &bytesView{Text: &text}
	}
	return &bytesView{Base64: bytes}
}

func decode(decoder *handlers.Mux, r *record.Record) decodedView {
	_, change, rejection := decoder.Decode(r)
	if rejection != nil {
		return decodedView{Reason: string(rejection.Reason), Detail: rejection.Detail}
	}
	state := change.State.Unpack()
	order, kind := state.Seen, "upsert"
	if !state.Floor.IsZero() {
		order, kind = state.Floor, "delete"
	}
	at := time.UnixMicro(order.Time).UTC()
	view := decodedView{Kind: kind, Time: &at, Fields: fieldsOf(state)}
	if order.Version != document.FinalVersion {
		view.Version = &order.Version
	}
	return view
}

// fieldsOf returns the fields as one object, nil where there are none.
func fieldsOf(s document.State) jsontext.Value {
	if len(s.Fields) == 0 {
		return nil
	}
	object := []byte("{")
	for i, f := range s.Fields {
		if i > 0 {
			object = append(object, ',')
		}
		name, _ := jsontext.AppendQuote(nil, f.Name) // the decoder has seen to it that it is UTF-8
		object = append(append(append(object, name...), ':'), f.Value...)
	}
	return append(object, '}')
}

func (v letterView) print(out io.Writer, asJSON bool) error {
	if asJSON {
		if err := json.MarshalWrite(out, v, jsontext.WithIndent("  ")); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out)
		return err
	}
	var b strings.Builder
	v.describe(&b)
	v.quote(&b)
	v.explain(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

// row writes a name and its value, where there is one.
func row(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "%-15s %s\n", name, value)
	}
}

func (v letterView) describe(b *strings.Builder) {
	e := v.entry
	row(b, "letter", printable(e.At.String()))
	if len(e.Copies) > 1 {
		row(b, "copies", fmt.Sprintf("%d", len(e.Copies)))
	}
	state := "open"
	if !e.Open() {
		state = "in the index since a replay at " + e.Done.UTC().Format(time.RFC3339)
	}
	row(b, "state", state)
	row(b, "reason", printable(e.Reason))
	row(b, "error", printable(e.Error))
	row(b, "failed at", e.FailedAt.UTC().Format(time.RFC3339Nano))
	row(b, "record", printable(e.Place.String()))
	timestamp := "none"
	if e.Timestamp >= 0 {
		timestamp = time.UnixMilli(e.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	row(b, "timestamp", timestamp)
	row(b, "document", documentName(e))
	row(b, "event id", printable(e.EventID))
	row(b, "correlation id", printable(e.CorrelationID))
}

// quote writes key, headers and value as they were published.
func (v letterView) quote(b *strings.Builder) {
	row(b, "key", inline(v.record.Key))
	for _, h := range v.record.Headers {
		row(b, "header", printable(h.Key)+": "+inline(h.Value))
	}
	if v.record.Value == nil {
		row(b, "value", "none")
		return
	}
	text, form := plainOrHex(v.record.Value)
	row(b, "value", fmt.Sprintf("%d bytes, %s", len(v.record.Value), form))
	indent(b, text)
}

func inline(bytes []byte) string {
	if bytes == nil {
		return "none"
	}
	return printable(string(bytes))
}

// indent writes text behind two spaces: with a line of a hex dump that makes 80.
func indent(b *strings.Builder, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(b, "  %s\n", strings.TrimRight(line, "\r\n"))
	}
}

// explain writes what the decoder makes of the record.
func (v letterView) explain(b *strings.Builder) {
	d := v.Decoded
	if d.Reason != "" {
		row(b, "decoded now", fmt.Sprintf("refused, %s: %s", d.Reason, printable(d.Detail)))
		return
	}
	version := "no version"
	if d.Version != nil {
		version = fmt.Sprintf("version %d", *d.Version)
	}
	row(b, "decoded now", fmt.Sprintf("%s of %s, %s, %s", d.Kind, documentName(v.entry), version, d.Time.Format(time.RFC3339Nano)))
	if d.Fields == nil {
		return
	}
	pretty := d.Fields.Clone()
	if err := pretty.Indent(jsontext.WithIndent("  ")); err != nil || !isPlain(pretty) {
		indent(b, printable(string(d.Fields)))
		return
	}
	indent(b, string(pretty))
}
