package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What a test on loopback cannot make the network do.

func TestAWrongNameIsFinalUntilTheHostWasReached(t *testing.T) {
	c := &Client{host: "tenant.example"}
	missing := fmt.Errorf("dial: %w", &net.DNSError{Err: "no such host", Name: "tenant.example", IsNotFound: true})
	err := c.networkError(t.Context(), &url.Error{Op: "Post", URL: "https://tenant.example", Err: missing}, 0, "secret")
	if worthRetrying(err) || err.Error() != "reach tenant.example: dial: lookup tenant.example: no such host" {
		t.Error(err)
	}
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		t.Error("the cause is lost")
	}
	c.answered.Store(true)
	if err := c.networkError(t.Context(), missing, 0, "secret"); !worthRetrying(err) {
		t.Error("a network that was lost is not waited for")
	}
	slow := &net.DNSError{Err: "i/o timeout", Name: "tenant.example", IsTimeout: true}
	if err := c.networkError(t.Context(), slow, 0, ""); !worthRetrying(err) || !strings.Contains(err.(*UnreachableError).Hint(), "firewall") {
		t.Error(err)
	}
}

func TestACauseThatQuotesTheSecretIsDropped(t *testing.T) {
	c := &Client{host: "tenant.example"}
	err := c.networkError(t.Context(), errors.New("malformed HTTP response \"secret\""), 0, "secret")
	if errors.Unwrap(err) != nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestACancelledRequestIsNoNetworkError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &Client{}
	if err := c.networkError(ctx, errors.New("x"), 0, ""); err != context.Canceled {
		t.Error(err)
	}
	if err := c.bodyError(ctx, ctx, errors.New("x"), 0, 1, ""); err != context.Canceled {
		t.Error(err)
	}
}

func TestAProxyThatIsNoURLIsNotQuoted(t *testing.T) {
	r, _ := http.NewRequest("POST", "https://tenant.example", nil)
	if _, err := proxy(r); err != nil && strings.Contains(err.Error(), "://") {
		t.Error(err)
	}
}

func TestServerTextIsShortAndPrintable(t *testing.T) {
	for body, want := range map[string]string{
		"":                                    "",
		"{}":                                  "",
		"null":                                "",
		`""`:                                  `""`,
		"\ufeff{\"detail\":\"a\\nb\"}":        "a b",
		`{"error":true,"filters":[]}`:         `{"error":true,"filters":[]}`,
		`{"detail":{"message":["x","y"]}}`:    "x",
		"  <b>":                               "an HTML page",
		"a\x1b]0;evil\x07\u202eb\u2066":       "a ]0;evil b",
		strings.Repeat("é", 200):              strings.Repeat("é", 160) + "...",
		`{"a":{"detail":"deep, not searched"`: `{"a":{"detail":"deep, not searched"`,
		"x secret-and-tail, y":                "x [credential], y",
		"\xff\xfe":                            "\ufffd\ufffd",
	} {
		if got := serverText([]byte(body), "secret"); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}
