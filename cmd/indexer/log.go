package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
)

// logConfig is how the program logs, always to stderr.
type logConfig struct {
	Level  string `env:"LOG_LEVEL, default=info" doc:"Least severe lines to log: debug (one line an event), info, warn or error."`
	Format string `env:"LOG_FORMAT" doc:"json, one object a line, or console, for people; unset it is console on a terminal and json elsewhere."`
}

// Validate names each setting that is not one of its words.
func (c logConfig) Validate() error {
	var errs []error
	switch c.Level {
	case "debug", "info", "warn", "error":
	default:
		errs = append(errs, fmt.Errorf("LOG_LEVEL: %q is no level; use debug, info, warn or error", c.Level))
	}
	switch c.Format {
	case "json", "console", "":
	default:
		errs = append(errs, fmt.Errorf("LOG_FORMAT: %q is no format; use json or console", c.Format))
	}
	return errors.Join(errs...)
}

// logger returns the program's log. Times are UTC with milliseconds; a hook
// writes them because zerolog's own precision is a setting of the whole process. What
// is logged reaches also too, as JSON.
func (c logConfig) logger(w io.Writer, also ...zerolog.LevelWriter) zerolog.Logger {
	const millis = "2006-01-02T15:04:05.000Z07:00"
	if c.Format == "console" || c.Format == "" && isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000", NoColor: !isTerminal(w)}
	}
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel // Validate has refused it before
	}
	if len(also) > 0 {
		writers := []io.Writer{w}
		for _, one := range also {
			writers = append(writers, one)
		}
		w = zerolog.MultiLevelWriter(writers...)
	}
	return zerolog.New(w).Level(level).Hook(zerolog.HookFunc(func(e *zerolog.Event, _ zerolog.Level, _ string) {
		e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(millis))
	}))
}
