package handlers

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// instant is a point in time as an RFC 3339 text gives it.
type instant struct {
	micros   int64 // since 1970, digits beyond microseconds cut off
	fraction int   // digits of the fraction of a second, as written
	offset   int   // minutes east of UTC; 0 where the text has no zone
}

// parseInstant reads an RFC 3339 text: "T", "t" or a space between date and time,
// "Z", "z", an offset or no zone at all (UTC, as Python's isoformat() writes), any
// number of digits after the second. A leap second is refused: no clock that
// events are stamped with shows one, and OpenSearch has no place for it.
func parseInstant(text []byte) (at instant, ok bool) {
	const dateLen, timeLen = len("2006-01-02"), len("2006-01-02T15:04:05")
	if len(text) < timeLen || strings.IndexByte("Tt ", text[dateLen]) < 0 {
		return instant{}, false
	}
	day, ok := parseDate(text[:dateLen])
	if !ok {
		return instant{}, false
	}
	second, ok := parseClock(text[dateLen+1 : timeLen])
	if !ok {
		return instant{}, false
	}
	rest := text[timeLen:]
	var fraction []byte
	if len(rest) > 0 && rest[0] == '.' {
		fraction = leadingDigits(rest[1:])
		if len(fraction) == 0 {
			return instant{}, false
		}
		rest = rest[1+len(fraction):]
	}
	offset, ok := parseZone(rest)
	if !ok {
		return instant{}, false
	}
	seconds := day.Unix() + int64(second) - int64(offset)*60
	return instant{micros: seconds*1e6 + microsOf(fraction), fraction: len(fraction), offset: offset}, true
}

// parseDate reads "2006-01-02", a day that the calendar has.
func parseDate(text []byte) (time.Time, bool) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return time.Time{}, false
	}
	year, okYear := number(text[:4])
	month, okMonth := number(text[5:7])
	day, okDay := number(text[8:])
	if !okYear || !okMonth || !okDay || month < 1 || month > 12 || day < 1 {
		return time.Time{}, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return date, date.Day() == day // Go moves 30 February to 1 March
}

// parseClock reads "15:04:05" as seconds since midnight.
func parseClock(text []byte) (int, bool) {
	if text[2] != ':' || text[5] != ':' {
		return 0, false
	}
	hour, okHour := number(text[:2])
	minute, okMinute := number(text[3:5])
	second, okSecond := number(text[6:])
	ok := okHour && okMinute && okSecond && hour < 24 && minute < 60 && second < 60
	return hour*3600 + minute*60 + second, ok
}

// parseZone reads "", "Z", "z" or "±15:04" as minutes east of UTC.
func parseZone(text []byte) (int, bool) {
	if len(text) == 0 || string(text) == "Z" || string(text) == "z" {
		return 0, true
	}
	if len(text) != len("+15:04") || text[3] != ':' || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	hour, okHour := number(text[1:3])
	minute, okMinute := number(text[4:])
	minutes := hour*60 + minute
	if text[0] == '-' {
		minutes = -minutes
	}
	return minutes, okHour && okMinute && hour < 24 && minute < 60
}

// number reads a text of a few digits and nothing else.
func number(text []byte) (n int, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func leadingDigits(text []byte) []byte {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n]
}

// microsOf returns the microseconds of a fraction's digits.
func microsOf(fraction []byte) int64 {
	var micros int64
	for i := range 6 {
		micros *= 10
		if i < len(fraction) {
			micros += int64(fraction[i] - '0')
		}
	}
	return micros
}

// maxAhead is how far an event's timestamp may be ahead of its record's, in
// microseconds. A clock further off would win over every later event.
const maxAhead = int64(24 * time.Hour / time.Microsecond)

// recordMicros returns the record's timestamp in microseconds, 0 where it has none.
func recordMicros(r *record.Record) int64 {
	return min(max(r.Timestamp, 0), math.MaxInt64/1000) * 1000
}

// timestamp reads the event's timestamp in microseconds, its record's where it
// carries none.
func timestamp(raw []byte, r *record.Record) (int64, *Rejection) {
	if raw == nil {
		return recordMicros(r), nil
	}
	if raw[0] != '"' {
		return 0, reject(InvalidTimestamp, "timestamp is not a text: %s", excerpt(raw))
	}
	at, ok := parseInstant(unquoted(raw))
	if !ok {
		return 0, reject(InvalidTimestamp, "timestamp is not an RFC 3339 text: %s", excerpt(raw))
	}
	if r.Timestamp >= 0 && at.micros-maxAhead > recordMicros(r) {
		return 0, reject(InvalidTimestamp, "timestamp is over 24 h ahead of its record's: %s", excerpt(raw))
	}
	return at.micros, nil
}

// isDateValue reports whether OpenSearch 2.19 to 3.8 can index raw as a date with
// the format of this project's templates. The limits are Java's: 9 digits of a
// second, zones to ±18:00, milliseconds above -2^63.
func isDateValue(raw []byte) bool {
	if isInteger(raw) {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return err == nil && n > math.MinInt64
	}
	if raw[0] != '"' {
		return false
	}
	text := unquoted(raw)
	if _, ok := parseDate(text); ok {
		return true
	}
	const maxFraction, maxOffset = 9, 18 * 60
	at, ok := parseInstant(text)
	return ok && at.fraction <= maxFraction && -maxOffset <= at.offset && at.offset <= maxOffset
}
