package ingest

import (
	"context"
	"net/http"
	"strings"
)

// A Credential signs requests to the API.
//
// Authorize sets the request's Authorization header and changes nothing else of
// it, its address least of all. It is called before every request, a repeated
// one too, by several goroutines; whatever it has to fetch or renew, it does
// within ctx. Its error says nothing of what the secret is; it is final, so
// what can be tried again is tried again inside.
//
// Refused is told that the API answered 401 to a request that Authorize signed.
// It says whether the next Authorize may sign with something better, a fresh
// token; the request is then worth a repetition.
//
// Kind names the way of signing in ("token", "client-secret", ...) for the
// ledger.
type Credential interface {
	Authorize(ctx context.Context, r *http.Request) error
	Refused(r *http.Request) bool
	Kind() string
}

// TokenCredential is a legacy API token, made in the portal under
// Settings > Cloud Apps > API tokens.
type TokenCredential struct {
	// A function, because no way of printing a value shows what it returns.
	header func() string
}

// NewTokenCredential takes a token as it stands in a file or a variable: white
// space around it, and a byte-order mark before it, do not count.
func NewTokenCredential(token string) (*TokenCredential, error) {
	key := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(token), "\ufeff"))
	if key == "" {
		return nil, badToken("is empty")
	}
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			return nil, badToken("has white space inside; give the key alone, on one line, without the word Token")
		case c < ' ' || c == 0x7f:
			return nil, badToken("has control characters inside; was the file saved as UTF-16?")
		case c > 0x7f:
			return nil, badToken("has characters outside ASCII")
		}
	}
	header := "Token " + key
	return &TokenCredential{header: func() string { return header }}, nil
}

// badToken must never be given the token, or a part of it.
func badToken(problem string) error {
	return &OptionError{Option: "token", Problem: problem,
		hint: "an API token is a line of letters and digits, made under Settings > Cloud Apps > API tokens"}
}

// Authorize sets the header.
func (c *TokenCredential) Authorize(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", c.header())
	return nil
}

// Refused is false: a legacy token stays what it is.
func (*TokenCredential) Refused(*http.Request) bool { return false }

// Kind is "token".
func (*TokenCredential) Kind() string { return "token" }

func (*TokenCredential) String() string   { return "token [hidden]" }
func (*TokenCredential) GoString() string { return "token [hidden]" }
