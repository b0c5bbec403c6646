package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// renewBefore is how long before its end a token is renewed, at most a
	// quarter of its life. It is less than the five minutes within which the
	// identity library no longer hands out the token it has.
	renewBefore = 4 * time.Minute
	// renewAgain is the wait after a renewal that failed while the token is good.
	renewAgain = 30 * time.Second
)

// BearerCredential signs with access tokens of Microsoft Entra ID, which live
// about an hour. A token is kept and renewed some minutes before its end; one
// renewal runs at a time, and meanwhile the others sign with the old token for
// as long as it is good, and wait otherwise.
type BearerCredential struct {
	fetch  tokenSource
	clock  Clock
	retry  RetryOptions
	onWait func(d time.Duration, why string)

	mu       sync.Mutex
	identity Identity
	token    accessToken
	refused  bool      // the API did not accept token
	notYet   time.Time // no renewal of a good token before this
	renewal  *renewal  // under way
}

// accessToken is a token as it is kept.
type accessToken struct {
	// A function, because no way of printing a value shows what it returns. nil
	// for no token.
	text           func() string
	expires, renew time.Time // by the credential's clock
}

// tokenSource asks once for a token: for one that was not handed out before, if
// fresh. An error that may pass with time is a *passingError.
type tokenSource func(ctx context.Context, fresh bool) (issuedToken, error)

// issuedToken is a token as it came.
type issuedToken struct {
	text    string
	life    time.Duration // from now
	renewIn time.Duration // from now, where the platform says so; 0 else
}

// passingError is a failure after which the same may well succeed.
type passingError struct {
	err  error
	wait time.Duration // asked for by the other side, 0 if nothing
}

func (e *passingError) Error() string { return e.err.Error() }
func (e *passingError) Unwrap() error { return e.err }

// renewal is one that is under way. err may be read once done is closed.
type renewal struct {
	done chan struct{}
	err  error
}

// Identity is as whom a credential signs in, as far as it is known. It holds no
// secret.
type Identity struct {
	Kind     string // "token", "client-secret", ...
	ClientID string // of the application
	TenantID string // of the directory
	Cloud    string // "public", "gcc-high", ... or the host of the authority
}

// String is for people.
func (i Identity) String() string {
	var known []string
	for _, part := range []struct{ name, value string }{{"client", i.ClientID}, {"tenant", i.TenantID}, {"cloud", i.Cloud}} {
		if part.value != "" {
			known = append(known, part.name+" "+part.value)
		}
	}
	if len(known) == 0 {
		return i.Kind
	}
	return i.Kind + " (" + strings.Join(known, ", ") + ")"
}

func newBearer(identity Identity, fetch tokenSource, retry RetryOptions, clock Clock, onWait func(time.Duration, string)) (*BearerCredential, error) {
	if err := retry.defaults(); err != nil {
		return nil, err
	}
	if clock == nil {
		clock = SystemClock()
	}
	return &BearerCredential{identity: identity, fetch: fetch, retry: retry, clock: clock, onWait: onWait}, nil
}

// SignIn gets the first token, so that a sign-in that is refused is known before
// anything else is begun.
func (c *BearerCredential) SignIn(ctx context.Context) error {
	if _, err := c.good(ctx); err != nil {
		return signInFailed(c, err)
	}
	return nil
}

// signInFailed says what was being done, and as whom.
func signInFailed(c Credential, err error) error {
	who := c.Kind()
	if b, ok := c.(*BearerCredential); ok {
		who = b.Identity().String()
	}
	return fmt.Errorf("sign in with %s: %w", who, err)
}

// Identity is as whom the credential signs in; what was not given is known after
// the first token, which may say it.
func (c *BearerCredential) Identity() Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

// Kind is the method of the sign-in.
func (c *BearerCredential) Kind() string { return c.Identity().Kind }

func (c *BearerCredential) String() string   { return c.Kind() + " [hidden]" }
func (c *BearerCredential) GoString() string { return c.String() }

// Authorize sets the header, after a renewal if that is due.
func (c *BearerCredential) Authorize(ctx context.Context, r *http.Request) error {
	token, err := c.good(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", bearer(token))
	return nil
}

func bearer(t accessToken) string { return "Bearer " + t.text() }

// Refused notes that the API did not accept the token of r, if that is still the
// present one: of several requests that it was refused for, one makes it renew.
func (c *BearerCredential) Refused(r *http.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.text != nil && r.Header.Get("Authorization") == bearer(c.token) {
		c.refused = true
	}
	return true
}

// good is a token to sign with.
func (c *BearerCredential) good(ctx context.Context) (accessToken, error) {
	for {
		if err := ctx.Err(); err != nil {
			return accessToken{}, err
		}
		c.mu.Lock()
		now, old := c.clock.Now(), c.token

		usable := old.text != nil && !c.refused && now.Before(old.expires)
		due := !usable || !now.Before(old.renew) && !now.Before(c.notYet)
		running := c.renewal
		if usable && (!due || running != nil) {
			c.mu.Unlock()
			return old, nil
		}
		if running != nil {
			c.mu.Unlock()
			select {
			case <-running.done:
			case <-ctx.Done():
			}
			// The one who renewed may have been called off; we are not.
			if ctx.Err() == nil && running.err != nil && !cancelled(running.err) {
				return accessToken{}, running.err
			}
			continue
		}
		mine := &renewal{done: make(chan struct{})}
		c.renewal = mine
		fresh := c.refused
		c.mu.Unlock()

		token, err := c.renew(ctx, fresh, usable)
		c.mu.Lock()
		c.renewal, mine.err = nil, err
		if err == nil {
			c.token, c.refused, c.notYet = token, false, time.Time{}
		} else if usable {
			c.notYet = c.clock.Now().Add(renewAgain)
		}
		stillGood := usable && !c.refused && c.clock.Now().Before(old.expires)
		c.mu.Unlock()
		close(mine.done)
		switch {
		case err == nil:
			return token, nil
		case stillGood && ctx.Err() == nil:
			return old, nil
		}
		return accessToken{}, err
	}
}

func cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// renew asks for a token until it comes or is refused. ahead: the old one is
// still good, so one question is enough for now.
func (c *BearerCredential) renew(ctx context.Context, fresh, ahead bool) (accessToken, error) {
	for tries := 1; ; tries++ {
		issued, err := c.fetch(ctx, fresh)
		if err == nil {
			return c.accept(issued), nil
		}
		if ctx.Err() != nil {
			return accessToken{}, ctx.Err()
		}
		var passing *passingError
		if !errors.As(err, &passing) {
			return accessToken{}, err
		}
		if ahead || tries >= c.retry.Tries {
			return accessToken{}, withTries(passing.err, tries)
		}
		wait := max(c.retry.backoff(tries), min(passing.wait, throttleMax))
		if c.onWait != nil {
			c.onWait(wait, passing.Error())
		}
		if err := c.clock.Sleep(ctx, wait); err != nil {
			return accessToken{}, err
		}
	}
}

// accept takes a token in, and learns from it who we are.
func (c *BearerCredential) accept(issued issuedToken) accessToken {
	// Without the monotonic clock, which stands still while the machine sleeps.
	now := c.clock.Now().Round(0)
	t := accessToken{text: func() string { return issued.text }, expires: now.Add(issued.life)}
	t.renew = t.expires.Add(-min(renewBefore, issued.life/4))
	if issued.renewIn > 0 && issued.renewIn < issued.life {
		t.renew = now.Add(issued.renewIn)
	}
	clientID, tenantID := claimsOf(issued.text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identity.ClientID == "" {
		c.identity.ClientID = clientID
	}
	if c.identity.TenantID == "" {
		c.identity.TenantID = tenantID
	}
	return t
}

// claimsOf looks for the application and the directory in a token. Tokens are
// the API's and may be closed to us: then both are empty.
func claimsOf(token string) (clientID, tenantID string) {
	var claims struct {
		jwt.RegisteredClaims
		AppID string `json:"appid"` // v1 tokens
		AZP   string `json:"azp"`   // v2 tokens
		TID   string `json:"tid"`
	}
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return "", ""
	}
	clientID = claims.AppID
	if clientID == "" {
		clientID = claims.AZP
	}
	return wordOrNone(clientID), wordOrNone(claims.TID)
}

// wordOrNone is an id as Entra ID makes them, or nothing: what it is taken from
// may hold anything.
func wordOrNone(id string) string {
	if len(id) > 64 || !madeOf(id, "-.") {
		return ""
	}
	return id
}

// madeOf tells whether text is made of ASCII letters, digits and the signs in
// more, and of at least one of them.
func madeOf(text, more string) bool {
	for _, r := range text {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(more, r)) {
			return false
		}
	}
	return text != ""
}
