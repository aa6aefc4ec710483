package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

const fileSuffix = "_FILE"

// Setting is one environment variable, as its struct's tags describe it.
type Setting struct {
	Name    string
	Default string // as written in the tag; empty where there is none
	Doc     string
	Type    string // such as "duration", for people
	Secret  bool   // NAME_FILE works too
}

// Describe returns the settings of the targets, pointers to structs as in
// [Load], in the order of their fields.
func Describe(targets ...any) []Setting {
	var all []Setting
	for _, target := range targets {
		for _, field := range fields(reflect.TypeOf(target).Elem()) {
			all = append(all, Setting{
				Name:    variable(field),
				Default: defaultOf(field),
				Doc:     field.Tag.Get("doc"),
				Type:    typeName(field.Type),
				Secret:  field.Type == reflect.TypeFor[Secret](),
			})
		}
	}
	return all
}

// fields returns the fields of a struct that are settings.
func fields(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return variable(f) == "" })
}

func variable(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return strings.TrimSpace(name)
}

// defaultOf reads the tag as envconfig does: a default reaches to the tag's end,
// commas included.
func defaultOf(field reflect.StructField) string {
	_, value, _ := strings.Cut(field.Tag.Get("env"), "default=")
	return value
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Secret]():
		return "secret"
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list: a,b"
	case reflect.Map:
		return "list: a=1,b=2"
	case reflect.String:
		return "text"
	default:
		return "number"
	}
}
