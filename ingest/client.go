package ingest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// ClientOptions say where the API is and how to treat it. BaseURL and
// Credential are needed; the zero value of everything else works.
type ClientOptions struct {
	// BaseURL is the API URL under Settings > Cloud Apps > About, perhaps with a
	// path prefix. https; plain http only to a loopback address.
	BaseURL    string
	Credential Credential

	CAFile  string         // PEM file of further roots to trust, "" for none
	RootCAs *x509.CertPool // roots to trust in place of the system's, nil for those

	UserAgent string // "mdcalake"
	Rate      int    // requests a minute, 0 for no limit
	Retry     RetryOptions
	Timeouts  Timeouts
	MaxBody   int64 // longest body after decompression; 256 MiB
	Memory    int64 // for the bodies of all answers at a time, after decompression; 64 MiB
	Clock     Clock // the system's

	// OnWait is told of every wait before it begins: pacing, throttling,
	// back-off. It is called by several goroutines and must return at once.
	OnWait func(d time.Duration, why string)
}

// Timeouts are for a peer that is silent; they run in real time. The zero value
// is the default.
type Timeouts struct {
	Connect time.Duration // to connect, and again for the TLS handshake; 30 s
	Header  time.Duration // from the request to the answer's header; 3 min
	Stall   time.Duration // without a byte of the body; 1 min
	Body    time.Duration // for the whole body; 15 min
}

const (
	defaultMaxBody = 256 << 20
	defaultMemory  = 64 << 20
)

// maxRenewals is how often one request is repeated because its token was refused.
const maxRenewals = 5

// Client is the API of one tenant. It may be used by several goroutines, which
// then share its rate.
type Client struct {
	endpoint string // of the main route
	archived string // of the archived one
	host     string
	options  ClientOptions
	limiter  *Limiter
	memory   *budget
	http     *http.Client
	answered atomic.Bool            // the host was reached before, so its name is right
	offset   atomic.Int64           // the server's clock minus ours, in ns, as it said last
	accepted atomic.Pointer[string] // the Authorization header that worked last
}

// NewClient checks the options and returns a client. It sends nothing.
func NewClient(o ClientOptions) (*Client, error) {
	endpoint, err := endpointOf(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if o.Credential == nil {
		return nil, &OptionError{Option: "credential", Problem: "is missing", hint: "give a token with --token-file, or sign in with --auth"}
	}
	if o.Rate < 0 || o.MaxBody < 0 || o.Memory < 0 || o.Timeouts.Connect < 0 || o.Timeouts.Header < 0 || o.Timeouts.Stall < 0 || o.Timeouts.Body < 0 {
		return nil, &OptionError{Option: "rate, longest body or timeout", Problem: "is negative"}
	}
	if err := o.Retry.defaults(); err != nil {
		return nil, err
	}
	if o.UserAgent == "" {
		o.UserAgent = "mdcalake"
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	for _, d := range []struct {
		to *time.Duration
		by time.Duration
	}{
		{&o.Timeouts.Connect, 30 * time.Second},
		{&o.Timeouts.Header, 3 * time.Minute}, // a wide scan is slow to begin
		{&o.Timeouts.Stall, time.Minute},
		{&o.Timeouts.Body, 15 * time.Minute},
	} {
		if *d.to == 0 {
			*d.to = d.by
		}
	}
	roots, err := rootsOf(o)
	if err != nil {
		return nil, err
	}
	return &Client{
		endpoint: endpoint.JoinPath(activitiesPath).String(),
		archived: endpoint.JoinPath(archivedPath).String(),
		host:     endpoint.Host,
		options:  o,
		limiter:  NewLimiter(o.Rate, o.Clock, o.OnWait),
		memory:   newBudget(o.Memory),
		http: &http.Client{
			Transport: transport(o.Timeouts, roots),
			// A redirect is an answer like any other, and never followed: the
			// credential goes to the configured host only.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Host is the host, with its port if it was given one.
func (c *Client) Host() string { return c.host }

// CredentialKind is how the client signs in.
func (c *Client) CredentialKind() string { return c.options.Credential.Kind() }

// Rate is the most requests a minute; 0: no limit.
func (c *Client) Rate() int { return c.limiter.PerMinute() }

// Left is how many requests the rate leaves in this minute; -1: there is no limit.
func (c *Client) Left() int { return c.limiter.Left() }

// Close closes idle connections. Requests under way are not its business.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Activities posts body, a JSON object, to the list of activities and returns
// the whole and well-formed answer, after as many tries as the options allow.
func (c *Client) Activities(ctx context.Context, body []byte) (*Answer, error) {
	answer, _, err := c.ask(ctx, ask{url: c.endpoint, body: body, most: c.options.MaxBody}, listable)
	if err != nil {
		answer.Release()
		return nil, err
	}
	return answer, nil
}

// listable tells whether an answer is a page at all. An object without data, or
// with null for it, is what the API gives when something broke behind it: taken
// for an empty page, it would lose the records that should be there.
func listable(p *Page) error {
	if !p.DataPresent {
		return &MalformedError{What: "no data in it", Offset: -1}
	}
	return nil
}

// ask is a question: where it goes, what it says, and how long a body may be
// that answers it.
type ask struct {
	method string // "" is POST
	url    string
	body   []byte
	most   int64
	soon   bool // whoever asks gives the body back before he waits for another one
}

// once sends a question one time, when its turn has come.
func (c *Client) once(ctx context.Context, q ask) (*Answer, error) {
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	return c.attempt(ctx, q)
}

// ask is the one function that every request goes through: limits, retries,
// throttling. It sends the question until an answer passes check, and says how often it
// did. Together with an error it may return the last answer that was whole but
// did not pass: its records are the caller's to save or to release.
func (c *Client) ask(ctx context.Context, q ask, check func(*Page) error) (answer *Answer, requests int, err error) {
	var kept *Answer
	retry := &c.options.Retry
	var accepted *string
	for faults, throttled, soon, renewals := 0, 0, 0, 0; ; {
		if err := c.limiter.Wait(ctx); err != nil {
			return kept, requests, err
		}
		requests++
		answer, err := c.attempt(ctx, q)
		if err == nil {
			kept.Release()
			kept = answer
			kept.Requests = requests
			if err = check(answer.Page); err == nil {
				return answer, requests, nil
			}
			kept.memory.keep()
		}
		var slow *ThrottledError
		if errors.As(err, &slow) {
			if throttled++; throttled >= retry.Throttled {
				return kept, requests, withTries(err, requests)
			}
			wait := slow.Wait
			if wait <= throttleMin {
				// "0", again and again: of so short a wait less is believed each time.
				wait = min(throttleMin<<soon, throttleDefault)
				soon++
			}
			c.limiter.Throttled(wait, "throttled by the API")
			continue
		}
		var status *StatusError
		if errors.As(err, &status) && status.renewable && renewals < maxRenewals {
			// A fresh token that is refused, too, shows that tokens are not the trouble;
			// but one that others have used meanwhile is not fresh.
			if now := c.accepted.Load(); renewals == 0 || status.hadWorked || now != accepted {
				accepted = now
				renewals++
				continue
			}
		}
		if faults++; faults >= retry.Tries || !worthRetrying(err) {
			return kept, requests, withTries(err, requests)
		}
		wait := retry.backoff(faults)
		if status != nil {
			wait = max(wait, status.wait)
		}
		if err := c.pause(ctx, wait, err.Error()); err != nil {
			return kept, requests, err
		}
	}
}

func (c *Client) pause(ctx context.Context, d time.Duration, why string) error {
	if c.options.OnWait != nil {
		c.options.OnWait(d, why)
	}
	return c.options.Clock.Sleep(ctx, d)
}

// attempt sends one request and reads its answer.
func (c *Client) attempt(ctx context.Context, q ask) (*Answer, error) {
	// Cancelled by the watch over the body, too; ctx itself tells the two apart.
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := http.NewRequestWithContext(within, cmp.Or(q.method, http.MethodPost), q.url, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", c.options.UserAgent)
	if err := c.options.Credential.Authorize(ctx, r); err != nil {
		return nil, signInFailed(c.options.Credential, err)
	}
	secret := secretOf(r)

	sent := c.options.Clock.Now()
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.networkError(ctx, err, 0, secret)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		c.accept(r.Header.Get("Authorization"))
	}
	c.answered.Store(true)
	answer := &Answer{Status: resp.StatusCode, Header: resp.Header, Compressed: resp.Uncompressed, Asked: sent}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		now := c.options.Clock.Now()
		answer.Date, answer.Offset = date, date.Sub(now)
		answer.Asked = date.Add(-now.Sub(sent))
		c.offset.Store(int64(answer.Offset))
	} else {
		answer.Offset = time.Duration(c.offset.Load())
		answer.Asked = sent.Add(answer.Offset)
	}

	watched := watch(resp, cancel, c.options.Timeouts)
	defer watched.stop()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		err := c.statusError(resp, secret)
		if status, ok := err.(*StatusError); ok && status.Status == http.StatusUnauthorized && !status.wrongBackend {
			worked := c.accepted.Load()
			status.hadWorked = worked != nil && *worked == r.Header.Get("Authorization")
			status.renewable = c.options.Credential.Refused(r)
		}
		return nil, err
	}
	answer.memory = c.memory.begin()
	if answer.Body, answer.SHA256, err = c.readBody(within, resp, watched, answer.memory, q); err != nil {
		n := len(answer.Body)
		answer.Release()
		return nil, c.bodyError(ctx, within, err, n, q.most, secret)
	}
	answer.Received = c.options.Clock.Now()
	answer.Took = answer.Received.Sub(sent)
	answer.Page = &Page{Body: answer.Body, Request: q.body, SHA256: answer.SHA256, Date: answer.Date, answer: answer}
	if err := ParsePage(answer.Body, answer.Page); err != nil {
		answer.Release()
		return nil, err
	}
	return answer, nil
}

// accept notes that a credential works.
func (c *Client) accept(header string) {
	if before := c.accepted.Load(); before == nil || *before != header {
		c.accepted.Store(&header)
	}
}

// secretOf is the credential in a signed request, without its scheme.
func secretOf(r *http.Request) string {
	header := r.Header.Get("Authorization")
	if _, secret, ok := strings.Cut(header, " "); ok {
		return strings.TrimSpace(secret)
	}
	return header
}

// networkError puts a failure of the network into words. n is how much of the
// body had come.
func (c *Client) networkError(ctx context.Context, err error, n int, secret string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// The wrapper repeats the address only.
	var wrapper *url.Error
	if errors.As(err, &wrapper) {
		err = wrapper.Err
	}
	e := &UnreachableError{Host: c.host, What: shortLine(err.Error(), secret),
		hint: "check the network and the proxy settings; what was committed is kept, so run the same again"}
	if n > 0 {
		e.What = fmt.Sprintf("connection lost after %d bytes: %s", n, e.What)
	}
	// An error may quote what the other side sent, the credential included.
	if text := err.Error(); redact(text, secret) == text {
		e.err = err
	}
	var (
		dns       *net.DNSError
		untrusted *tls.CertificateVerificationError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e.hint = "there is no such host: --url must be the API URL under Settings > Cloud Apps > About"
		// Waiting helps against a lost network, not against a wrong name.
		e.final = !c.answered.Load()
	case errors.As(err, &untrusted):
		e.hint = "the host's certificate is not trusted: check --url; behind an inspecting proxy give its root with --ca-file"
		e.final = true
	case errors.Is(err, http.ErrSchemeMismatch):
		e.hint = "the host speaks plain http there: check the port in --url"
		e.final = true
	case errors.Is(err, syscall.ECONNREFUSED):
		e.hint = "nothing listens there: check the host and the port in --url, and the proxy settings"
		// A host that has answered before is being restarted, perhaps.
		e.final = !c.answered.Load()
	case errors.As(err, &timeout) && timeout.Timeout():
		e.hint = "the host does not answer: check the network, the firewall and the proxy settings"
	}
	return e
}
