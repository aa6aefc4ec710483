package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/search-indexer/search-indexer/internal/verify"
)

// printVerified tells what a verification has found, and what a repair has done.
func (p *program) printVerified(r verify.Report, flags verifyFlags) error {
	if r.Notes == nil {
		r.Notes = []string{}
	}
	if flags.asJSON {
		return p.printObject(r)
	}
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(p.stdout, "%-15s %s\n", name, fmt.Sprintf(format, args...)) // the last line's error counts
	}
	line("events", "%d in the log, %d more that the group has not committed", r.Events, r.Unread)
	line("bad records", "%d, and %d events with an open dead letter", r.Bad, r.Letters)
	for _, note := range r.Notes {
		line("note", "%s", note)
	}
	if r.Sample > 0 {
		line("sample", "of %d documents; orphans were not looked for", r.Sample)
	}
	printFindings(p.stdout, r.Findings)
	if r.Repair != nil {
		_, _ = fmt.Fprintln(p.stdout)
		line("repair", "%d documents mended, %d refused by OpenSearch, %d left", r.Repair.Mended, r.Repair.Refused, r.Repair.Left)
	}
	if r.After != nil {
		line("afterwards", "%d documents differ", r.After.Differences)
		printFindings(p.stdout, *r.After)
	}
	_, err := fmt.Fprintf(p.stdout, "%-15s %s\n", "total", secondsText(r.Seconds))
	return err
}

// printFindings prints a table of counts and names the first documents of each class.
func printFindings(out io.Writer, f verify.Findings) {
	classes := verify.Classes()
	const width = 9 // of a number and the space before it
	head := fmt.Sprintf("\n%-7s%10s%10s", "ENTITY", "DOCUMENTS", "RIGHT")
	for _, class := range classes {
		head += fmt.Sprintf("%*s", max(width, len(class)+1), strings.ToUpper(string(class)))
	}
	_, _ = fmt.Fprintln(out, head)
	for _, e := range f.Entities {
		row := fmt.Sprintf("%-7s%10d%10d", e.Entity, e.Documents, e.Right)
		for _, class := range classes {
			row += fmt.Sprintf("%*d", max(width, len(class)+1), e.Classes[class])
		}
		_, _ = fmt.Fprintln(out, row)
	}
	for _, e := range f.Entities {
		if e.Unknown > 0 {
			_, _ = fmt.Fprintf(out, "%d %ss are unknown to the log, and counted as right\n", e.Unknown, e.Entity)
		}
		if e.Letters > 0 {
			_, _ = fmt.Fprintf(out, "%d of the %ss that differ have an open dead letter\n", e.Letters, e.Entity)
		}
	}
	for _, class := range classes {
		for _, d := range f.Listed {
			if d.Class == class {
				_, _ = fmt.Fprintln(out, differenceLine(d))
			}
		}
	}
}

// differenceLine names a document and how it differs, in up to 80 columns.
func differenceLine(d verify.Difference) string {
	const widest, idWidth = 80, 38
	text := fmt.Sprintf("%-10s%s", d.Class, cutTail(printable(string(d.Entity)+"/"+d.ID), idWidth))
	if len(d.Fields) > 0 {
		text += ": " + printable(strings.Join(d.Fields, ", "))
	}
	if d.DeadLetter {
		text = cutTail(text, widest-len(" (dead letter)")) + " (dead letter)"
	}
	return cutTail(text, widest)
}
