package simulator

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Resource is the application id that tokens for the API are issued to, the same
// in every tenant.
const Resource = "05a65629-4c1b-48c1-a78b-804c4abdd4af"

// DefaultTokenLife is how long Entra ID's tokens commonly live.
const DefaultTokenLife = 3599 * time.Second

// role is what an application needs to read activities.
const role = "investigation.read"

// SignIn is the identity platform beside the API, as far as a client of
// Microsoft Entra ID meets it: the token endpoints /TENANT/oauth2/token (v1) and
// /TENANT/oauth2/v2.0/token, the document that names them, and device codes. The
// zero value has none, and the API then takes any scheme for one and the same
// key; with it, Bearer means a token that was issued here.
type SignIn struct {
	TenantID string // of the directory; "" for no endpoints
	ClientID string // of the one application; "" for any

	// What the application proves itself with. Where neither is given, any secret
	// and any well-formed assertion will do.
	Secret      string
	Certificate *x509.Certificate // its key must have signed the assertion

	Life     time.Duration // of a token, by Options.Clock; 0 means DefaultTokenLife
	Uses     int           // requests after which the API refuses a token, without notice; 0 for no bound
	TextLife bool          // expires_in is text in v2, too, as it always is in v1
	Audience string        // tokens are for this one, whatever was asked for
	NoRoles  bool          // tokens carry no permission
	Echo     bool          // refusals repeat the secret that came, as no platform should
	Faults   []SignInFault
}

// SignInFault makes counted token requests fail.
type SignInFault struct {
	// Kind is an AADSTS code that stands in refusals, or one of the faults of transport: status-429,
	// -500, -502, -503, -504, html-200, html-500, redirect, reset, cut-json, stall.
	Kind string
	At   int // the n-th token request, from 1
	// Times is how many in a row: 0 and 1 mean one, -1 all from there on.
	Times int
}

// refusal is how a refused sign-in is answered.
type refusal struct {
	status      int
	name, about string
}

// refusals are what Entra ID says no with, as its documents and people word it.
var refusals = map[string]refusal{
	"AADSTS7000215": {401, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'."},
	"AADSTS7000222": {401, "invalid_client", "The provided client secret keys for app '%s' are expired."},
	"AADSTS700027":  {401, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application '%s', or is expired."},
	"AADSTS700016":  {400, "unauthorized_client", "Application with identifier '%s' was not found in the directory 'Contoso'."},
	"AADSTS90002":   {400, "invalid_request", "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."},
	"AADSTS500011":  {400, "invalid_resource", "The resource principal named %s was not found in the tenant named Contoso."},
	"AADSTS65001":   {400, "invalid_grant", "The user or administrator has not consented to use the application with ID '%s'."},
	"AADSTS70003":   {400, "unsupported_grant_type", "The app '%s' requested an unsupported grant type."},
}

func (o *SignIn) check() error {
	if o.TenantID == "" {
		return nil
	}
	if strings.ContainsAny(o.TenantID, "/?# ") {
		return fmt.Errorf("tenant %q cannot stand in a path", o.TenantID)
	}
	if o.Life < 0 || o.Uses < 0 {
		return fmt.Errorf("tokens must not live for %s or %d requests", o.Life, o.Uses)
	}
	for _, f := range o.Faults {
		_, refuses := refusals[f.Kind]
		if !refuses && !slices.Contains(signInTransport, FaultKind(f.Kind)) {
			return fmt.Errorf("sign-in fault %q is not known; there are %v and AADSTS codes", f.Kind, signInTransport)
		}
		if f.At < 1 || f.Times < -1 {
			return fmt.Errorf("sign-in fault %s needs the number of a token request, from 1", f.Kind)
		}
	}
	return nil
}

var signInTransport = []FaultKind{
	FaultStatus429, FaultStatus500, FaultStatus502, FaultStatus503, FaultStatus504,
	FaultHTML200, FaultHTML500, FaultRedirect, FaultReset, FaultCutJSON, FaultStall,
}

// ParseSignInFault reads KIND@N, perhaps with ,times=M.
func ParseSignInFault(text string) (SignInFault, error) {
	kind, where, _ := strings.Cut(text, "@")
	at, times, more := strings.Cut(where, ",times=")
	f := SignInFault{Kind: kind}
	var err error
	if f.At, err = strconv.Atoi(at); err == nil && more {
		f.Times, err = strconv.Atoi(times)
	}
	if err != nil {
		return f, fmt.Errorf("sign-in fault %q: want KIND@N, perhaps with ,times=M", text)
	}
	return f, nil
}
