package ingest

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/pkg/browser"
)

// The ways to sign in at Microsoft Entra ID. Each one is asked for by name and
// tried alone: a chain that takes whatever works would collect as somebody whom
// nobody chose. (User name and password is none of them: the library keeps it as
// deprecated, because it fails wherever a second factor is asked for.)
const (
	ClientSecret      = "client-secret"
	ClientCertificate = "client-certificate"
	WorkloadIdentity  = "workload-identity" // a token of another platform, from a file
	Pipelines         = "pipelines"         // a service connection of Azure Pipelines
	ManagedIdentity   = "managed-identity"
	DeviceCode        = "device-code"
	Browser           = "browser"
	AzureCLI          = "cli"
	AzureDeveloperCLI = "azd"
	AzurePowerShell   = "powershell"
)

// signInMethods say what each way needs and what it takes besides.
var signInMethods = map[string]struct {
	client, tenant, mayClient, mayTenant bool
	entra                                bool // we ask Entra ID ourselves; the others have somebody who does
}{
	ClientSecret:      {client: true, tenant: true, entra: true},
	ClientCertificate: {client: true, tenant: true, entra: true},
	WorkloadIdentity:  {client: true, tenant: true, entra: true},
	Pipelines:         {client: true, tenant: true, entra: true},
	DeviceCode:        {client: true, tenant: true, entra: true}, // the library would take the Azure CLI's own application
	Browser:           {client: true, tenant: true, entra: true},
	ManagedIdentity:   {mayClient: true},
	AzureCLI:          {mayTenant: true},
	AzureDeveloperCLI: {mayTenant: true},
	AzurePowerShell:   {mayTenant: true},
}

// DefaultResource is the application id of Microsoft Defender for Cloud Apps,
// the same in every tenant ("Microsoft Cloud App Security" in older portals).
// https://learn.microsoft.com/defender-cloud-apps/api-authentication-application
const DefaultResource = "05a65629-4c1b-48c1-a78b-804c4abdd4af"

// clouds are where one signs in. A GCC tenant has an API host of its own but
// signs in at the public cloud; GCC High and DoD sign in at Azure Government.
// https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
var clouds = map[string]string{
	"public":   azcloud.AzurePublic.ActiveDirectoryAuthorityHost,
	"gcc":      azcloud.AzurePublic.ActiveDirectoryAuthorityHost,
	"gcc-high": azcloud.AzureGovernment.ActiveDirectoryAuthorityHost,
	"dod":      azcloud.AzureGovernment.ActiveDirectoryAuthorityHost,
}

// SignInOptions say how to sign in at Microsoft Entra ID, and as whom. Method is
// needed, and what the method needs; what it does not take is refused.
type SignInOptions struct {
	Method             string
	TenantID, ClientID string

	ClientSecret        string
	Certificate         []byte // PEM or PKCS#12: a certificate and its RSA key
	CertificatePassword string // of the PKCS#12 file
	FederatedTokenFile  string
	ServiceConnection   string // id
	SystemAccessToken   string // of the pipeline's job

	Cloud     string // "public" (or ""), "gcc", "gcc-high", "dod"
	Authority string // https URL in place of the cloud's
	Resource  string // whom the token is for; DefaultResource

	CAFile   string         // as in ClientOptions; the proxy of the environment applies, too
	RootCAs  *x509.CertPool // as in ClientOptions
	Retry    RetryOptions
	Clock    Clock         // the system's
	Timeout  time.Duration // for one try, in real time; 1 min, and 15 min where a person must act
	OnWait   func(d time.Duration, why string)
	OnPrompt func(text string) // shows a person what to do, for DeviceCode
}

// No way of printing the options shows what is in them.
func (o SignInOptions) String() string   { return o.Method + " [hidden]" }
func (o SignInOptions) GoString() string { return o.String() }

// NewBearerCredential checks the options and returns a credential that signs in
// that way. It sends nothing and starts nothing.
func NewBearerCredential(o SignInOptions) (*BearerCredential, error) {
	cloud, err := o.defaults()
	if err != nil {
		return nil, err
	}
	client, err := signInClient(o)
	if err != nil {
		return nil, err
	}
	// The library would log to stderr if AZURE_SDK_GO_LOGGING asked for it, and a
	// browser's chatter would land between our data.
	azlog.SetListener(nil)
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	s := &entra{o: o, client: client}
	if signInMethods[o.Method].entra && o.Method != Pipelines {
		u, err := url.Parse(o.Authority)
		if err != nil {
			return nil, err
		}
		s.host = u.Host
	}
	if s.now, err = s.credential(); err != nil {
		return nil, err
	}
	return newBearer(Identity{Kind: o.Method, ClientID: o.ClientID, TenantID: o.TenantID, Cloud: cloud}, s.token, o.Retry, o.Clock, o.OnWait)
}

// defaults fills in what was left open, refuses what cannot be done, and names
// the cloud.
func (o *SignInOptions) defaults() (cloud string, err error) {
	method, ok := signInMethods[o.Method]
	if !ok {
		return "", &OptionError{Option: "sign-in method", Problem: fmt.Sprintf("%q is unknown", o.Method)}
	}
	for _, id := range []struct {
		name, flag, value string
		needed, taken     bool
	}{
		{"tenant ID", "--tenant-id", o.TenantID, method.tenant, method.tenant || method.mayTenant},
		{"client ID", "--client-id", o.ClientID, method.client, method.client || method.mayClient},
	} {
		bad := func(problem, hint string) (string, error) {
			return "", &OptionError{Option: id.name, Problem: problem, hint: hint}
		}
		switch {
		case id.value == "" && id.needed:
			return bad("is missing", o.Method+" needs "+id.flag)
		case id.value != "" && !id.taken:
			return bad("has no place with "+o.Method, "leave "+id.flag+" away")
		case id.value != "" && !madeOf(id.value, "-."):
			return bad("is no id", "give the id that the Entra admin centre shows, such as 00000000-0000-0000-0000-000000000000")
		}
	}
	if o.Resource == "" {
		o.Resource = DefaultResource
	}
	if !madeOf(o.Resource, "-.:/_") {
		return "", &OptionError{Option: "resource", Problem: "is no id", hint: "leave --resource away, or give an application id or its URI"}
	}
	if o.Timeout < 0 {
		return "", &OptionError{Option: "timeout", Problem: "is negative"}
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
		if o.Method == DeviceCode || o.Method == Browser {
			o.Timeout = 15 * time.Minute // the life of a device code
		}
	}
	if o.OnPrompt == nil {
		o.OnPrompt = func(string) {}
	}
	if err := o.needs(); err != nil {
		return "", err
	}
	return o.authority(method.entra)
}

// needs refuses what is missing for the method.
func (o *SignInOptions) needs() error {
	missing := func(option, hint string) error {
		return &OptionError{Option: option, Problem: "is missing", hint: hint}
	}
	switch {
	case o.Method == ClientSecret && o.ClientSecret == "":
		return missing("client secret", "give --client-secret-file FILE")
	case o.Method == ClientCertificate && len(o.Certificate) == 0:
		return missing("certificate", "give --certificate-file FILE")
	case o.Method == Pipelines && o.ServiceConnection == "":
		return missing("service connection", "give --service-connection ID")
	case o.Method == Pipelines && o.SystemAccessToken == "":
		return missing("access token of the job", "map it into the step: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)")
	case o.Method == WorkloadIdentity && o.FederatedTokenFile == "":
		return missing("federated token", "give --federated-token-file FILE")
	case o.Method == WorkloadIdentity:
		// Read anew at each sign-in, because the platform replaces it.
		f, err := os.Open(o.FederatedTokenFile)
		if err != nil {
			return fmt.Errorf("open federated token: %w", err)
		}
		return f.Close()
	}
	return nil
}

// authority settles where to sign in, and names it.
func (o *SignInOptions) authority(entra bool) (cloud string, err error) {
	switch {
	case !entra && (o.Cloud != "" || o.Authority != ""):
		return "", &OptionError{Option: "cloud or authority", Problem: "has no place with " + o.Method, hint: "it signs in where it is set up to"}
	case !entra:
		return "", nil
	case o.Cloud != "" && o.Authority != "":
		return "", &OptionError{Option: "cloud and authority", Problem: "both say where to sign in", hint: "give one of the two"}
	case o.Authority != "":
		u, err := authorityOf(o.Authority)
		if err != nil {
			return "", err
		}
		o.Authority = u.String()
		return u.Host, nil
	}
	if o.Cloud == "" {
		o.Cloud = "public"
	}
	if o.Authority = clouds[o.Cloud]; o.Authority == "" {
		return "", &OptionError{Option: "cloud", Problem: fmt.Sprintf("%q is unknown", o.Cloud), hint: "choose one of " + strings.Join(Clouds(), ", ") + ", or give --authority URL"}
	}
	return o.Cloud, nil
}

// Clouds are the clouds there are, in order.
func Clouds() []string { return []string{"public", "gcc", "gcc-high", "dod"} }

// SignInMethods are the ways to sign in at Microsoft Entra ID, in order.
func SignInMethods() []string {
	return []string{ClientSecret, ClientCertificate, WorkloadIdentity, ManagedIdentity, AzureCLI, AzureDeveloperCLI, AzurePowerShell, DeviceCode, Browser, Pipelines}
}

// authorityOf never quotes the address: a mistaken one may hold a password.
func authorityOf(text string) (*url.URL, error) {
	bad := func(problem string) error {
		return &OptionError{Option: "authority", Problem: problem, hint: "give the root where one signs in, such as https://login.microsoftonline.com"}
	}
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || u.Opaque != "":
		return nil, bad("is no URL")
	case u.Scheme != "https":
		return nil, bad("does not begin with https://") // on loopback, too: the library insists
	case u.User != nil:
		return nil, bad("holds a user name or password")
	case u.Hostname() == "":
		return nil, bad("names no host")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return nil, bad("has a query or a fragment")
	case strings.Trim(u.Path, "/") != "":
		return nil, bad("goes beyond the root; the tenant is given apart from it")
	}
	return u, nil
}

// signInClient is the connection to where one signs in. It follows no redirect:
// what is sent is a secret.
func signInClient(o SignInOptions) (*http.Client, error) {
	roots, err := rootsOf(ClientOptions{CAFile: o.CAFile, RootCAs: o.RootCAs})
	if err != nil {
		return nil, err
	}
	t := transport(Timeouts{Connect: min(30*time.Second, o.Timeout), Header: o.Timeout}, roots)
	if o.Method == ManagedIdentity {
		t.Proxy = nil // the endpoint is the machine's own, beside the network
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// entra asks for tokens through the identity library.
type entra struct {
	o      SignInOptions
	client *http.Client
	host   string // the only one that may be asked; "" for those the platform names
	now    azcore.TokenCredential

	answered atomic.Bool // something answered, so its name is right
}

// token is a tokenSource.
func (s *entra) token(ctx context.Context, fresh bool) (issuedToken, error) {
	scope := policy.TokenRequestOptions{Scopes: []string{s.o.Resource + "/.default"}}
	switch {
	case fresh && s.o.Method == ManagedIdentity:
		// Its cache is the process's; a claim gets around it and goes no further.
		scope.Claims = "{}"
	case fresh:
		// The library hands out what it has; a new one has nothing.
		credential, err := s.credential()
		if err != nil {
			return issuedToken{}, err
		}
		s.now = credential
	}
	heard := &exchange{}
	within, cancel := context.WithTimeout(context.WithValue(ctx, exchangeKey{}, heard), s.o.Timeout)
	defer cancel()
	token, err := s.now.GetToken(within, scope)
	if ctx.Err() != nil {
		return issuedToken{}, ctx.Err()
	}
	if err != nil {
		return issuedToken{}, s.failure(err, heard, within.Err() != nil)
	}
	if !madeOf(token.Token, "-._~+/=") {
		return issuedToken{}, &passingError{err: s.unreachable("the answer holds no token", "")}
	}
	// The library counts from the real time, whatever clock we are given.
	issued := issuedToken{text: token.Token, life: max(0, time.Until(token.ExpiresOn))}
	if !token.RefreshOn.IsZero() {
		issued.renewIn = max(0, time.Until(token.RefreshOn))
	}
	return issued, nil
}

// credential makes one of the library's. Everything it could take from the
// environment is given, but for what is the platform's own: the endpoints of a
// managed identity and of a pipeline, the path to the programs of AzureCLI and
// its like, and the proxy.
func (s *entra) credential() (azcore.TokenCredential, error) {
	o := &s.o
	options := azcore.ClientOptions{
		Cloud:            azcloud.Configuration{ActiveDirectoryAuthorityHost: o.Authority},
		Transport:        s.client,
		Retry:            policy.RetryOptions{MaxRetries: -1}, // ours has the clock
		Telemetry:        policy.TelemetryOptions{Disabled: true},
		PerRetryPolicies: []policy.Policy{s},
	}
	if o.Authority == "" {
		options.Cloud = azcloud.AzurePublic // not asked
	}
	// The authority is one that was asked for by name, so nobody is asked whether
	// it is one.
	const asGiven = true
	var made azcore.TokenCredential
	var err error
	switch o.Method {
	case ClientSecret:
		made, err = azidentity.NewClientSecretCredential(o.TenantID, o.ClientID, o.ClientSecret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: asGiven})
	case ClientCertificate:
		certificates, key, failed := readCertificate(o.Certificate, o.CertificatePassword)
		if failed != nil {
			return nil, failed
		}
		made, err = azidentity.NewClientCertificateCredential(o.TenantID, o.ClientID, certificates, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: asGiven})
	case WorkloadIdentity:
		made, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: asGiven, TenantID: o.TenantID, ClientID: o.ClientID, TokenFilePath: o.FederatedTokenFile,
		})
	case Pipelines:
		made, err = azidentity.NewAzurePipelinesCredential(o.TenantID, o.ClientID, o.ServiceConnection, o.SystemAccessToken,
			&azidentity.AzurePipelinesCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: asGiven})
	case ManagedIdentity:
		managed := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
		if o.ClientID != "" {
			managed.ID = azidentity.ClientID(o.ClientID)
		}
		made, err = azidentity.NewManagedIdentityCredential(managed)
	case DeviceCode:
		made, err = azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: asGiven, TenantID: o.TenantID, ClientID: o.ClientID,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				o.OnPrompt(shortLine(fmt.Sprintf("to sign in, open %s in a browser and enter the code %s", m.VerificationURL, m.UserCode), ""))
				return nil
			},
		})
	case Browser:
		made, err = azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: asGiven, TenantID: o.TenantID, ClientID: o.ClientID,
		})
	case AzureCLI:
		made, err = azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: o.TenantID})
	case AzureDeveloperCLI:
		made, err = azidentity.NewAzureDeveloperCLICredential(&azidentity.AzureDeveloperCLICredentialOptions{TenantID: o.TenantID})
	case AzurePowerShell:
		made, err = azidentity.NewAzurePowerShellCredential(&azidentity.AzurePowerShellCredentialOptions{TenantID: o.TenantID})
	}
	if err != nil {
		return nil, &OptionError{Option: o.Method, Problem: "cannot be used: " + s.plain(err), hint: s.hint("")}
	}
	return made, nil
}
