package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var bearerStart = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// issuer hands out token-1, token-2, ... and knows how often it was asked.
type issuer struct {
	life   time.Duration
	asked  atomic.Int64
	fresh  atomic.Int64
	answer func(ctx context.Context, n int64) error // nil: always a token
}

func (i *issuer) fetch(ctx context.Context, fresh bool) (issuedToken, error) {
	n := i.asked.Add(1)
	if fresh {
		i.fresh.Add(1)
	}
	if i.answer != nil {
		if err := i.answer(ctx, n); err != nil {
			return issuedToken{}, err
		}
	}
	return issuedToken{text: fmt.Sprintf("token-%d", n), life: i.life}, nil
}

func bearerFor(t *testing.T, i *issuer, clock Clock) *BearerCredential {
	t.Helper()
	c, err := newBearer(Identity{Kind: "test"}, i.fetch, RetryOptions{Jitter: func() float64 { return 0 }}, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// signed is the token that a request is signed with.
func signed(t *testing.T, c *BearerCredential) (token string, r *http.Request) {
	t.Helper()
	r, err := http.NewRequest("POST", "https://h", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Authorize(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		t.Errorf("header %q", r.Header)
	}
	return token, r
}

func TestATokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	for _, c := range []struct {
		life, renewIn, kept time.Duration
	}{
		{life: time.Hour, kept: 56 * time.Minute},
		{life: 10 * time.Minute, kept: 7*time.Minute + 30*time.Second}, // a quarter of its life
		{life: 24 * time.Hour, renewIn: 12 * time.Hour, kept: 12 * time.Hour},
		{life: time.Hour, renewIn: 2 * time.Hour, kept: 56 * time.Minute}, // nonsense
	} {
		t.Run(fmt.Sprint(c.life, c.renewIn), func(t *testing.T) {
			i := &issuer{life: c.life}
			clock := NewManualClock(bearerStart)
			b := bearerFor(t, i, clock)
			b.fetch = func(ctx context.Context, fresh bool) (issuedToken, error) {
				issued, err := i.fetch(ctx, fresh)
				issued.renewIn = c.renewIn
				return issued, err
			}
			for _, at := range []struct {
				wait time.Duration
				want string
			}{{0, "token-1"}, {c.kept - time.Second, "token-1"}, {time.Second, "token-2"}, {c.kept - time.Second, "token-2"}, {100 * c.life, "token-3"}} {
				clock.Advance(at.wait)
				if got, _ := signed(t, b); got != at.want {
					t.Errorf("after %s more: %s, want %s", at.wait, got, at.want)
				}
			}
			if i.fresh.Load() != 0 {
				t.Error("a token whose time is up is no reason for more than to ask")
			}
		})
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	i := &issuer{life: time.Hour}
	b := bearerFor(t, i, NewManualClock(bearerStart))
	_, first := signed(t, b)
	_, second := signed(t, b)
	if !b.Refused(first) {
		t.Error("nothing better is promised")
	}
	if got, _ := signed(t, b); got != "token-2" || i.fresh.Load() != 1 {
		t.Errorf("%s, asked for a fresh one %d times", got, i.fresh.Load())
	}
	// The other request comes back late, with the old token.
	if !b.Refused(second) {
		t.Error("nothing better is promised")
	}
	if got, _ := signed(t, b); got != "token-2" {
		t.Errorf("%s: the new token was thrown away for the old one's refusal", got)
	}
}

// Eight windows meet one dead token: one renewal, and all wait for it.
func TestOneRenewalAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, answer: func(context.Context, int64) error {
			time.Sleep(3 * time.Second) // in the bubble: so long the platform takes
			return nil
		}}
		b := bearerFor(t, i, SystemClock())
		all := func(want string) (waited time.Duration) {
			begin := time.Now()
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					if got, _ := signed(t, b); got != want {
						t.Errorf("%s, want %s", got, want)
					}
				})
			}
			group.Wait()
			return time.Since(begin)
		}
		if waited := all("token-1"); waited != 3*time.Second || i.asked.Load() != 1 {
			t.Errorf("the first: %d asked, after %s", i.asked.Load(), waited)
		}
		_, r := signed(t, b)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() { b.Refused(r) })
		}
		group.Wait()
		if waited := all("token-2"); waited != 3*time.Second || i.asked.Load() != 2 {
			t.Errorf("refused: %d asked, after %s", i.asked.Load(), waited)
		}
		// Ahead of its end the old token serves those who do not renew.
		time.Sleep(57 * time.Minute)
		old, renewed := 0, 0
		var mu sync.Mutex
		for range 8 {
			group.Go(func() {
				begin := time.Now()
				got, _ := signed(t, b)
				mu.Lock()
				defer mu.Unlock()
				switch waited := time.Since(begin); {
				case got == "token-2" && waited == 0:
					old++
				case got == "token-3" && waited == 3*time.Second:
					renewed++
				default:
					t.Errorf("%s after %s", got, waited)
				}
			})
		}
		group.Wait()
		if old != 7 || renewed != 1 || i.asked.Load() != 3 {
			t.Errorf("%d with the old one, %d renewed, %d asked", old, renewed, i.asked.Load())
		}
	})
}

func TestWhoWaitsIsNotCalledOffWithTheOneWhoRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, answer: func(ctx context.Context, n int64) error {
			if n > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		b := bearerFor(t, i, SystemClock())
		ctx, cancel := context.WithCancel(t.Context())
		var first error
		var second string
		var group sync.WaitGroup
		group.Go(func() {
			r, _ := http.NewRequest("POST", "https://h", nil)
			first = b.Authorize(ctx, r)
		})
		synctest.Wait()
		group.Go(func() { second, _ = signed(t, b) })
		synctest.Wait()
		begin := time.Now()
		cancel()
		group.Wait()
		if !errors.Is(first, context.Canceled) || second != "token-2" || time.Since(begin) != 0 {
			t.Errorf("%v, %s, after %s", first, second, time.Since(begin))
		}
	})
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	down := func() error {
		return &passingError{err: &UnreachableError{Host: "login", What: "status 503", final: true}}
	}
	t.Run("and then works", func(t *testing.T) {
		i := &issuer{life: time.Hour, answer: func(_ context.Context, n int64) error {
			switch n {
			case 1:
				return down()
			case 2:
				return &passingError{err: errors.New("busy"), wait: 17 * time.Second}
			case 3:
				return &passingError{err: errors.New("busy"), wait: 3 * time.Hour}
			}
			return nil
		}}
		clock := NewManualClock(bearerStart)
		if got, _ := signed(t, bearerFor(t, i, clock)); got != "token-4" {
			t.Error(got)
		}
		if sleeps := fmt.Sprint(clock.Sleeps()); sleeps != "[1s 17s 5m0s]" {
			t.Error(sleeps)
		}
	})
	t.Run("within bounds", func(t *testing.T) {
		i := &issuer{answer: func(context.Context, int64) error { return down() }}
		b := bearerFor(t, i, NewManualClock(bearerStart))
		err := b.SignIn(t.Context())
		var unreachable *UnreachableError
		if !errors.As(err, &unreachable) || err.Error() != "sign in with test: reach login: status 503 (after 6 tries)" || i.asked.Load() != 6 || worthRetrying(err) {
			t.Errorf("%v, %d tries", err, i.asked.Load())
		}
	})
	t.Run("but not a refusal", func(t *testing.T) {
		i := &issuer{answer: func(context.Context, int64) error { return &SignInError{Code: "AADSTS1"} }}
		if err := bearerFor(t, i, NewManualClock(bearerStart)).SignIn(t.Context()); !errors.Is(err, ErrSignInRefused) || i.asked.Load() != 1 {
			t.Errorf("%v, %d tries", err, i.asked.Load())
		}
	})
	t.Run("and not while the old one is good", func(t *testing.T) {
		i := &issuer{life: time.Hour, answer: func(_ context.Context, n int64) error {
			if n == 1 || n > 3 {
				return nil
			}
			return down()
		}}
		clock := NewManualClock(bearerStart)
		b := bearerFor(t, i, clock)
		for _, at := range []struct {
			wait  time.Duration
			want  string
			asked int64
		}{{0, "token-1", 1}, {57 * time.Minute, "token-1", 2}, {29 * time.Second, "token-1", 2}, {time.Second, "token-1", 3}, {time.Minute, "token-4", 4}} {
			clock.Advance(at.wait)
			if got, _ := signed(t, b); got != at.want || i.asked.Load() != at.asked {
				t.Errorf("after %s more: %s, %d asked", at.wait, got, i.asked.Load())
			}
		}
		if sleeps := clock.Sleeps(); len(sleeps) != 0 {
			t.Errorf("waited %v with a good token at hand", sleeps)
		}
	})
	t.Run("and no longer than asked to", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		i := &issuer{answer: func(context.Context, int64) error { cancel(); return down() }}
		if err := bearerFor(t, i, NewManualClock(bearerStart)).SignIn(ctx); !errors.Is(err, context.Canceled) || i.asked.Load() != 1 {
			t.Errorf("%v, %d tries", err, i.asked.Load())
		}
	})
}

func TestATokenSaysWhoseItIs(t *testing.T) {
	token := func(claims jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, c := range map[string]struct {
		token string
		given Identity
		want  string
	}{
		"v1":              {token(jwt.MapClaims{"appid": "a-1", "tid": "t-1"}), Identity{}, "m (client a-1, tenant t-1)"},
		"v2":              {token(jwt.MapClaims{"azp": "a-2", "tid": "t-2"}), Identity{}, "m (client a-2, tenant t-2)"},
		"given ones stay": {token(jwt.MapClaims{"appid": "a-1", "tid": "t-1"}), Identity{ClientID: "x", Cloud: "public"}, "m (client x, tenant t-1, cloud public)"},
		"no claims":       {token(jwt.MapClaims{}), Identity{}, "m"},
		"odd claims":      {token(jwt.MapClaims{"appid": "a\nb", "tid": strings.Repeat("t", 65)}), Identity{}, "m"},
		"wrong types":     {token(jwt.MapClaims{"appid": 1, "tid": []int{2}}), Identity{}, "m"},
		"opaque":          {"opaque", Identity{}, "m"},
	} {
		t.Run(name, func(t *testing.T) {
			c.given.Kind = "m"
			b, err := newBearer(c.given, func(context.Context, bool) (issuedToken, error) {
				return issuedToken{text: c.token, life: time.Hour}, nil
			}, RetryOptions{}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.SignIn(t.Context()); err != nil || b.Identity().String() != c.want || b.Kind() != "m" {
				t.Errorf("%v, %s, want %s", err, b.Identity(), c.want)
			}
			if shown := fmt.Sprintf("%v %+v %#v %s", b, b, b, b); strings.Contains(shown, c.token) {
				t.Error("the token is shown")
			}
		})
	}
}
