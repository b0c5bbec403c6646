package ingest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
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
	scan := b.Scan(t.Context(), ingest.Window{Since: from, Until: to}, ingest.ScanOptions{Limit: ingest.NewPageSize(limit)})
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

func TestTokensThatDieDoNotStopEightWindows(t *testing.T) {
	e := newEntra(t, simulator.Options{SignIn: simulator.SignIn{Secret: secret, Uses: 20}})
	b := e.client(t, e.credential(t))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 15 {
				if _, err := b.Activities(t.Context(), []byte(`{"limit":1}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if issued := e.SignInStats().Issued; issued != 6 {
		t.Errorf("%d tokens for 120 requests of 20 each", issued)
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
