package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// What a caller can tell apart. All of these carry a Hint for the person; find
// it with errors.As and an interface{ Hint() string }. None of them holds a
// credential, or more of what the API said than one short printable line. The
// context's errors pass through as they are.

// ErrSignInRefused is the state of a credential that the API does not accept
// (401), or that may not read activities (403). The *StatusError that is this
// error says which.
var ErrSignInRefused error = refused{}

type refused struct{}

func (refused) Error() string { return "sign-in refused" }
func (refused) Hint() string  { return "check the credential, and what it may read" }

// OptionError is something the caller asked for that cannot be done: an address,
// a credential, a filter, a window.
type OptionError struct {
	Option  string // "base URL", "token", "filter", ...
	Problem string
	hint    string
}

func (e *OptionError) Error() string { return e.Option + " " + e.Problem }

// Hint says what would be accepted.
func (e *OptionError) Hint() string { return e.hint }

// StatusError is an answer with a status that is no success and no throttling.
type StatusError struct {
	Status   int
	Text     string // what the API said, one short line, perhaps empty
	Redirect string // scheme and host a redirect pointed to
	Tries    int
	wait     time.Duration // Retry-After, 0 if none

	renewable    bool // 401, and the credential may have a better token next time
	hadWorked    bool // 401 to a token that was accepted before
	wrongBackend bool // 401 by a machine that does not know the tenant
}

func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "status %d", e.Status)
	if t := http.StatusText(e.Status); t != "" {
		b.WriteString(" " + t)
	}
	if e.Redirect != "" {
		b.WriteString(": redirect to " + e.Redirect + " not followed")
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	return b.String() + afterTries(e.Tries)
}

// Is makes 401 and 403 ErrSignInRefused.
func (e *StatusError) Is(target error) bool {
	return target == ErrSignInRefused &&
		(e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// Hint says what the status usually means here.
func (e *StatusError) Hint() string {
	switch {
	case e.Redirect != "":
		return "the credential is sent to the configured host only; if the API lives elsewhere now, give that --url (Settings > Cloud Apps > About)"
	case e.Status == http.StatusBadRequest:
		return "the API did not accept the request: check --filter, --service and --page-size"
	case e.wrongBackend:
		return "the generic host asks machines that do not know the tenant: give the tenant's own API URL (Settings > Cloud Apps > About)"
	case e.Status == http.StatusUnauthorized && e.renewable:
		return "the API does not accept the access token: check that --tenant-id, --cloud and --resource are those of the tenant that --url belongs to"
	case e.Status == http.StatusUnauthorized:
		return "the API does not know this credential: check that the token is whole, not revoked, and of this tenant"
	case e.Status == http.StatusForbidden:
		return "the credential is known but may not read activities: its owner needs a role that can, an application needs Investigation.read with admin consent"
	case e.Status == http.StatusNotFound:
		return "the address answers but has no such API: --url must be the API URL under Settings > Cloud Apps > About"
	case e.Status == http.StatusProxyAuthRequired:
		return "a proxy on the way asks for a sign-in: check HTTPS_PROXY"
	case e.Status >= 500 || e.Status == http.StatusRequestTimeout:
		return "the service has trouble; what was committed is kept, so run the same again later"
	default:
		return "check that --url is the API URL under Settings > Cloud Apps > About"
	}
}

// ThrottledError is an API that kept saying 429.
type ThrottledError struct {
	Wait  time.Duration // how long it asked to wait, the last time
	Text  string        // what it said, one short line, perhaps empty
	Tries int

	status     int    // 429, as a rule
	retryAfter string // the header, as it came
}

func (e *ThrottledError) Error() string {
	s := "throttled"
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s + afterTries(e.Tries)
}

// Hint says who else may be asking.
func (e *ThrottledError) Hint() string {
	return "all tools of a tenant share about 30 requests a minute: lower --rate, stop the others, or narrow --since and --until or --service"
}

// StalledError is a window that cannot be paged to its end: going on would ask
// for the same again, and skipping ahead would lose records.
type StalledError struct {
	Why    string
	Pages  int64  // pages of the window so far
	Cursor string // hash of the cursor that led nowhere, hex
}

func (e *StalledError) Error() string {
	return fmt.Sprintf("unpageable after %d pages: %s (cursor %s)", e.Pages, e.Why, e.Cursor)
}

// Hint says how to get around it.
func (e *StalledError) Hint() string {
	return "read the interval around it in smaller windows or per --service; what was read so far is kept"
}

// MalformedError is an answer that is not a page: cut, no JSON, or without the
// members that a page has.
type MalformedError struct {
	What   string
	Offset int64 // place in the body; -1 when it is not about one place
	Tries  int
	final  bool // asking again gives the same

	tooLong bool // the body is larger than it may be: fewer records may help
}

func (e *MalformedError) Error() string {
	s := "malformed answer: " + e.What
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	return s + afterTries(e.Tries)
}

// Hint says what to look at.
func (e *MalformedError) Hint() string {
	if e.final {
		return "ask for smaller pages with --page-size"
	}
	return "if this persists, check that --url is the API URL under Settings > Cloud Apps > About, and that no proxy on the way changes answers"
}

// UnreachableError is a request that got no whole answer: no name, no
// connection, no trust, or a connection that was lost.
type UnreachableError struct {
	Host  string
	What  string // one short line
	Tries int
	hint  string
	final bool
	err   error
}

func (e *UnreachableError) Error() string {
	return "reach " + e.Host + ": " + e.What + afterTries(e.Tries)
}

// Unwrap is the network's own error, where it is safe to show.
func (e *UnreachableError) Unwrap() error { return e.err }

// Hint says what to look at.
func (e *UnreachableError) Hint() string { return e.hint }

func afterTries(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" (after %d tries)", n)
}

// withTries notes in an error of ours how often it was tried.
func withTries(err error, n int) error {
	var (
		status      *StatusError
		throttled   *ThrottledError
		malformed   *MalformedError
		unreachable *UnreachableError
	)
	switch {
	case errors.As(err, &status):
		status.Tries = n
	case errors.As(err, &throttled):
		throttled.Tries = n
	case errors.As(err, &malformed):
		malformed.Tries = n
	case errors.As(err, &unreachable):
		unreachable.Tries = n
	}
	return err
}

// shortText is the length to which foreign text is cut.
const shortText = 160

// shortLine makes one short printable line of text from outside, in which the
// secret, should the other side have echoed it, does not appear.
func shortLine(text, secret string) string {
	text = redact(text, secret)
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		if !unicode.IsPrint(r) || r == ' ' {
			space = n > 0
			continue
		}
		if n >= shortText {
			b.WriteString("...")
			break
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// redact takes the secret out of a text. Its beginning is enough to know it by:
// the other side may have cut it, or written its end in another way (%3D for =).
func redact(text, secret string) string {
	head := secret[:min(len(secret), 16)]
	if head == "" || !strings.Contains(text, head) {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, head)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("[credential]")
		text = strings.TrimLeftFunc(rest, func(r rune) bool {
			return r > ' ' && r < 0x7f && !strings.ContainsRune("\"'<>,;", r)
		})
	}
}
