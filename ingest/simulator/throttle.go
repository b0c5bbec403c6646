package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Throttle shapes the answer 429, and says what else is worth one.
type Throttle struct {
	Body       ThrottleBody
	RetryAfter RetryAfter
	// NoRetryAfter is RetryAfterMissing by its older name.
	NoRetryAfter bool

	// ExpensivePerMinute admits so many expensive requests in a minute, however
	// much of the rate is left: 0 means no such limit, -1 admits none. Expensive
	// is a list or a count with a filter neither for date nor for service; the
	// documents want every scan to have one of them.
	ExpensivePerMinute int
}

// ThrottleBody is the form of the body of a 429.
type ThrottleBody string

// The bodies that clients have been seen to expect.
const (
	ThrottleDetail ThrottleBody = ""       // {"detail":"Request was throttled. ..."}
	ThrottleNested ThrottleBody = "nested" // {"error":{"message":"... N seconds."}}
	ThrottleHTML   ThrottleBody = "html"
	ThrottleEmpty  ThrottleBody = "empty"
	ThrottleMixed  ThrottleBody = "mixed" // one of these, by the seed and the number of the request
)

var throttleBodies = []ThrottleBody{ThrottleDetail, ThrottleNested, ThrottleHTML, ThrottleEmpty}

// RetryAfter is the form of the header Retry-After of a 429.
type RetryAfter string

// The forms; only the first two tell the time there is to wait.
const (
	RetryAfterSeconds RetryAfter = ""        // a number of seconds
	RetryAfterDate    RetryAfter = "date"    // an HTTP date, by the clock of the Date header
	RetryAfterZero    RetryAfter = "zero"    // 0
	RetryAfterAbsurd  RetryAfter = "absurd"  // thirty years
	RetryAfterMissing RetryAfter = "missing" // no such header
	RetryAfterMixed   RetryAfter = "mixed"   // one of these, by the seed and the number of the request
)

var retryAfters = []RetryAfter{RetryAfterSeconds, RetryAfterDate, RetryAfterZero, RetryAfterAbsurd, RetryAfterMissing}

const thirtyYears = 30 * 365 * 24 * 3600 // seconds

func (t Throttle) check() error {
	if t.Body != ThrottleMixed && !slices.Contains(throttleBodies, t.Body) {
		return fmt.Errorf("throttle body %q is none of %q, %q", t.Body, throttleBodies, ThrottleMixed)
	}
	if t.RetryAfter != RetryAfterMixed && !slices.Contains(retryAfters, t.RetryAfter) {
		return fmt.Errorf("retry-after %q is none of %q, %q", t.RetryAfter, retryAfters, RetryAfterMixed)
	}
	if t.NoRetryAfter && t.RetryAfter != RetryAfterSeconds && t.RetryAfter != RetryAfterMissing {
		return fmt.Errorf("a Retry-After of the form %q cannot be missing too", t.RetryAfter)
	}
	if t.ExpensivePerMinute < -1 {
		return fmt.Errorf("expensive requests a minute must not be negative, got %d; 0 means no limit of their own, -1 none", t.ExpensivePerMinute)
	}
	return nil
}

// throttle answers 429 in the form that the Options ask for.
func (x *exchange) throttle(wait time.Duration) {
	t := x.s.opt.Throttle
	r := rng{derive(x.s.gen.seed, 301, uint64(x.note.Number))}
	if t.Body == ThrottleMixed {
		t.Body = throttleBodies[r.n(len(throttleBodies))]
	}
	if t.RetryAfter == RetryAfterMixed {
		t.RetryAfter = retryAfters[r.n(len(retryAfters))]
	}
	if t.NoRetryAfter {
		t.RetryAfter = RetryAfterMissing
	}
	x.throttleAs(wait, t.Body, t.RetryAfter)
}

// throttleAs answers 429 with the reason phrase of the real thing, which
// net/http cannot be told: the answer is written on the connection itself.
func (x *exchange) throttleAs(wait time.Duration, form ThrottleBody, retry RetryAfter) {
	seconds := max(1, int((wait+time.Second-1)/time.Second))
	kind := "application/json"
	var body []byte
	switch form {
	case ThrottleDetail:
		body = fmt.Appendf(nil, `{"detail":"Request was throttled. Expected available in %d seconds."}`, seconds)
	case ThrottleNested:
		body = fmt.Appendf(nil, `{"error":{"code":"TooManyRequests","message":"You have sent too many requests. Try again in %d seconds."}}`, seconds)
	case ThrottleHTML:
		kind = "text/html"
		body = []byte("<html><body><h1>429 Too Many Requests</h1></body></html>\n")
	}
	h := x.w.Header()
	switch retry {
	case RetryAfterSeconds:
		h.Set("Retry-After", strconv.Itoa(seconds))
	case RetryAfterDate:
		at := x.now.Add(x.s.opt.DateSkew + wait + time.Second - 1) // the header has whole seconds: not a moment too early
		h.Set("Retry-After", at.UTC().Format(http.TimeFormat))
	case RetryAfterZero:
		h.Set("Retry-After", "0")
	case RetryAfterAbsurd:
		h.Set("Retry-After", strconv.Itoa(thirtyYears))
	}
	h.Set("Connection", "close")
	conn := x.take()
	if conn == nil {
		x.write(http.StatusTooManyRequests, kind, body)
		return
	}
	defer conn.Close()
	x.note.Status = http.StatusTooManyRequests
	x.sent = len(body)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	var head headerText
	_ = h.Write(&head) // headerText.Write does not fail
	x.record()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 429 TOO MANY REQUESTS\r\n%s\r\n%s", head, body)
}

type headerText []byte

func (h *headerText) Write(p []byte) (int, error) {
	*h = append(*h, p...)
	return len(p), nil
}

// withinRate takes a request from the budget, or answers that there is none left.
func (x *exchange) withinRate() bool {
	wait, ok := x.s.limit.admit()
	if !ok {
		x.throttle(wait)
	}
	return ok
}

// affordable answers 429 to an expensive query where those are limited.
func (x *exchange) affordable(f *filter) bool {
	most := x.s.opt.Throttle.ExpensivePerMinute
	if most == 0 || f.bounded {
		return true
	}
	wait, ok := time.Minute, false
	if most > 0 {
		wait, ok = x.s.expensive.admit()
	}
	if !ok {
		x.note.Expensive = true
		x.throttle(wait)
	}
	return ok
}
