package ingest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

func TestRefusals(t *testing.T) {
	fault := func(kind string) simulator.SignIn {
		return simulator.SignIn{Secret: secret, Echo: true, Faults: []simulator.SignInFault{{Kind: kind, At: 1, Times: -1}}}
	}
	for name, c := range map[string]struct {
		signIn simulator.SignIn
		change func(*ingest.SignInOptions)
		says   string
		hint   string
	}{
		"wrong secret": {simulator.SignIn{Secret: "another", Echo: true}, nil, "refused: AADSTS7000215: Invalid client secret provided", "its value, not its ID"},
		"old secret":   {fault("AADSTS7000222"), nil, "refused: AADSTS7000222: The provided client secret keys for app '" + application + "' are expired", "has expired"},
		"client":       {simulator.SignIn{ClientID: "another", Echo: true}, nil, "refused: AADSTS700016", "--client-id"},
		"tenant":       {simulator.SignIn{TenantID: "another"}, nil, "refused: AADSTS90002: Tenant '" + directory + "' not found", "--tenant-id"},
		"resource":     {simulator.SignIn{Echo: true}, func(o *ingest.SignInOptions) { o.Resource = "another" }, "refused: AADSTS500011: The resource principal named another", "--resource"},
		"consent":      {fault("AADSTS65001"), nil, "refused: AADSTS65001", "Investigation.read"},
		"certificate": {simulator.SignIn{Certificate: strangersCertificate(t), Echo: true}, func(o *ingest.SignInOptions) {
			o.Method, o.ClientSecret, o.Certificate = ingest.ClientCertificate, "", aPair().pem
		}, "refused: AADSTS700027: The certificate with identifier", "does not know this certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t, simulator.Options{SignIn: c.signIn})
			change := c.change
			if change == nil {
				change = func(*ingest.SignInOptions) {}
			}
			credential := e.credential(t, change)
			_, err := e.client(t, credential).ask(t)
			var refused *ingest.SignInError
			if !errors.As(err, &refused) || !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(err.Error(), "sign in with "+credential.Identity().String()+": "+c.says) || !strings.Contains(hint(err), c.hint) {
				t.Errorf("%v\nhint %q", err, hint(err))
			}
			if text := err.Error(); strings.Contains(text, "Trace") || strings.Contains(text, "\n") || strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "...") {
				t.Errorf("not a plain sentence: %s", text)
			}
			noSecretIn(t, e, err)
			if e.SignInStats().Requests > 1 || e.Stats().Requests != 0 {
				t.Errorf("asked again: %+v, and %d requests to the API", e.SignInStats(), e.Stats().Requests)
			}
		})
	}
}

func TestTheAPIRefusesAToken(t *testing.T) {
	for name, c := range map[string]struct {
		signIn simulator.SignIn
		status int
		hint   string
		asked  int
	}{
		"for another audience":  {simulator.SignIn{Audience: "another"}, 401, "--resource", 2},
		"without a permission":  {simulator.SignIn{NoRoles: true}, 403, "Investigation.read", 1},
		"that is dead at birth": {simulator.SignIn{Uses: 1}, 200, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t, simulator.Options{SignIn: c.signIn})
			_, err := e.client(t, e.credential(t)).ask(t)
			var status *ingest.StatusError
			switch {
			case c.status == 200:
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &status) || status.Status != c.status || !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(hint(err), c.hint):
				t.Errorf("%v, hint %q", err, hint(err))
			}
			if e.Stats().Requests != c.asked || e.SignInStats().Issued != c.asked {
				t.Errorf("%d requests with %d tokens, want %d", e.Stats().Requests, e.SignInStats().Issued, c.asked)
			}
			noSecretIn(t, e, err)
		})
	}
}

func TestATokenEndpointInTrouble(t *testing.T) {
	for kind, says := range map[simulator.FaultKind]string{
		simulator.FaultStatus429: "status 429 Too Many Requests",
		simulator.FaultStatus500: "status 500 Internal Server Error",
		simulator.FaultStatus503: "status 503 Service Unavailable",
		simulator.FaultHTML200:   "an HTML page in place of an answer",
		simulator.FaultReset:     "reset",
		simulator.FaultCutJSON:   "the answer is cut or no JSON",
		simulator.FaultStall:     "no answer within",
	} {
		t.Run(string(kind), func(t *testing.T) {
			quick := func(o *ingest.SignInOptions) {
				if kind == simulator.FaultStall {
					o.Timeout = 200 * time.Millisecond
				}
			}
			t.Run("for a while", func(t *testing.T) {
				e := newEntra(t, simulator.Options{SignIn: simulator.SignIn{Secret: secret, Faults: []simulator.SignInFault{{Kind: string(kind), At: 1, Times: 2}}}})
				if err := e.credential(t, quick).SignIn(t.Context()); err != nil {
					t.Error(err)
				}
				if stats := e.SignInStats(); stats.Requests != 3 || len(e.waits) != 2 {
					t.Errorf("%+v, waits %q", stats, e.waits)
				}
			})
			t.Run("for ever", func(t *testing.T) {
				e := newEntra(t, simulator.Options{SignIn: simulator.SignIn{Secret: secret, Faults: []simulator.SignInFault{{Kind: string(kind), At: 1, Times: -1}}}})
				_, err := e.client(t, e.credential(t, quick)).ask(t)
				var unreachable *ingest.UnreachableError
				host := strings.TrimPrefix(e.URL, "https://")
				if !errors.As(err, &unreachable) || errors.Is(err, ingest.ErrSignInRefused) || unreachable.Host != host || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "after 6 tries") || hint(err) == "" {
					t.Error(err)
				}
				if stats := e.SignInStats(); stats.Requests != 6 || e.Stats().Requests != 0 {
					t.Errorf("%+v", stats)
				}
				noSecretIn(t, e, err)
			})
		})
	}
}

func TestASignInEndsWithItsContext(t *testing.T) {
	e := newEntra(t, simulator.Options{SignIn: simulator.SignIn{Faults: []simulator.SignInFault{{Kind: "stall", At: 1, Times: -1}}}})
	ctx, cancel := context.WithCancel(t.Context())
	credential := e.credential(t)
	done := make(chan error)
	go func() { done <- credential.SignIn(ctx) }()
	for e.SignInStats().Requests == 0 {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

// The secret goes to the host that was named and to no other.
func TestASignInStaysWithItsAuthority(t *testing.T) {
	t.Run("though the authority points elsewhere", func(t *testing.T) {
		elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
		defer elsewhere.Close()
		authority := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"issuer":"https://%s/v2.0","authorization_endpoint":"%s/a","token_endpoint":"%s/t"}`, r.Host, elsewhere.URL, elsewhere.URL)
		}))
		defer authority.Close()
		roots := x509.NewCertPool()
		roots.AddCert(authority.Certificate())
		c, err := ingest.NewBearerCredential(ingest.SignInOptions{
			Method: ingest.ClientSecret, TenantID: directory, ClientID: application, ClientSecret: secret, Authority: authority.URL, RootCAs: roots,
		})
		if err != nil {
			t.Fatal(err)
		}
		err = c.SignIn(t.Context())
		if !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(err.Error(), strings.TrimPrefix(elsewhere.URL, "https://")) || !strings.Contains(hint(err), "--cloud") {
			t.Error(err)
		}
	})
	t.Run("though the environment names a region", func(t *testing.T) {
		t.Setenv("AZURE_REGIONAL_AUTHORITY_NAME", "westeurope")
		e := newEntra(t, simulator.Options{})
		err := e.credential(t).SignIn(t.Context())
		if !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(err.Error(), "westeurope.") || !strings.Contains(hint(err), "AZURE_REGIONAL_AUTHORITY_NAME") {
			t.Error(err)
		}
	})
	t.Run("though the environment names another", func(t *testing.T) {
		for _, name := range []string{"AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"} {
			t.Setenv(name, "https://login.elsewhere.example/")
		}
		if err := newEntra(t, simulator.Options{SignIn: simulator.SignIn{ClientID: application, Secret: secret}}).credential(t).SignIn(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("and is not tried again where nothing is", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		e := newEntra(t, simulator.Options{})
		err = e.credential(t, func(o *ingest.SignInOptions) { o.Authority = "https://" + l.Addr().String() }).SignIn(t.Context())
		var unreachable *ingest.UnreachableError
		if !errors.As(err, &unreachable) || !strings.Contains(hint(err), "--authority") || len(e.waits) != 0 {
			t.Errorf("%v, hint %q, waits %q", err, hint(err), e.waits)
		}
	})
	t.Run("or not at all without trust in it", func(t *testing.T) {
		e := newEntra(t, simulator.Options{})
		err := e.credential(t, func(o *ingest.SignInOptions) { o.RootCAs = x509.NewCertPool() }).SignIn(t.Context())
		var unreachable *ingest.UnreachableError
		if !errors.As(err, &unreachable) || !strings.Contains(hint(err), "--ca-file") || len(e.waits) != 0 {
			t.Errorf("%v, hint %q, waits %q", err, hint(err), e.waits)
		}
	})
}
