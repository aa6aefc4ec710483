// Package config fills the Config structs of other packages from environment
// variables and reports every wrong one at once. It knows the variables only
// through the structs' tags; what a value means, and its range, is decided by
// the struct's own Validate method. It reads nothing but the environment and
// the files that *_FILE variables of secrets and certificates name.
package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
)

// Validator is implemented by a Config that has rules. Validate returns
// [errors.Join] of every wrong setting; each message begins with the variable's
// name and says what is allowed.
type Validator interface{ Validate() error }

// Load fills the targets, each a pointer to a struct with the tags
//
//	env:"NAME, default=VALUE" doc:"what it means"
//
// from lookuper, whatever the fields held before, and then validates them. The
// error joins all that is wrong with all of them; each message begins with the
// name of the variable and none holds the value of a [Secret].
//
// A field of type Secret is also taken from the file that NAME_FILE names, one
// newline at its end removed. To set both is an error.
func Load(ctx context.Context, lookuper envconfig.Lookuper, targets ...any) error {
	var errs []error
	for _, target := range targets {
		v := reflect.ValueOf(target).Elem()
		for _, field := range fields(v.Type()) {
			if err := setField(ctx, lookuper, field, v.FieldByIndex(field.Index)); err != nil {
				errs = append(errs, err)
			}
		}
		if rules, ok := target.(Validator); ok {
			errs = append(errs, rules.Validate())
		}
	}
	return errors.Join(errs...)
}

// setField gives one field its value. Where that is wrong the field takes its
// default, so that Validate does not name the same variable again.
func setField(ctx context.Context, lookuper envconfig.Lookuper, field reflect.StructField, dst reflect.Value) error {
	name := variable(field)
	var wrong error
	if path, _ := lookuper.Lookup(name + fileSuffix); path != "" && field.Type == reflect.TypeFor[Secret]() {
		secret, err := secretFrom(lookuper, name, path)
		if err == nil {
			dst.Set(reflect.ValueOf(secret))
			return nil
		}
		wrong = err
	} else if text, found, err := lookUp(lookuper, name, field.Type); found {
		value, err := parse(ctx, field, map[string]string{name: text})
		if err == nil {
			dst.Set(value)
			return nil
		}
		wrong = misfit(name, text, field.Type)
	} else {
		wrong = err
	}
	value, err := parse(ctx, field, nil)
	if err != nil {
		return fmt.Errorf("%s: read its default: %w", name, err) // a mistake in the tag
	}
	dst.Set(value)
	return wrong
}

// parse returns the field's value in the environment env. envconfig stops at
// the first wrong variable, so it is shown each field as a struct of its own.
func parse(ctx context.Context, field reflect.StructField, env map[string]string) (reflect.Value, error) {
	one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: one.Interface(), Lookuper: envconfig.MapLookuper(env)})
	return one.Elem().Field(0), err
}

// secretFrom reads the secret from the file that NAME_FILE names.
func secretFrom(lookuper envconfig.Lookuper, name, path string) (Secret, error) {
	if text, _ := lookuper.Lookup(name); text != "" {
		return Secret{}, fmt.Errorf("%s and %s%s are both set: unset one of them", name, name, fileSuffix)
	}
	secret, err := readSecret(path)
	if err != nil {
		return Secret{}, fmt.Errorf("%s%s: %w", name, fileSuffix, err)
	}
	return secret, nil
}

// lookUp returns the value of the variable. An empty value is kept where it can
// mean something (texts, lists); a number or a switch set to nothing is an error,
// as envconfig would make it 0 or false.
func lookUp(lookuper envconfig.Lookuper, name string, t reflect.Type) (text string, found bool, err error) {
	text, found = lookuper.Lookup(name)
	if _, scalar := allowed(t); scalar && found && text == "" {
		return "", false, misfit(name, text, t)
	}
	return text, found, nil
}

// misfit says that text does not fit the type. Only values of scalars are
// shown: lists may hold what is secret.
func misfit(name, text string, t reflect.Type) error {
	const shown = 64
	want, scalar := allowed(t)
	switch {
	case !scalar:
		return fmt.Errorf("%s: its value can't be read; use %s", name, want)
	case text == "":
		return fmt.Errorf("%s is set to nothing: unset it for its default, or use %s", name, want)
	case len(text) > shown:
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return fmt.Errorf("%s: %q does not fit; use %s", name, text, want)
}

// allowed says in words what values of type t look like, and whether t is one
// number, duration or switch.
func allowed(t reflect.Type) (want string, scalar bool) {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration such as 500ms, 25s or 24h", true
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false", true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number of at most %d bits", t.Bits()), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("a whole number of 0 or more, of at most %d bits", t.Bits()), true
	case reflect.Float32, reflect.Float64:
		return "a number such as 0.5", true
	case reflect.Slice:
		return "a list with commas: a,b", false
	case reflect.Map:
		return "a list of name=value with commas: a=1,b=2", false
	default:
		return "a text", false
	}
}
