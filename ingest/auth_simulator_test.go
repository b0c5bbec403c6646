package ingest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

const (
	directory   = "9a0e6c1d-0000-4000-8000-000000000001"
	application = "9a0e6c1d-0000-4000-8000-000000000002"
	// secret has what URLs escape, as real ones do.
	secret = "c4n~ary-S3cret+with/odd=signs&more"
)

// pair is a certificate with its key: PEM of both, and PKCS#12.
type pair struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
	pem, pfx    []byte
}

const pfxPassword = "c4nary-pfx-password"

func makePair() (p pair, err error) {
	if p.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return p, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mdcalake"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.key.Public(), p.key)
	if err != nil {
		return p, err
	}
	if p.certificate, err = x509.ParseCertificate(der); err != nil {
		return p, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return p, err
	}
	p.pem = append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	p.pfx, err = pkcs12.Modern2023.Encode(p.key, p.certificate, nil, pfxPassword)
	return p, err
}

// aPair is the application's; another one is a stranger's.
var aPair = sync.OnceValue(func() pair {
	p, err := makePair()
	if err != nil {
		panic(err)
	}
	return p
})

func strangersCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	p, err := makePair()
	if err != nil {
		t.Fatal(err)
	}
	return p.certificate
}

// entra is a simulator that issues tokens, and a sign-in at it.
type entra struct {
	*simulator.Server
	options ingest.SignInOptions
	clock   *ingest.ManualClock
	waits   []string
}

func newEntra(t *testing.T, o simulator.Options) *entra {
	t.Helper()
	o.TLS = true
	if o.SignIn.TenantID == "" {
		o.SignIn.TenantID = directory
	}
	if o.Count == 0 {
		o.Count = 200
	}
	if o.Clock == nil {
		o.Clock = func() time.Time { return start }
	}
	srv, err := simulator.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	e := &entra{Server: srv, clock: ingest.NewManualClock(start)}
	e.options = ingest.SignInOptions{
		Method: ingest.ClientSecret, TenantID: directory, ClientID: application, ClientSecret: secret,
		Authority: srv.URL, RootCAs: e.roots(), Clock: e.clock,
		Retry:  ingest.RetryOptions{Jitter: func() float64 { return 0 }},
		OnWait: func(d time.Duration, why string) { e.waits = append(e.waits, fmt.Sprint(d, " ", why)) },
	}
	t.Cleanup(func() {
		for _, w := range e.waits {
			noSecret(t, e, w)
		}
	})
	return e
}

func (e *entra) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(e.CA)
	return pool
}

func (e *entra) credential(t *testing.T, change ...func(*ingest.SignInOptions)) *ingest.BearerCredential {
	t.Helper()
	o := e.options
	for _, f := range change {
		f(&o)
	}
	c, err := ingest.NewBearerCredential(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// client is one that signs in with c.
func (e *entra) client(t *testing.T, c ingest.Credential) *bench {
	return client(t, e.URL, func(o *ingest.ClientOptions) { o.Credential, o.RootCAs = c, e.roots() })
}

// noSecret looks for everything secret in a text.
func noSecret(t testing.TB, e *entra, text string) {
	t.Helper()
	for _, s := range append(e.Secrets(), secret, pfxPassword, "c4n~ary", "c4n%7Eary") {
		if strings.Contains(text, s) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

// noSecretIn looks for it in all that an error can show.
func noSecretIn(t testing.TB, e *entra, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		noSecret(t, e, err.Error()+hint(err)+fmt.Sprintf("%+v %#v", err, err))
	}
}

// scanAll reads the simulator's whole span in pages, and counts records and pages.
func scanAll(t *testing.T, e *entra, b *bench, limit int) (records, pages int, err error) {
	t.Helper()
	from, to := e.Span()
	scan := b.Scan(t.Context(), ingest.Window{Since: from, Until: to}, ingest.Position{}, ingest.ScanOptions{Limit: limit})
	for page, err := range scan.All() {
		if err != nil {
			return records, pages, err
		}
		records, pages = records+len(page.Records), pages+1
	}
	return records, pages, nil
}

func TestSignInWithoutANetwork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "federated")
	if err := os.WriteFile(file, []byte("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwb2QifQ.c2ln"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := simulator.SignIn{ClientID: application, Certificate: aPair().certificate}
	for name, c := range map[string]struct {
		signIn simulator.SignIn
		change func(*ingest.SignInOptions)
	}{
		"secret":       {simulator.SignIn{ClientID: application, Secret: secret}, func(*ingest.SignInOptions) {}},
		"life as text": {simulator.SignIn{Secret: secret, TextLife: true}, func(*ingest.SignInOptions) {}},
		"certificate, PEM": {certificate, func(o *ingest.SignInOptions) {
			o.Method, o.ClientSecret, o.Certificate = ingest.ClientCertificate, "", aPair().pem
		}},
		"certificate, PKCS#12": {certificate, func(o *ingest.SignInOptions) {
			o.Method, o.ClientSecret, o.Certificate, o.CertificatePassword = ingest.ClientCertificate, "", aPair().pfx, pfxPassword
		}},
		"workload identity": {simulator.SignIn{}, func(o *ingest.SignInOptions) {
			o.Method, o.ClientSecret, o.FederatedTokenFile = ingest.WorkloadIdentity, "", file
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t, simulator.Options{SignIn: c.signIn})
			credential := e.credential(t, c.change)
			if err := credential.SignIn(t.Context()); err != nil {
				t.Fatal(err, hint(err))
			}
			n, _, err := scanAll(t, e, e.client(t, credential), 50)
			if err != nil || n < 150 {
				t.Errorf("%d records, %v", n, err)
			}
			if stats := e.SignInStats(); stats.Requests != 1 || stats.Issued != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestADeviceCodeIsShownAndRefreshed(t *testing.T) {
	e := newEntra(t, simulator.Options{SignIn: simulator.SignIn{Life: 10 * time.Second}})
	var prompts []string
	credential := e.credential(t, func(o *ingest.SignInOptions) {
		o.Method, o.ClientSecret = ingest.DeviceCode, ""
		o.OnPrompt = func(text string) { prompts = append(prompts, text) }
	})
	b := e.client(t, credential)
	for range 2 {
		if _, err := b.ask(t); err != nil {
			t.Fatal(err)
		}
		e.clock.Advance(9 * time.Second) // renewal is due
	}
	if want := []string{"to sign in, open https://microsoft.example/devicelogin in a browser and enter the code ABCD1234E"}; !slices.Equal(prompts, want) {
		t.Errorf("%q", prompts)
	}
	if stats := e.SignInStats(); stats.Issued != 2 {
		t.Errorf("%+v", stats)
	}
}

// A token that the API stops accepting without notice, in the middle of a scan.
func TestATokenThatDiesDoesNotEndAScan(t *testing.T) {
	e := newEntra(t, simulator.Options{Count: 1000, SignIn: simulator.SignIn{Secret: secret, Uses: 4}})
	credential := e.credential(t)
	n, pages, err := scanAll(t, e, e.client(t, credential), 50)
	want := 0
	for range e.Expected() {
		want++
	}
	if err != nil || n < want {
		t.Errorf("%d records of %d, %v", n, want, err)
	}
	if stats := e.SignInStats(); stats.Issued != (pages+3)/4 || stats.Issued < 5 {
		t.Errorf("%d tokens for %d pages of 4 a token", stats.Issued, pages)
	}
	if refused := e.Stats().Unauthorized; refused != e.SignInStats().Issued-1 {
		t.Errorf("%d requests refused, %d tokens", refused, e.SignInStats().Issued)
	}
}

func TestEightWindowsRenewADeadTokenOnce(t *testing.T) {
	var mu sync.Mutex
	now := start
	e := newEntra(t, simulator.Options{SignIn: simulator.SignIn{Secret: secret}, Clock: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	b := e.client(t, e.credential(t))
	all := func(issued int) {
		t.Helper()
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if _, err := b.Activities(t.Context(), []byte(`{}`)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if stats := e.SignInStats(); stats.Issued != issued || stats.Requests != issued {
			t.Errorf("%+v, want %d", stats, issued)
		}
	}
	all(1)
	mu.Lock()
	now = now.Add(simulator.DefaultTokenLife + time.Second) // the server's clock alone
	mu.Unlock()
	all(2)
	all(2)
	if e.Stats().Unauthorized < 1 || e.Stats().Unauthorized > 8 {
		t.Errorf("%d requests refused", e.Stats().Unauthorized)
	}
}

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
