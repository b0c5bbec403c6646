package ingest

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// SignInError is a sign-in that Microsoft Entra ID, or the program that signs in
// for us, refused. It is ErrSignInRefused.
type SignInError struct {
	Code string // "AADSTS7000215", "invalid_client", ...; "" if none was given
	Text string // what was said, one short line without ids of the request
	hint string
}

func (e *SignInError) Error() string {
	s := "refused"
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// Is makes it ErrSignInRefused.
func (*SignInError) Is(target error) bool { return target == ErrSignInRefused }

// Hint says what to do.
func (e *SignInError) Hint() string { return e.hint }

// exchange is what the other side said last while one token was asked for. The
// library's own errors are texts that quote whole answers, a token among them if
// it comes to that, so what went wrong is taken from here.
type exchange struct {
	asked  string // host
	status int    // 0: no answer
	header http.Header
	body   []byte
	err    error  // of the network
	barred string // a host that was not to be asked
}

type exchangeKey struct{}

// Do is a policy in the library's pipeline: it listens, and keeps what is sent
// to the host it is meant for.
func (s *entra) Do(r *policy.Request) (*http.Response, error) {
	heard, _ := r.Raw().Context().Value(exchangeKey{}).(*exchange)
	if heard == nil {
		heard = &exchange{}
	}
	*heard = exchange{asked: r.Raw().URL.Host}
	if s.host != "" && !strings.EqualFold(s.host, heard.asked) {
		// The library follows AZURE_REGIONAL_AUTHORITY_NAME, and the endpoint that
		// an authority names.
		heard.barred = heard.asked
		return nil, errors.New("another host")
	}
	resp, err := r.Next()
	if heard.err = err; err != nil {
		return nil, err
	}
	s.answered.Store(true)
	heard.status, heard.header = resp.StatusCode, resp.Header
	// An answer that broke off has what came of it.
	heard.body, _ = runtime.Payload(resp)
	return resp, nil
}

// failure makes our error of a token that did not come.
func (s *entra) failure(err error, heard *exchange, timedOut bool) error {
	person := s.o.Method == DeviceCode || s.o.Method == Browser
	switch {
	case heard.barred != "":
		return &SignInError{Text: "the sign-in would go to " + shortLine(heard.barred, "") + ", and the credential goes to " + s.host + " only",
			hint: "if the tenant is in another cloud, name it with --cloud or --authority; unset AZURE_REGIONAL_AUTHORITY_NAME"}
	case timedOut && person:
		return &SignInError{Text: fmt.Sprintf("nobody signed in within %s", s.o.Timeout), hint: s.hint("")}
	case timedOut && heard.asked == "":
		return &SignInError{Text: fmt.Sprintf("no answer within %s", s.o.Timeout), hint: s.hint("")}
	case timedOut:
		return &passingError{err: s.unreachable(fmt.Sprintf("no answer within %s", s.o.Timeout), "the host does not answer: check the network, the firewall and the proxy settings")}
	case heard.err != nil:
		return s.networkFault(heard.err)
	case heard.asked == "":
		// Another program, or a file, and no network of ours.
		return &SignInError{Text: s.plain(err), hint: s.hint("")}
	case heard.status >= 200 && heard.status <= 299:
		if person {
			return s.malformed(heard) // not to be asked six times
		}
		return &passingError{err: s.malformed(heard)}
	}
	return s.statusFault(heard)
}

// statusFault is an answer with a status that is no success.
func (s *entra) statusFault(heard *exchange) error {
	said := s.refusalIn(heard.body)
	passing := heard.status >= 500 || heard.status == http.StatusRequestTimeout || heard.status == http.StatusTooManyRequests ||
		said.name == "temporarily_unavailable" || said.name == "server_error"
	if s.o.Method == ManagedIdentity && (heard.status == http.StatusNotFound || heard.status == http.StatusGone) {
		passing = true // so its documentation: the endpoint is being updated
	}
	status := strings.TrimSpace("status " + strconv.Itoa(heard.status) + " " + http.StatusText(heard.status))
	switch {
	case passing:
		what := status
		if said.Code != "" {
			what += ": " + said.Code
		}
		e := &passingError{err: s.unreachable(what, "Microsoft Entra ID has trouble; what was committed is kept, so run the same again later")}
		if h := strings.TrimSpace(heard.header.Get("Retry-After")); h != "" {
			e.wait = max(0, retryAfter(h, heard.header, time.Now()))
		}
		return e
	case heard.status >= 300 && heard.status <= 399:
		return s.unreachable(status+": a redirect, which is not followed", "check --authority and --cloud")
	case said.Code == "" && said.Text == "":
		return s.unreachable(status, "check --authority and --cloud, and that no proxy on the way changes answers")
	}
	said.hint = s.hint(said.Code)
	return &said.SignInError
}

// malformed is an answer that says it is a success and is none.
func (s *entra) malformed(heard *exchange) error {
	what := "the answer holds no token"
	switch {
	case strings.HasPrefix(strings.TrimSpace(string(heard.body)), "<"):
		what = "an HTML page in place of an answer"
	case !json.Valid(heard.body):
		what = "the answer is cut or no JSON"
	}
	return s.unreachable(what, "check --authority, and that no proxy on the way changes answers")
}

// networkFault is a request that got no answer.
func (s *entra) networkFault(err error) error {
	var wrapper *url.Error
	if errors.As(err, &wrapper) {
		err = wrapper.Err // it repeats the address only
	}
	e := s.unreachable(s.withoutSecrets(err.Error()), "check the network and the proxy settings; what was committed is kept, so run the same again")
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		e.hint = "its certificate is not trusted: check --authority; behind an inspecting proxy give its root with --ca-file"
		return e
	case errors.Is(err, http.ErrSchemeMismatch):
		e.hint = "the host speaks plain http there: check --authority"
		return e
	case s.o.Method == ManagedIdentity:
		e.hint = s.hint("")
	case errors.As(err, &dns) && dns.IsNotFound:
		e.hint = "there is no such host: check --authority, the network and the proxy settings"
		if !s.answered.Load() {
			return e // waiting helps against a lost network, not against a wrong name
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		e.hint = "nothing listens there: check --authority and the proxy settings"
		if !s.answered.Load() {
			return e
		}
	}
	return &passingError{err: e}
}

// unreachable names the host that was asked.
func (s *entra) unreachable(what, hint string) *UnreachableError {
	host := s.host
	if host == "" {
		host = "the " + s.o.Method + " endpoint"
	}
	return &UnreachableError{Host: host, What: what, hint: hint, final: true}
}

// saidNo is a refusal as it stands in an answer.
type saidNo struct {
	SignInError
	name string // OAuth's
}

var (
	stsCode = regexp.MustCompile(`\bAADSTS\d+`)
	// Where the ids for Microsoft's support begin.
	requestIDs = regexp.MustCompile(`(?s)[\s(]*(Trace ID|Correlation ID|Timestamp|Request Id):.*$`)
)

// refusalIn reads {"error": name, "error_description": text, "error_codes": [n]}
// as OAuth 2 and Entra ID have it, or {"message": text}.
func (s *entra) refusalIn(body []byte) saidNo {
	var answer struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Codes       []int           `json:"error_codes"`
		Message     string          `json:"message"`
	}
	var no saidNo
	if json.Unmarshal(body, &answer) != nil {
		return no
	}
	if json.Unmarshal(answer.Error, &no.name) != nil || len(no.name) > 64 || !madeOf(no.name, "_-") {
		no.name = "" // no name of OAuth's
	}
	text := answer.Description
	if text == "" {
		text = answer.Message
	}
	text = requestIDs.ReplaceAllString(text, "")
	switch code := stsCode.FindString(text); {
	case code != "":
		no.Code = code
		text = strings.TrimPrefix(strings.TrimPrefix(text, code), ":")
	case len(answer.Codes) > 0:
		no.Code = "AADSTS" + strconv.Itoa(answer.Codes[0])
	default:
		no.Code = no.name
	}
	no.Text = strings.TrimRight(s.withoutSecrets(text), ". ")
	return no
}

// plain is what the library, or the program that it ran, says: one short line
// without the library's frame around it.
func (s *entra) plain(err error) string {
	text := err.Error()
	text, _, _ = strings.Cut(text, "To troubleshoot, visit ")
	if name, rest, ok := strings.Cut(text, ": "); ok && strings.HasSuffix(name, "Credential") && madeOf(name, "") {
		text = rest
	}
	text = requestIDs.ReplaceAllString(text, "")
	text = strings.TrimPrefix(strings.TrimSpace(text), "ERROR: ")
	return strings.TrimRight(s.withoutSecrets(text), ". ")
}

// jsonWebToken is how a token or an assertion looks: base64 of {"...
var jsonWebToken = regexp.MustCompile(`eyJ[\w+/=-]{8,}(\.[\w+/=-]*)*`)

// withoutSecrets makes one short line of a text from outside, without what we
// sent, should the other side repeat it.
func (s *entra) withoutSecrets(text string) string {
	text = jsonWebToken.ReplaceAllString(text, "[credential]")
	for _, secret := range []string{s.o.ClientSecret, s.o.CertificatePassword, s.o.SystemAccessToken} {
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "[credential]")
			text = redact(text, form)
		}
	}
	return shortLine(text, "")
}

// refusalHints are for the refusals that people meet.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var refusalHints = []struct {
	codes []string
	hint  string
}{
	{[]string{"AADSTS7000215", "invalid_client"}, "check the client secret: its value, not its ID (Entra admin centre > App registrations > the application > Certificates & secrets)"},
	{[]string{"AADSTS7000222"}, "the client secret has expired: make a new one (Entra admin centre > App registrations > the application > Certificates & secrets)"},
	{[]string{"AADSTS700016", "AADSTS700038", "unauthorized_client"}, "this tenant has no such application: check --client-id and --tenant-id"},
	{[]string{"AADSTS90002", "AADSTS900023", "AADSTS900021", "AADSTS50059"}, "there is no such tenant: check --tenant-id and --cloud"},
	{[]string{"AADSTS700027", "AADSTS50013"}, "the application does not know this certificate, or it has expired: compare it with Entra admin centre > App registrations > the application > Certificates & secrets"},
	{[]string{"AADSTS700024"}, "what signs in is out of date: check this machine's clock, and that the platform renews the token"},
	{[]string{"AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213"}, "the application trusts no such token: compare issuer, subject and audience with its federated credentials"},
	{[]string{"AADSTS500011", "AADSTS500014", "invalid_resource"}, "the tenant has no such service: check --resource and --cloud, and that it has Defender for Cloud Apps"},
	{[]string{"AADSTS65001", "AADSTS65004", "AADSTS650057", "AADSTS650052"}, "give the application the permission Investigation.read of Microsoft Cloud App Security, with admin consent"},
	{[]string{"AADSTS7000112", "AADSTS50057"}, "the application or the account is disabled in this tenant"},
	{[]string{"AADSTS53003", "AADSTS50158", "AADSTS50076", "AADSTS50079"}, "a policy of the tenant asks for more: sign in as it asks, or use an application that it lets through"},
	{[]string{"AADSTS700082", "AADSTS70043", "AADSTS50173", "AADSTS50078"}, "the sign-in is out of date: sign in again"},
}

// hint is for a refusal's code, else for the method.
func (s *entra) hint(code string) string {
	for _, h := range refusalHints {
		if slices.Contains(h.codes, code) {
			return h.hint
		}
	}
	tenant := s.o.TenantID
	switch s.o.Method {
	case AzureCLI:
		return "sign in with the Azure CLI first: az login" + prefixed(" --tenant ", tenant)
	case AzureDeveloperCLI:
		return "sign in with the Azure Developer CLI first: azd auth login" + prefixed(" --tenant-id ", tenant)
	case AzurePowerShell:
		return "sign in with Azure PowerShell first: Connect-AzAccount" + prefixed(" -Tenant ", tenant)
	case ManagedIdentity:
		return "this must run on an Azure resource that has this managed identity: check that one is assigned, and --client-id if it has several"
	case DeviceCode, Browser:
		return "sign in again, as a person who may read activities"
	case Pipelines:
		return "check --service-connection, and that the step has SYSTEM_ACCESSTOKEN"
	}
	return "check --tenant-id, --client-id and --cloud, and the application's credentials in the Entra admin centre"
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
