package ingest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"mdcalake/ingest"
)

func TestSignInOptions(t *testing.T) {
	type options = ingest.SignInOptions
	app := func(method string, change ...func(*options)) options {
		o := options{Method: method, TenantID: directory, ClientID: application}
		switch method {
		case ingest.ClientSecret:
			o.ClientSecret = secret
		case ingest.ClientCertificate:
			o.Certificate = aPair().pem
		}
		for _, f := range change {
			f(&o)
		}
		return o
	}
	with := func(f func(*options)) options { return app(ingest.ClientSecret, f) }
	for name, c := range map[string]struct {
		options options
		want    string // error; or identity, if there is none
	}{
		"secret":                {app(ingest.ClientSecret), "client-secret (client " + application + ", tenant " + directory + ", cloud public)"},
		"certificate":           {app(ingest.ClientCertificate), "client-certificate (client " + application + ", tenant " + directory + ", cloud public)"},
		"tenant by name":        {with(func(o *options) { o.TenantID = "contoso.onmicrosoft.com" }), "client-secret (client " + application + ", tenant contoso.onmicrosoft.com, cloud public)"},
		"GCC":                   {with(func(o *options) { o.Cloud = "gcc" }), "client-secret (client " + application + ", tenant " + directory + ", cloud gcc)"},
		"authority":             {with(func(o *options) { o.Authority = "https://login.example/" }), "client-secret (client " + application + ", tenant " + directory + ", cloud login.example)"},
		"device code":           {app(ingest.DeviceCode), "device-code (client " + application + ", tenant " + directory + ", cloud public)"},
		"browser":               {app(ingest.Browser), "browser (client " + application + ", tenant " + directory + ", cloud public)"},
		"managed identity":      {options{Method: ingest.ManagedIdentity}, "managed-identity"},
		"one of several":        {options{Method: ingest.ManagedIdentity, ClientID: application}, "managed-identity (client " + application + ")"},
		"Azure CLI":             {options{Method: ingest.AzureCLI}, "cli"},
		"its tenant":            {options{Method: ingest.AzureCLI, TenantID: directory}, "cli (tenant " + directory + ")"},
		"no method":             {options{}, `sign-in method "" is unknown`},
		"password":              {options{Method: "password"}, `sign-in method "password" is unknown`},
		"no tenant":             {with(func(o *options) { o.TenantID = "" }), "tenant ID is missing"},
		"tenant with a path":    {with(func(o *options) { o.TenantID = "a/b" }), "tenant ID is no id"},
		"no client":             {with(func(o *options) { o.ClientID = "" }), "client ID is missing"},
		"no secret":             {with(func(o *options) { o.ClientSecret = "" }), "client secret is missing"},
		"no certificate":        {app(ingest.ClientCertificate, func(o *options) { o.Certificate = nil }), "certificate is missing"},
		"no federated token":    {app(ingest.WorkloadIdentity), "federated token is missing"},
		"no service connection": {app(ingest.Pipelines), "service connection is missing"},
		"no job's token":        {app(ingest.Pipelines, func(o *options) { o.ServiceConnection = "c" }), "access token of the job is missing"},
		"client of the CLI":     {options{Method: ingest.AzureCLI, ClientID: application}, "client ID has no place with cli"},
		"tenant of a machine":   {options{Method: ingest.ManagedIdentity, TenantID: directory}, "tenant ID has no place with managed-identity"},
		"cloud of the CLI":      {options{Method: ingest.AzureCLI, Cloud: "gcc"}, "cloud or authority has no place with cli"},
		"unknown cloud":         {with(func(o *options) { o.Cloud = "moon" }), `cloud "moon" is unknown`},
		"cloud and authority":   {with(func(o *options) { o.Cloud, o.Authority = "gcc", "https://h" }), "cloud and authority both say where to sign in"},
		"plain authority":       {with(func(o *options) { o.Authority = "http://127.0.0.1:1" }), "authority does not begin with https://"},
		"authority with more":   {with(func(o *options) { o.Authority = "https://h/tenant" }), "authority goes beyond the root; the tenant is given apart from it"},
		"authority's password":  {with(func(o *options) { o.Authority = "https://ada:c4nary@h" }), "authority holds a user name or password"},
		"no resource":           {with(func(o *options) { o.Resource = "a b; c" }), "resource is no id"},
		"negative tries":        {with(func(o *options) { o.Retry.Tries = -1 }), "retry has a negative bound"},
	} {
		t.Run(name, func(t *testing.T) {
			credential, err := ingest.NewBearerCredential(c.options)
			if err == nil {
				if got := credential.Identity().String(); got != c.want || credential.Kind() != c.options.Method {
					t.Errorf("%s, want %s", got, c.want)
				}
				return
			}
			var option *ingest.OptionError
			if err.Error() != c.want || !errors.As(err, &option) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if text := err.Error() + hint(err); strings.Contains(text, secret) || strings.Contains(text, "c4nary") {
				t.Error("the secret is shown")
			}
		})
	}
	if _, err := ingest.NewBearerCredential(app(ingest.WorkloadIdentity, func(o *options) { o.FederatedTokenFile = filepath.Join(t.TempDir(), "no") })); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, v := range []any{app(ingest.ClientSecret), []options{app(ingest.ClientCertificate)}, map[string]options{"o": app(ingest.ClientSecret)}} {
		if shown := fmt.Sprintf("%v %+v %#v %s", v, v, v, v); strings.Contains(shown, secret) || strings.Contains(shown, "PRIVATE") || !strings.Contains(shown, "[hidden]") {
			t.Errorf("options show %s", shown)
		}
	}
}

func TestCertificateFiles(t *testing.T) {
	p := aPair()
	block, rest := pem.Decode(p.pem)
	key, certificate := pem.EncodeToMemory(block), rest
	stranger, err := makePair()
	if err != nil {
		t.Fatal(err)
	}
	_, strangers := pem.Decode(stranger.pem)
	legacy, err := pkcs12.LegacyDES.Encode(p.key, p.certificate, nil, pfxPassword)
	if err != nil {
		t.Fatal(err)
	}
	curved, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(curved)
	if err != nil {
		t.Fatal(err)
	}
	join := func(parts ...[]byte) (all []byte) {
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	for name, c := range map[string]struct {
		data     []byte
		password string
		want     string
	}{
		"key, certificate":         {join(key, certificate), "", ""},
		"certificate, key":         {join(certificate, key), "", ""},
		"with a chain":             {join(strangers, certificate, key), "", ""},
		"with words between":       {join([]byte("Bag Attributes\n"), certificate, []byte("\nKey Attributes\n"), key), "", ""},
		"PKCS#12":                  {p.pfx, pfxPassword, ""},
		"PKCS#12 of the old kind":  {legacy, pfxPassword, ""},
		"PKCS#12, wrong password":  {p.pfx, "wrong", "does not open with this password"},
		"PKCS#12, no password":     {p.pfx, "", "does not open with this password"},
		"PEM and a password":       {p.pem, pfxPassword, "is PEM, which takes no password"},
		"key alone":                {key, "", "holds a key and no certificate"},
		"certificate alone":        {certificate, "", "holds no private key"},
		"two keys":                 {join(key, key, certificate), "", "holds several keys"},
		"another one's":            {join(key, strangers), "", "does not belong to the key beside it"},
		"key of another kind":      {join(certificate, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), "", "has no RSA key, and Microsoft Entra ID takes no other"},
		"encrypted key":            {join(certificate, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})), "", "has an encrypted key in PEM"},
		"encrypted key, old style": {join(certificate, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x")})), "", "has an encrypted key in PEM"},
		"damaged key":              {join(certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes[:100]})), "", "has a damaged key"},
		"damaged certificate":      {join(key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "", "has a damaged certificate"},
		"anything":                 {[]byte("anything"), "", "is neither PEM nor PKCS#12 with one certificate and its key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ingest.NewBearerCredential(ingest.SignInOptions{Method: ingest.ClientCertificate, TenantID: directory, ClientID: application, Certificate: c.data, CertificatePassword: c.password})
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var option *ingest.OptionError
			if !errors.As(err, &option) || err.Error() != "certificate file "+c.want || hint(err) == "" {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
