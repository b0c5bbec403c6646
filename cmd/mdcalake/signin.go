package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
)

// How the program signs in: by a legacy token, or in one of the ways of
// Microsoft Entra ID, the one that --auth names. What a way needs comes from its
// flags, else from MDCALAKE_ variables of the same names; a secret comes from a
// file, from standard input or from a variable, never from an argument.

// authToken and authEnvironment are ways that are not Entra ID's own.
const (
	authToken       = "token"
	authEnvironment = "environment" // the AZURE_ variables say which secret
)

// authMethods are the values of --auth.
func authMethods() []string {
	return append([]string{authToken, authEnvironment}, ingest.SignInMethods()...)
}

// flagsOf are the flags that go with each way to sign in.
var flagsOf = map[string][]string{
	authToken:                {"token-file"},
	authEnvironment:          {"cloud", "authority", "resource"},
	ingest.ClientSecret:      {"tenant-id", "client-id", "client-secret-file", "cloud", "authority", "resource"},
	ingest.ClientCertificate: {"tenant-id", "client-id", "certificate-file", "certificate-password-file", "cloud", "authority", "resource"},
	ingest.WorkloadIdentity:  {"tenant-id", "client-id", "federated-token-file", "cloud", "authority", "resource"},
	ingest.Pipelines:         {"tenant-id", "client-id", "service-connection", "cloud", "authority", "resource"},
	ingest.DeviceCode:        {"tenant-id", "client-id", "cloud", "authority", "resource"},
	ingest.Browser:           {"tenant-id", "client-id", "cloud", "authority", "resource"},
	ingest.ManagedIdentity:   {"client-id", "resource"},
	ingest.AzureCLI:          {"tenant-id", "resource"},
	ingest.AzureDeveloperCLI: {"tenant-id", "resource"},
	ingest.AzurePowerShell:   {"tenant-id", "resource"},
}

// signInDescription stands in the help of the verbs that sign in.
const signInDescription = `Without --auth, the legacy API token from --token-file, MDCALAKE_TOKEN_FILE or
MDCALAKE_TOKEN signs in. With it, Microsoft Entra ID does, in exactly the way
that is named: client-secret and client-certificate for an application,
workload-identity, managed-identity and pipelines for what runs on a platform,
cli, azd and powershell for whoever is signed in there, device-code and browser
for a person, environment for the secret or the certificate of the AZURE_
variables. What --auth and its flags say can be said by MDCALAKE_ variables, such
as MDCALAKE_CLIENT_ID; MDCALAKE_CLIENT_SECRET and MDCALAKE_CERTIFICATE_PASSWORD
hold the thing itself. No secret is ever an argument.`

// signInFlags are the flags of the verbs that sign in.
func signInFlags() []cli.Flag {
	text := func(name, usage string) cli.Flag { return &cli.StringFlag{Name: name, Usage: usage} }
	return []cli.Flag{
		text("auth", "the `WAY` to sign in: "+strings.Join(authMethods(), ", ")+" (default: "+authToken+")"),
		text("token-file", "token: `FILE` that holds the API token (- is stdin)"),
		text("tenant-id", "`ID` of the Entra ID directory, or its domain"),
		text("client-id", "`ID` of the application, or of a managed identity if there are several"),
		text("client-secret-file", "client-secret: `FILE` that holds the secret (- is stdin)"),
		text("certificate-file", "client-certificate: PEM or PKCS#12 `FILE` with the certificate and its key"),
		text("certificate-password-file", "client-certificate: `FILE` that holds the password of the PKCS#12 file (- is stdin)"),
		text("federated-token-file", "workload-identity: `FILE` that holds the platform's token (default: AZURE_FEDERATED_TOKEN_FILE)"),
		text("service-connection", "pipelines: `ID` of the service connection; SYSTEM_ACCESSTOKEN holds the job's token"),
		text("cloud", "`NAME` of where to sign in: "+strings.Join(ingest.Clouds(), ", ")+" (default: public)"),
		text("authority", "where to sign in, as a `URL`, in place of --cloud"),
		text("resource", "`ID` of the application that the token is for (default: Defender for Cloud Apps)"),
	}
}

// signer is a credential, and where it was found.
type signer struct {
	ingest.Credential
	from     string
	progress *progress // told of waits, once there is one
}

// credentialOf reads the credential that the flags and the environment name. It
// asks nobody yet. What is wrong with a secret is said without it.
func credentialOf(ctx *cli.Context, c console) (*signer, error) {
	method := given(ctx, c, "auth")
	if ctx.IsSet("auth") && ctx.String("auth") == "" || method != "" && !slices.Contains(authMethods(), method) {
		return nil, usage("choose one of "+strings.Join(authMethods(), ", "), "--auth %q is unknown", method)
	}
	method = cmp.Or(method, authToken)
	if err := fittingFlags(ctx, method); err != nil {
		return nil, err
	}
	if method == authToken {
		return tokenOf(ctx, c)
	}
	s := &signer{}
	o := ingest.SignInOptions{
		Method: method, CAFile: ctx.String("ca-file"), Resource: given(ctx, c, "resource"),
		OnPrompt: func(text string) { fmt.Fprintln(c.err, text) },
		OnWait: func(d time.Duration, why string) {
			if s.progress != nil {
				s.progress.wait(d, why)
			}
		},
	}
	takes := func(flag string) string {
		if !slices.Contains(flagsOf[method], flag) {
			return ""
		}
		return given(ctx, c, flag)
	}
	o.TenantID, o.ClientID, o.ServiceConnection = takes("tenant-id"), takes("client-id"), takes("service-connection")
	o.FederatedTokenFile = takes("federated-token-file")
	// One of the two on the command line outweighs both in the environment.
	if o.Cloud, o.Authority = ctx.String("cloud"), ctx.String("authority"); o.Cloud == "" && o.Authority == "" {
		o.Cloud, o.Authority = takes("cloud"), takes("authority")
	}
	var err error
	switch method {
	case ingest.ClientSecret:
		if o.ClientSecret, err = secretOf(ctx, c, "client-secret"); err == nil && o.ClientSecret == "" {
			err = usage("give --client-secret-file FILE, or set MDCALAKE_CLIENT_SECRET_FILE or MDCALAKE_CLIENT_SECRET", "there is no client secret")
		}
	case ingest.ClientCertificate:
		if o.CertificatePassword, err = secretOf(ctx, c, "certificate-password"); err == nil {
			o.Certificate, err = certificateOf(c, "certificate-file", given(ctx, c, "certificate-file"))
		}
	case ingest.Pipelines:
		o.SystemAccessToken = c.getenv("SYSTEM_ACCESSTOKEN")
	case ingest.WorkloadIdentity:
		s.from = platformDefaults(c, &o)
	case authEnvironment:
		s.from, err = environmentOf(c, &o)
	}
	if err != nil {
		return nil, err
	}
	if o.FederatedTokenFile != "" {
		if _, err := os.Stat(o.FederatedTokenFile); err != nil {
			return nil, usage("check the path", "--federated-token-file: %w", err)
		}
	}
	s.Credential, err = ingest.NewBearerCredential(o)
	return s, err
}

// given is a flag's value, else that of its variable.
func given(ctx *cli.Context, c console, flag string) string {
	if ctx.IsSet(flag) {
		return ctx.String(flag)
	}
	return c.getenv("MDCALAKE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")))
}

// fittingFlags refuses flags that another way to sign in would use: they would be
// ignored, and somebody else signed in than was meant.
func fittingFlags(ctx *cli.Context, method string) error {
	for _, f := range signInFlags() {
		name := f.Names()[0]
		if name == "auth" || !ctx.IsSet(name) {
			continue
		}
		if !slices.Contains(flagsOf[method], name) {
			var fitting []string
			for _, m := range authMethods() {
				if slices.Contains(flagsOf[m], name) {
					fitting = append(fitting, m)
				}
			}
			how := "--auth " + method
			if !ctx.IsSet("auth") && method == authToken {
				how = "the API token that signs in without --auth"
			}
			return usage("leave it away, or choose --auth "+strings.Join(fitting, ", "), "--%s does not go with %s", name, how)
		}
		if ctx.String(name) == "" {
			return usage("give a value, or leave the flag away", "--%s is empty", name)
		}
	}
	return nil
}

// signIn gets the first token, says as whom, and answers the application's id
// for the record. A sign-in that is refused has changed nothing yet.
func (s *signer) signIn(ctx *cli.Context, c console, p *progress) (clientID string, err error) {
	s.progress = p
	who := "signing in with an API token"
	if b, ok := s.Credential.(*ingest.BearerCredential); ok {
		err := b.SignIn(ctx.Context)
		p.done()
		if err != nil {
			return "", withSummary(ctx, c, err)
		}
		clientID = b.Identity().ClientID
		who = "signed in with " + b.Identity().String()
	}
	if !p.quiet {
		fmt.Fprintln(c.err, who+s.from)
	}
	return clientID, nil
}

// withSummary writes the summary of a run that was not begun.
func withSummary(ctx *cli.Context, c console, err error) error {
	path := ctx.String("summary-json")
	if path == "" {
		return err
	}
	summary := &ingest.Summary{}
	summary.Run.Outcome = ingest.OutcomeFailed
	if ctx.Err() != nil {
		summary.Run.Outcome = ingest.OutcomeInterrupted
	}
	return errors.Join(err, writeSummary(c, path, summary, err))
}

// tokenOf reads the legacy token.
func tokenOf(ctx *cli.Context, c console) (*signer, error) {
	token := []byte(c.getenv("MDCALAKE_TOKEN"))
	from := " from MDCALAKE_TOKEN"
	if path := given(ctx, c, "token-file"); path != "" {
		from = " from --token-file"
		if !ctx.IsSet("token-file") {
			from = " from MDCALAKE_TOKEN_FILE"
		}
		var err error
		if token, err = readSmall(c, "token-file", path, 64<<10); err != nil {
			return nil, err
		}
	} else if len(token) == 0 {
		return nil, usage("give --token-file FILE, or set MDCALAKE_TOKEN_FILE or MDCALAKE_TOKEN (a token is made under Settings > Cloud Apps > API tokens); or sign in with --auth", "there is no credential")
	}
	credential, err := ingest.NewTokenCredential(string(token))
	if err != nil {
		return nil, err
	}
	return &signer{Credential: credential, from: from}, nil
}

// secretOf reads a secret: from the file of --NAME-file or MDCALAKE_NAME_FILE,
// else from MDCALAKE_NAME; "" is none.
func secretOf(ctx *cli.Context, c console, name string) (string, error) {
	text := c.getenv("MDCALAKE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	if path := given(ctx, c, name+"-file"); path != "" {
		data, err := readSmall(c, name+"-file", path, 64<<10)
		if err != nil {
			return "", err
		}
		if text = plainLine(string(data)); text == "" {
			return "", usage("put the secret into it, on one line", "--%s-file: the file is empty", name)
		}
	}
	text = plainLine(text)
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }) {
		return "", usage("give the secret alone, on one line, in UTF-8", "the %s has several lines or control characters", strings.ReplaceAll(name, "-", " "))
	}
	return text, nil
}

// plainLine is a secret without what an editor puts around it.
func plainLine(text string) string {
	return strings.TrimRight(strings.TrimPrefix(text, "\ufeff"), "\r\n")
}

// certificateOf reads a certificate with its key.
func certificateOf(c console, flag, path string) ([]byte, error) {
	if path == "" {
		return nil, usage("give a PEM or PKCS#12 file with the certificate and its key", "--%s is missing", flag)
	}
	return readSmall(c, flag, path, 1<<20)
}

// platformDefaults takes what a platform with workload identities tells its
// programs, where nothing else is given, and says so.
func platformDefaults(c console, o *ingest.SignInOptions) (from string) {
	take := func(to *string, variable string) {
		if value := c.getenv(variable); *to == "" && value != "" {
			*to, from = value, ", by AZURE_ variables"
		}
	}
	take(&o.TenantID, "AZURE_TENANT_ID")
	take(&o.ClientID, "AZURE_CLIENT_ID")
	take(&o.FederatedTokenFile, "AZURE_FEDERATED_TOKEN_FILE")
	if o.Cloud == "" {
		take(&o.Authority, "AZURE_AUTHORITY_HOST")
	}
	return from
}

// environmentOf signs in with the secret or the certificate that the AZURE_
// variables name, as many of Azure's tools do; but it does not choose between
// the two.
func environmentOf(c console, o *ingest.SignInOptions) (from string, err error) {
	secret, path := c.getenv("AZURE_CLIENT_SECRET"), c.getenv("AZURE_CLIENT_CERTIFICATE_PATH")
	switch {
	case secret != "" && path != "":
		return "", usage("choose --auth client-secret or client-certificate, or unset one of them", "AZURE_CLIENT_SECRET and AZURE_CLIENT_CERTIFICATE_PATH are both set")
	case secret != "":
		o.Method, o.ClientSecret = ingest.ClientSecret, plainLine(secret)
	case path != "":
		o.Method, o.CertificatePassword = ingest.ClientCertificate, c.getenv("AZURE_CLIENT_CERTIFICATE_PASSWORD")
		if path == "-" {
			path = "./-" // a file: only a flag means standard input by it
		}
		if o.Certificate, err = certificateOf(c, "auth environment: AZURE_CLIENT_CERTIFICATE_PATH", path); err != nil {
			return "", err
		}
	default:
		return "", usage("set AZURE_TENANT_ID, AZURE_CLIENT_ID and one of AZURE_CLIENT_SECRET and AZURE_CLIENT_CERTIFICATE_PATH", "--auth environment finds no secret and no certificate there")
	}
	o.TenantID, o.ClientID = c.getenv("AZURE_TENANT_ID"), c.getenv("AZURE_CLIENT_ID")
	if o.Cloud == "" && o.Authority == "" {
		o.Authority = c.getenv("AZURE_AUTHORITY_HOST")
	}
	return ", by AZURE_ variables", nil
}
