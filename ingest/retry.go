package ingest

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// RetryOptions bound how often one request is sent. The zero value is the
// default.
type RetryOptions struct {
	Tries     int           // requests for one answer, throttled ones not counted; 6
	Throttled int           // answers of 429 for one request; 20
	Base      time.Duration // back-off after the first fault; it doubles with each; 2 s
	Max       time.Duration // longest back-off; 1 min

	// Jitter returns numbers in [0, 1): each back-off lies between half and the
	// whole of its length. It is called by several goroutines.
	Jitter func() float64
}

func (o *RetryOptions) defaults() error {
	if o.Tries < 0 || o.Throttled < 0 || o.Base < 0 || o.Max < 0 {
		return &OptionError{Option: "retry", Problem: "has a negative bound"}
	}
	if o.Tries == 0 {
		o.Tries = 6
	}
	if o.Throttled == 0 {
		o.Throttled = 20
	}
	if o.Base == 0 {
		o.Base = 2 * time.Second
	}
	if o.Max == 0 {
		o.Max = time.Minute
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return nil
}

// backoff is the wait after the nth fault in a row, n from 1.
func (o *RetryOptions) backoff(n int) time.Duration {
	d := o.Max
	if n < 32 {
		if e := o.Base << (n - 1); e > 0 && e < d {
			d = e
		}
	}
	return d/2 + time.Duration(o.Jitter()*float64(d/2))
}

// worthRetrying tells whether the same request may well succeed later.
// Throttling is not its business.
func worthRetrying(err error) bool {
	var (
		status      *StatusError
		malformed   *MalformedError
		unreachable *UnreachableError
	)
	switch {
	case errors.As(err, &status):
		return status.Status >= 500 || status.Status == http.StatusRequestTimeout || status.wrongBackend
	case errors.As(err, &malformed):
		return !malformed.final
	case errors.As(err, &unreachable):
		return !unreachable.final
	}
	return false
}

// The waits that a 429 can ask for. Nothing said, or nonsense: a whole minute,
// the period of the API's limit.
const (
	throttleDefault = time.Minute
	throttleMin     = time.Second
	throttleMax     = 5 * time.Minute
	throttleAbsurd  = 24 * time.Hour
)

// throttleWait is how long a 429 asks to wait: by its header, else by its text.
func throttleWait(header http.Header, text string, now time.Time) time.Duration {
	if h := strings.TrimSpace(header.Get("Retry-After")); h != "" {
		return boundWait(retryAfter(h, header, now))
	}
	if m := secondsInText.FindStringSubmatch(text); m != nil {
		if n, err := strconv.ParseFloat(m[1], 64); err == nil && n < throttleAbsurd.Seconds() {
			return boundWait(time.Duration(n * float64(time.Second)))
		}
	}
	return throttleDefault
}

// "Expected available in 37 seconds.", "Please try again in 37 seconds."
var secondsInText = regexp.MustCompile(`(?:^|[^\d.,-])(\d{1,9}(?:\.\d{1,9})?) ?s(?:ec(?:ond)?s?)?\b`)

// retryAfter reads the header's two forms; -1 when it is neither.
func retryAfter(h string, header http.Header, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(h, 10, 64); err == nil {
		if n < 0 || n > int64(throttleAbsurd/time.Second) {
			return -1
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(h)
	if err != nil {
		return -1
	}
	// Against the server's own clock, if it says what that shows: ours may differ.
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return at.Sub(now)
}

func boundWait(d time.Duration) time.Duration {
	switch {
	case d < 0 || d > throttleAbsurd:
		return throttleDefault
	case d < throttleMin:
		return throttleMin // "0" is what is left of less than a second
	case d > throttleMax:
		return throttleMax
	}
	return d
}

// wrongBackend is what the generic host says with 401 where the machine that its
// name led to does not hold the tenant. The next one may.
const wrongBackend = "Invalid JSON Web Key Set"

// maxErrorBody is as much of an error answer as is looked at.
const maxErrorBody = 64 << 10

// statusError makes an error of an answer that is no success.
func (c *Client) statusError(resp *http.Response, secret string) error {
	// Half of a message is better than none, so a fault in reading is no matter.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	text := serverText(body, secret)
	now := c.options.Clock.Now()
	status := resp.StatusCode
	// The word comes with other statuses, too; but in a 400 it may be the
	// caller's own filter, echoed.
	throttled := (status == http.StatusForbidden || status >= 500) && strings.Contains(text, "throttled")
	if status == http.StatusTooManyRequests || throttled {
		return &ThrottledError{Wait: throttleWait(resp.Header, text, now), Text: text, status: status, retryAfter: shortLine(resp.Header.Get("Retry-After"), secret)}
	}
	e := &StatusError{Status: status, Text: text, wrongBackend: status == http.StatusUnauthorized && text == wrongBackend}
	if status >= 300 && status <= 399 {
		e.Redirect, e.Text = redirectTarget(resp, secret), ""
	}
	if h := strings.TrimSpace(resp.Header.Get("Retry-After")); h != "" {
		if d := retryAfter(h, resp.Header, now); d > 0 {
			e.wait = min(d, throttleMax)
		}
	}
	return e
}

// redirectTarget names the host alone: the rest of an address can hold anything.
func redirectTarget(resp *http.Response, secret string) string {
	u, err := resp.Location()
	if err != nil {
		return "nowhere"
	}
	return shortLine(u.Scheme+"://"+u.Host, secret)
}

// serverText is what an error answer says, in one short line.
func serverText(body []byte, secret string) string {
	text := strings.TrimSpace(strings.TrimPrefix(string(body), "\ufeff"))
	if strings.HasPrefix(text, "<") {
		return "an HTML page"
	}
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		if said := said(v, 0); said != "" {
			text = said
		} else if text == "{}" || text == "null" {
			text = ""
		}
	}
	return shortLine(text, secret)
}

// said finds the message in the shapes that this API and its like use:
// {"detail": text}, {"error": {"message": text}}, {"error": text},
// {"message": text}, {"filters": [{"error": text}], "error": true}.
func said(v any, depth int) string {
	if depth > 3 {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return said(v[0], depth+1)
		}
	case map[string]any:
		for _, name := range []string{"detail", "message", "error", "error_description", "filters"} {
			if s := said(v[name], depth+1); s != "" {
				return s
			}
		}
	}
	return ""
}
