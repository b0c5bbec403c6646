package indicators

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Feeds write the same member as a text, a number or a truth, and leave it out or
// write null: these types take all of that.

type jsonRawMessage = json.RawMessage

// unmarshal names what is wrong in words of ours.
func unmarshal(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("it is no JSON from byte %d on: %w", syntax.Offset, err)
	case errors.As(err, &typ):
		return fmt.Errorf("the member %q is a %s", typ.Field, typ.Value)
	}
	return err
}

// text is a member that should be one.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, (*string)(t))
	case string(b) == "null", len(b) > 0 && (b[0] == '{' || b[0] == '['):
		*t = ""
	default:
		*t = text(b)
	}
	return nil
}

// flag is a member that is true, "true", 1 or "1".
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true", "1":
		*f = true
	default:
		*f = false
	}
	return nil
}

// moment reads a time of a feed: RFC 3339, with or without zone (then UTC), a day,
// or a number of seconds or microseconds since 1970. Empty is zero.
func moment(s text) (time.Time, error) {
	str := strings.TrimSpace(string(s))
	if str == "" || str == "0" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, str); err == nil {
			return t.UTC(), nil
		}
	}
	if n, err := strconv.ParseInt(str, 10, 64); err == nil && n > 0 {
		if len(str) > 12 {
			return time.UnixMicro(n).UTC(), nil
		}
		return time.Unix(n, 0).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time such as 2026-11-17T09:00:00Z", shortened(str))
}
