package handlers

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzQuick holds that what the quick parser takes, the strict one reads the same.
func FuzzQuick(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.Value)
	}
	for _, c := range slices.Concat(routeCases(), idCases(), tracingCases(), timestampCases(), versionCases(),
		shapeCases(), jsonCases(), valueCases(), nameCases(), kindCases()) {
		if len(c.value) <= 4096 { // mutations of longer ones take the time of a hundred others
			f.Add([]byte(c.value))
		}
	}
	for _, c := range quickCases() {
		f.Add([]byte(c.value))
	}
	names := NewMux("").scanners.Get().(*scanner).names //nolint:forcetypeassert // the pool holds nothing else
	f.Fuzz(func(t *testing.T, value []byte) {
		before := bytes.Clone(value)
		quick, strict := scanner{names: names}, scanner{names: names}
		if !quick.quick.begin(value) || quick.scan(value, &quick.quick) != nil {
			return
		}
		strict.strict.begin(value)
		if err := strict.scan(value, &strict.strict); err != nil {
			t.Fatalf("%s is taken, against: %v", value, err)
		}
		if diff := cmp.Diff(strict.members, quick.members, cmp.AllowUnexported(members{})); diff != "" {
			t.Errorf("%s is read otherwise (-strict +quick):\n%s", value, diff)
		}
		if !bytes.Equal(value, before) {
			t.Error("the value was changed")
		}
	})
}

type quickCase struct {
	value string
	takes bool
}

func quickCases() []quickCase {
	return []quickCase{
		{`{}`, true},
		{` { "a" : [ ] , "b" : { } , "c" : [ 1 , -0.50 , true , false , null ] } `, true},
		{`{"a":"Новый альбом — 🎸","b":"\"\\\/\b\f\n\r\t\u0438\uFFFF","c":{"a":{"a":1},"b":1}}`, true},
		{`[1,"a"]`, true},
		{`"text"`, true},
		{`{"a":` + strings.Repeat("[", quickDepth-1) + strings.Repeat("]", quickDepth-1) + `}`, true},
		{`{"a":` + strings.Repeat("[", quickDepth) + strings.Repeat("]", quickDepth) + `}`, false},
		{strings.Repeat(`{"a":`, quickDepth+1) + "1" + strings.Repeat("}", quickDepth+1), false},
		{"", false},
		{"{\"a\":\n1}", false},
		{"{\"a\":\"\x7f\"}", true},
		{"{\"a\":\"\xff\"}", false},
		{`{"a":"\ud83c\udfb8"}`, false},
		{`{"a":"\uDC00"}`, false},
		{`{"a":"\ud7ff"}`, true},
		{`{"a":"\u12"}`, false},
		{`{"a":"\x"}`, false},
		{`{"a":"\`, false},
		{`{"a":1e3}`, false},
		{`{"a":1,"a":2}`, false},
		{`{"a":{"b":1,"c":1,"b":2}}`, false},
		{`{"\u0061":1}`, false},
		{`{"a":1,}`, false},
		{`{,"a":1}`, false},
		{`{"a" 1}`, false},
		{`{"a":1 "b":2}`, false},
		{`{"a":}`, false},
		{`{"a":[1,]}`, false},
		{`{"a":[1 2]}`, false},
		{`{"a":[1}`, false},
		{`{"a":01}`, false},
		{`{"a":-}`, false},
		{`{"a":1.}`, false},
		{`{"a":.5}`, false},
		{`{"a":tru}`, false},
		{`{"a":1}}`, false},
		{`{"a":1} x`, false},
		{`{"a":1`, false},
		{`{"a`, false},
	}
}

// TestQuickTakesTheUsual keeps the quick parser from leaving to the strict one what
// publishers send, which no other test would notice.
func TestQuickTakesTheUsual(t *testing.T) {
	takes := func(value []byte) bool {
		var s scanner
		s.names = map[string]string{}
		return s.quick.begin(value) && s.scan(value, &s.quick) == nil
	}
	for _, c := range quickCases() {
		if got := takes([]byte(c.value)); got != c.takes {
			t.Errorf("%s is taken: %v", c.value, got)
		}
	}
	for _, r := range invented(t, 1000) {
		if !takes(r.Value) {
			t.Errorf("%s is not taken", r.Value)
		}
	}
}
