package simulator_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

const form = "application/x-www-form-urlencoded"

// issued is what a token endpoint answers.
type issued struct {
	Token       string `json:"access_token"`
	Type        string `json:"token_type"`
	Life        any    `json:"expires_in"`
	Error       string
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
}

// ask asks for a token of a simulator; more changes the question, "" takes a
// member out of it.
func ask(t *testing.T, s *simulator.Simulator, path string, more map[string]string) (int, issued) {
	t.Helper()
	values := url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_secret": {"s3cret"}}
	if strings.Contains(path, "v2.0") {
		values.Set("scope", simulator.Resource+"/.default")
	} else {
		values.Set("resource", simulator.Resource)
	}
	for name, value := range more {
		if values.Set(name, value); value == "" {
			values.Del(name)
		}
	}
	a := client{t: t, s: s}.do("POST", path, form, values.Encode())
	var i issued
	if err := json.Unmarshal(a.Body, &i); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
	return a.Status, i
}

func TestTokenEndpoints(t *testing.T) {
	o := simulator.Options{Count: 10, SignIn: simulator.SignIn{TenantID: "contoso", ClientID: "app", Secret: "s3cret", Life: time.Hour}}
	s := newSim(t, o)
	for path, life := range map[string]any{"/contoso/oauth2/token": "3600", "/contoso/oauth2/v2.0/token": 3600.0, "/Contoso/oauth2/v2.0/token": 3600.0} {
		status, i := ask(t, s, path, nil)
		if status != 200 || i.Type != "Bearer" || i.Life != life || strings.Count(i.Token, ".") != 2 {
			t.Errorf("%s: %d %+v", path, status, i)
		}
		if a := (client{t: t, s: s, key: "Bearer " + i.Token}).post(`{}`); a.Status != 200 {
			t.Errorf("%s: the token is refused: %d %s", path, a.Status, a.Body)
		}
	}
	o.SignIn.TextLife = true
	if _, i := ask(t, newSim(t, o), "/contoso/oauth2/v2.0/token", nil); i.Life != "3600" {
		t.Errorf("life %v as text", i.Life)
	}
	for name, c := range map[string]struct {
		tenant string
		more   map[string]string
		status int
		error  string
		code   int
	}{
		"secret":           {more: map[string]string{"client_secret": "wrong"}, status: 401, error: "invalid_client", code: 7000215},
		"no secret":        {more: map[string]string{"client_secret": ""}, status: 401, error: "invalid_client", code: 7000215},
		"assertion":        {more: map[string]string{"client_secret": "", "client_assertion": "a.b.c", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, status: 401, error: "invalid_client", code: 700027},
		"client":           {more: map[string]string{"client_id": "another"}, status: 400, error: "unauthorized_client", code: 700016},
		"tenant":           {tenant: "fabrikam", status: 400, error: "invalid_request", code: 90002},
		"resource":         {more: map[string]string{"scope": "another/.default"}, status: 400, error: "invalid_resource", code: 500011},
		"grant":            {more: map[string]string{"grant_type": "password"}, status: 400, error: "unsupported_grant_type", code: 70003},
		"refresh":          {more: map[string]string{"grant_type": "refresh_token", "refresh_token": "x"}, status: 400, error: "invalid_grant", code: 65001},
		"device's pending": {more: map[string]string{"grant_type": "device_code", "device_code": "x"}, status: 400, error: "authorization_pending", code: 70016},
	} {
		tenant := c.tenant
		if tenant == "" {
			tenant = "contoso"
		}
		status, i := ask(t, s, "/"+tenant+"/oauth2/v2.0/token", c.more)
		if status != c.status || i.Error != c.error || len(i.Codes) != 1 || i.Codes[0] != c.code || i.Token != "" || strings.Contains(i.Description, "wrong") {
			t.Errorf("%s: %d %+v", name, status, i)
		}
	}
	if st := s.Stats(); st.Requests != 3 {
		t.Errorf("the API counts %d requests; sign-ins are none of its", st.Requests)
	}
	if st := s.SignInStats(); st.Issued != 3 || st.Requests != 12 {
		t.Errorf("%+v", st)
	}
	// Without tokens of its own, the paths are none.
	if a := (client{t: t, s: newSim(t, simulator.Options{Count: 10})}).do("POST", "/contoso/oauth2/token", form, ""); a.Status != 404 {
		t.Errorf("status %d", a.Status)
	}
}

func TestWhatTheAPIMakesOfTokens(t *testing.T) {
	clock := now
	make := func(in simulator.SignIn) (*simulator.Simulator, string) {
		in.TenantID = "contoso"
		s := newSim(t, simulator.Options{Count: 10, Token: "legacy", SignIn: in, Clock: func() time.Time { return clock }})
		_, i := ask(t, s, "/contoso/oauth2/v2.0/token", nil)
		return s, i.Token
	}
	s, token := make(simulator.SignIn{Uses: 2})
	another, wrongAudience := make(simulator.SignIn{Audience: "another"})
	third, noRole := make(simulator.SignIn{NoRoles: true})
	for _, c := range []struct {
		name   string
		s      *simulator.Simulator
		key    string
		status int
		detail string
	}{
		{"token", s, "Bearer " + token, 200, ""},
		{"lower case", s, "bearer " + token, 200, ""},
		{"used up", s, "Bearer " + token, 401, "Signature has expired."},
		{"as a legacy one", s, "Token " + token, 401, "Invalid token."},
		{"legacy", s, "Token legacy", 200, ""},
		{"legacy as Bearer", s, "Bearer legacy", 401, "Invalid token."},
		{"of another platform", s, "Bearer " + wrongAudience, 401, "Invalid token."},
		{"unsigned", s, "Bearer eyJhbGciOiJub25lIn0." + strings.Split(token, ".")[1] + ".", 401, "Invalid token."},
		{"audience", another, "Bearer " + wrongAudience, 401, "Invalid audience."},
		{"role", third, "Bearer " + noRole, 403, "Insufficient role based permission(s)"},
	} {
		a := client{t: t, s: c.s, key: c.key}.post(`{}`)
		if a.Status != c.status || c.detail != "" && string(a.Body) != `{"detail":"`+c.detail+`"}` {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
	}
	aged, old := make(simulator.SignIn{})
	clock = clock.Add(simulator.DefaultTokenLife - time.Second)
	if a := (client{t: t, s: aged, key: "Bearer " + old}).post(`{}`); a.Status != 200 {
		t.Errorf("before its end: %d %s", a.Status, a.Body)
	}
	clock = clock.Add(2 * time.Second)
	if a := (client{t: t, s: aged, key: "Bearer " + old}).post(`{}`); a.Status != 401 || string(a.Body) != `{"detail":"Signature has expired."}` {
		t.Errorf("after its end: %d %s", a.Status, a.Body)
	}
}

func TestSignInFaults(t *testing.T) {
	for text, want := range map[string]simulator.SignInFault{
		"status-503@2": {Kind: "status-503", At: 2}, "AADSTS7000222@1,times=-1": {Kind: "AADSTS7000222", At: 1, Times: -1},
	} {
		if f, err := simulator.ParseSignInFault(text); err != nil || f != want {
			t.Errorf("%s: %+v, %v", text, f, err)
		}
	}
	for _, text := range []string{"", "status-503", "status-503@x", "status-503@1,times=x", "status-503@page=1"} {
		if f, err := simulator.ParseSignInFault(text); err == nil {
			t.Errorf("%q: %+v", text, f)
		}
	}
	for _, in := range []simulator.SignIn{
		{TenantID: "a/b"}, {TenantID: "a", Life: -1}, {TenantID: "a", Uses: -1},
		{TenantID: "a", Faults: []simulator.SignInFault{{Kind: "empty-page", At: 1}}}, {TenantID: "a", Faults: []simulator.SignInFault{{Kind: "AADSTS1", At: 1}}},
		{TenantID: "a", Faults: []simulator.SignInFault{{Kind: "status-503"}}},
	} {
		if _, err := simulator.New(simulator.Options{SignIn: in}); err == nil {
			t.Errorf("%+v is taken", in)
		}
	}
	s := newSim(t, simulator.Options{Count: 10, SignIn: simulator.SignIn{TenantID: "contoso", Faults: []simulator.SignInFault{{Kind: "status-503", At: 2}, {Kind: "AADSTS7000222", At: 4, Times: -1}}}})
	for i, want := range []int{200, 503, 200, 401, 401} {
		a := client{t: t, s: s}.do("POST", "/contoso/oauth2/token", form, "grant_type=client_credentials&client_id=a&client_secret=b&resource="+simulator.Resource)
		if a.Status != want {
			t.Errorf("token request %d: %d, want %d: %s", i+1, a.Status, want, a.Body)
		}
	}
}

func TestTLS(t *testing.T) {
	srv := startAt(t, simulator.Options{Count: 10, TLS: true, Faults: []simulator.Fault{{Kind: simulator.FaultReset, Request: 2}, {Kind: simulator.FaultShortBody, Page: 3}}})
	if !strings.HasPrefix(srv.URL, "https://127.0.0.1:") {
		t.Error(srv.URL)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(srv.CA)
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	get := func() error {
		r, err := http.NewRequest("GET", srv.URL+"/api/v1/activities/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Token a")
		resp, err := trusting.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}
	if err := get(); err != nil {
		t.Error(err)
	}
	if err := get(); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("reset: %v", err)
	}
	if err := get(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short body: %v", err)
	}
}
