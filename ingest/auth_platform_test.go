package ingest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// The ways to sign in that leave it to somebody else: a platform, or a program.

// managed is the endpoint of a platform with managed identities, as App Service
// has it. It hands out one token after the other.
type managed struct {
	*httptest.Server
	tokens []string
	asked  []string // client ids
}

func newManaged(t *testing.T, answer func(n int, w http.ResponseWriter) bool) *managed {
	m := &managed{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != "c4nary-header" || r.URL.Query().Get("resource") != ingest.DefaultResource {
			t.Errorf("%v %s", r.Header, r.URL)
		}
		m.asked = append(m.asked, r.URL.Query().Get("client_id"))
		if answer != nil && answer(len(m.asked), w) {
			return
		}
		m.tokens = append(m.tokens, fmt.Sprintf("managed-token-%d-%s", len(m.asked), t.Name()[5:8]))
		json.NewEncoder(w).Encode(map[string]string{
			"access_token": m.tokens[len(m.tokens)-1], "expires_on": fmt.Sprint(time.Now().Add(time.Hour).Unix()), "resource": ingest.DefaultResource, "token_type": "Bearer",
		})
	}))
	t.Cleanup(m.Close)
	t.Setenv("IDENTITY_ENDPOINT", m.URL)
	t.Setenv("IDENTITY_HEADER", "c4nary-header")
	return m
}

func managedOptions(clock ingest.Clock, clientID string) ingest.SignInOptions {
	return ingest.SignInOptions{Method: ingest.ManagedIdentity, ClientID: clientID, Clock: clock, Retry: ingest.RetryOptions{Jitter: func() float64 { return 0 }}}
}

func TestAManagedIdentity(t *testing.T) {
	m := newManaged(t, nil)
	clock := ingest.NewManualClock(start)
	c, err := ingest.NewBearerCredential(managedOptions(clock, "of-two"))
	if err != nil {
		t.Fatal(err)
	}
	// The API stops accepting the first token. The identity library would hand it
	// out again.
	srv := serve(t, body(onePage), status(401, `{"detail":"Signature has expired."}`), body(onePage))
	b := client(t, srv.URL, func(o *ingest.ClientOptions) { o.Credential = c })
	for range 2 {
		if _, err := b.ask(t); err != nil {
			t.Fatal(err)
		}
	}
	var sent []string
	for _, r := range srv.requests() {
		sent = append(sent, strings.TrimPrefix(r.header.Get("Authorization"), "Bearer "))
	}
	if got, want := strings.Join(sent, " "), m.tokens[0]+" "+m.tokens[0]+" "+m.tokens[1]; got != want || len(m.tokens) != 2 {
		t.Errorf("sent %s, want %s", got, want)
	}
	if strings.Join(m.asked, " ") != "of-two of-two" {
		t.Errorf("asked for %q", m.asked)
	}
}

func TestNoManagedIdentity(t *testing.T) {
	newManaged(t, func(n int, w http.ResponseWriter) bool {
		if n < 3 {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"statusCode":400,"message":"No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."}`)
		return true
	})
	clock := ingest.NewManualClock(start)
	c, err := ingest.NewBearerCredential(managedOptions(clock, "none"))
	if err != nil {
		t.Fatal(err)
	}
	err = c.SignIn(t.Context())
	if !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(err.Error(), "No User Assigned") || !strings.Contains(hint(err), "Azure resource") {
		t.Errorf("%v, hint %q", err, hint(err))
	}
	if fmt.Sprint(clock.Sleeps()) != "[1s 2s]" {
		t.Error("an endpoint that is being updated is not asked again")
	}
}

// program puts a program on the path that answers as az and its like do.
func program(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

func TestProgramsThatSignIn(t *testing.T) {
	for method, c := range map[string]struct{ name, works, arguments, fails, says, hint string }{
		ingest.AzureCLI: {
			"az", `echo "{\"accessToken\":\"program-token\",\"expires_on\":$(($(date +%s)+3600))}"`,
			"account get-access-token -o json --resource " + ingest.DefaultResource + " --tenant contoso.example",
			`echo "ERROR: Please run 'az login' to setup account." >&2; exit 1`, "refused: Please run 'az login' to setup account", "az login --tenant contoso.example",
		},
		ingest.AzureDeveloperCLI: {
			"azd", `echo "{\"token\":\"program-token\",\"expiresOn\":\"2099-01-01T00:00:00Z\"}"`,
			"auth token -o json --no-prompt --scope " + ingest.DefaultResource + "/.default --tenant-id contoso.example",
			`echo '{"error":"not logged in, run azd auth login to login"}' >&2; exit 1`, "refused: not logged in", "azd auth login --tenant-id contoso.example",
		},
		ingest.AzurePowerShell: {
			"pwsh", `echo "{\"Token\":\"program-token\",\"ExpiresOn\":4070908800}"`, "-NoProfile -NonInteractive",
			`echo "Run Connect-AzAccount to login." >&2; exit 1`, `refused: Please run "Connect-AzAccount" to set up an account`, "Connect-AzAccount -Tenant contoso.example",
		},
	} {
		t.Run(method, func(t *testing.T) {
			signIn := func() (*ingest.BearerCredential, error) {
				credential, err := ingest.NewBearerCredential(ingest.SignInOptions{Method: method, TenantID: "contoso.example", Clock: ingest.NewManualClock(start)})
				if err != nil {
					t.Fatal(err)
				}
				return credential, credential.SignIn(t.Context())
			}
			arguments := filepath.Join(t.TempDir(), "arguments")
			program(t, c.name, `echo "$@" > `+arguments+"\n"+c.works)
			credential, err := signIn()
			if err != nil {
				t.Fatal(err)
			}
			r, _ := http.NewRequest("POST", "https://h", nil)
			if err := credential.Authorize(t.Context(), r); err != nil || r.Header.Get("Authorization") != "Bearer program-token" {
				t.Errorf("%v, %q", err, r.Header)
			}
			if got, err := os.ReadFile(arguments); err != nil || !strings.HasPrefix(string(got), c.arguments) {
				t.Errorf("%v, arguments %s", err, got)
			}
			program(t, c.name, c.fails)
			if _, err := signIn(); !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(err.Error(), c.says) || !strings.Contains(hint(err), c.hint) {
				t.Errorf("%v, hint %q", err, hint(err))
			}
			program(t, c.name, `echo '{"accessToken":"c4nary-cut`)
			if _, err := signIn(); !errors.Is(err, ingest.ErrSignInRefused) || strings.Contains(err.Error(), "c4nary") {
				t.Error(err)
			}
			t.Setenv("PATH", t.TempDir())
			if _, err := signIn(); !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "Credential") {
				t.Errorf("%v, hint %q", err, hint(err))
			}
		})
	}
}

func TestAPipeline(t *testing.T) {
	const systemToken = "c4nary-system-access-token"
	e := newEntra(t, simulator.Options{})
	good := true
	oidc := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+systemToken || r.URL.Query().Get("serviceConnectionId") != "connection" {
			t.Errorf("%v %s", r.Header, r.URL)
		}
		if !good {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"message":"TF400813: The user is not authorized; you sent `+systemToken+`"}`)
			return
		}
		io.WriteString(w, `{"oidcToken":"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwaXBlIn0.c2ln"}`)
	}))
	defer oidc.Close()
	t.Setenv("SYSTEM_OIDCREQUESTURI", oidc.URL)
	pipeline := func(o *ingest.SignInOptions) {
		o.Method, o.ClientSecret, o.ServiceConnection, o.SystemAccessToken = ingest.Pipelines, "", "connection", systemToken
	}
	if _, err := e.client(t, e.credential(t, pipeline)).ask(t); err != nil {
		t.Error(err)
	}
	good = false
	err := e.credential(t, pipeline).SignIn(t.Context())
	if !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(err.Error(), "TF400813") || strings.Contains(err.Error(), systemToken) || !strings.Contains(hint(err), "--service-connection") {
		t.Errorf("%v, hint %q", err, hint(err))
	}
}
