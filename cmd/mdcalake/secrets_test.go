package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"software.sslmate.com/src/go-pkcs12"

	"mdcalake/ingest/simulator"
)

// What must never be seen. The secrets of the sign-ins come beside them.
const (
	canarySecret   = "c4n~ary-S3cret+with/odd=signs&more"
	canaryPassword = "c4nary password"
	canaryWrong    = "c4n~ary-Wr0ng+secret/of=nobody"
	canaryWorkload = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjNG5hcnkifQ.YzRuYXJ5LXNpZ25hdHVyZQ"
)

// forms are the ways in which a secret may be written down.
func forms(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	if quoted, err := json.Marshal(secret); err == nil {
		all = append(all, strings.Trim(string(quoted), `"`))
	}
	for shift := range 3 {
		// In base64 a text looks different by where it begins; the signs at either
		// end depend on its neighbours.
		padded := append(make([]byte, shift), secret...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			all = append(all, text[shift+min(shift, 1):len(text)-2])
		}
	}
	// Of a token or an assertion the end is the proof, and the beginning is what
	// an answer that was cut still has.
	if parts := strings.Split(secret, "."); len(parts) == 3 && len(parts[2]) > 16 {
		all = append(all, parts[2], parts[1][:min(len(parts[1]), 60)])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// search looks for secrets, and says where it has found which.
type search struct {
	t       *testing.T
	secrets map[string][]string // name -> forms
	found   []string
}

func newSearch(t *testing.T, secrets map[string]string) *search {
	s := &search{t: t, secrets: map[string][]string{}}
	for name, secret := range secrets {
		if len(secret) < 12 {
			t.Fatalf("the %s is too short to be looked for", name)
		}
		s.secrets[name] = forms(secret)
	}
	return s
}

func (s *search) text(where string, data []byte) {
	for name, all := range s.secrets {
		for _, form := range all {
			if bytes.Contains(data, []byte(form)) {
				s.found = append(s.found, where+" holds the "+name)
				break
			}
		}
	}
}

// tree looks at every file below a directory as it is, and into those that are
// packed.
func (s *search) tree(dir string) (files int) {
	s.t.Helper()
	must := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	unpack, err := zstd.NewReader(nil)
	must(err)
	defer unpack.Close()
	must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s.text(path, data)
		switch filepath.Ext(path) {
		case ".zst":
			plain, err := unpack.DecodeAll(data, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			s.text(path, plain)
		case ".parquet":
			s.text(path, parquetText(s.t, path))
		}
		return nil
	}))
	return files
}

// parquetText is everything in a Parquet file, its metadata too.
func parquetText(t *testing.T, path string) []byte {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := "'" + strings.ReplaceAll(path, "'", "''") + "'"
	var all bytes.Buffer
	for _, query := range []string{
		"select to_json(t)::varchar from read_parquet(" + name + ", hive_partitioning = false) t",
		"select decode(key) || ' ' || decode(value) from parquet_kv_metadata(" + name + ")",
	} {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var text sql.NullString
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			all.WriteString(text.String + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all.Bytes()
}

// keyPair makes a certificate with its key, as PEM and as PKCS#12.
func keyPair(t *testing.T) (certificate *x509.Certificate, pemText, pfx []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mdcalake"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if pfx, err = pkcs12.Modern2023.Encode(key, certificate, nil, canaryPassword); err != nil {
		t.Fatal(err)
	}
	pemText = append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return certificate, pemText, pfx
}

// signInRun is one run of the program, and what it must come to.
type signInRun struct {
	name  string
	in    simulator.SignIn // the platform
	fault []simulator.Fault
	auth  []string // flags
	env   []string
	code  int
	says  string
}

// TestNoSecretIsShownOrKept runs the program through sign-ins that work and all
// that go wrong, and looks for what is secret in everything it says and leaves.
func TestNoSecretIsShownOrKept(t *testing.T) {
	t.Parallel()
	certificate, pemText, pfx := keyPair(t)
	stranger, _, _ := keyPair(t)
	hidden := t.TempDir() // where the secrets are, and nothing of ours goes
	put := func(name string, data []byte) string {
		path := filepath.Join(hidden, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secretFile, wrongFile := put("secret", []byte(canarySecret+"\n")), put("wrong", []byte(canaryWrong))
	pemFile, pfxFile, passwordFile := put("pair.pem", pemText), put("pair.pfx", pfx), put("password", []byte(canaryPassword+"\r\n"))
	workloadFile, tokenFile := put("workload", []byte(canaryWorkload)), put("token", []byte(canary))
	// From the middle of the key: 64 signs of base64, and bytes.
	block, _ := pem.Decode(pemText)
	keyLine, keyBytes := strings.Split(string(pemText), "\n")[12], string(block.Bytes[600:640])

	application := []string{"--auth", "client-secret", "--client-secret-file", secretFile}
	app := simulator.SignIn{ClientID: "app", Secret: canarySecret, Echo: true}
	refusal := func(code string) simulator.SignIn {
		in := app
		in.Faults = []simulator.SignInFault{{Kind: code, At: 1, Times: -1}}
		return in
	}
	for _, run := range []signInRun{
		{name: "secret", in: app, auth: application, says: "signed in with client-secret"},
		{name: "secret by variable", in: app, auth: []string{"--auth", "client-secret"}, env: []string{"MDCALAKE_CLIENT_SECRET=" + canarySecret}},
		{name: "secret by Azure's variables", in: app, auth: []string{"--auth", "environment"}, env: []string{"AZURE_CLIENT_SECRET=" + canarySecret, "AZURE_CLIENT_ID=app", "AZURE_TENANT_ID=contoso.example"}},
		{name: "certificate", in: simulator.SignIn{Certificate: certificate}, auth: []string{"--auth", "client-certificate", "--certificate-file", pemFile}, says: "signed in with client-certificate"},
		{name: "PKCS#12", in: simulator.SignIn{Certificate: certificate}, auth: []string{"--auth", "client-certificate", "--certificate-file", pfxFile, "--certificate-password-file", passwordFile}},
		{name: "workload", auth: []string{"--auth", "workload-identity", "--federated-token-file", workloadFile}},
		{name: "device code", auth: []string{"--auth", "device-code"}, says: "ABCD1234E"},
		{name: "legacy token", auth: []string{"--token-file", tokenFile}, says: "signing in with an API token"},
		{name: "tokens that die", in: simulator.SignIn{Uses: 3}, auth: application},
		{name: "an answer that is cut", in: simulator.SignIn{Faults: []simulator.SignInFault{{Kind: "cut-json", At: 1}}}, auth: application},

		{name: "wrong secret", in: app, auth: []string{"--auth", "client-secret", "--client-secret-file", wrongFile}, code: exitSignIn, says: "AADSTS7000215"},
		{name: "old secret", in: refusal("AADSTS7000222"), auth: application, code: exitSignIn, says: "AADSTS7000222"},
		{name: "no consent", in: refusal("AADSTS65001"), auth: application, code: exitSignIn, says: "AADSTS65001"},
		{name: "unknown application", in: simulator.SignIn{ClientID: "another", Echo: true}, auth: application, code: exitSignIn, says: "AADSTS700016"},
		{name: "unknown certificate", in: simulator.SignIn{Certificate: stranger, Echo: true}, auth: []string{"--auth", "client-certificate", "--certificate-file", pemFile}, code: exitSignIn, says: "AADSTS700027"},
		{name: "unknown workload", in: simulator.SignIn{Certificate: stranger, Echo: true}, auth: []string{"--auth", "workload-identity", "--federated-token-file", workloadFile}, code: exitSignIn, says: "AADSTS700027"},
		{name: "wrong password", auth: []string{"--auth", "client-certificate", "--certificate-file", pfxFile, "--certificate-password-file", wrongFile}, code: exitUsage, says: "does not open"},
		{name: "a key for a secret", auth: []string{"--auth", "client-secret", "--client-secret-file", pemFile}, code: exitUsage, says: "several lines"},
		{name: "a secret for a certificate", auth: []string{"--auth", "client-certificate", "--certificate-file", secretFile}, code: exitUsage, says: "neither PEM nor PKCS#12"},
		{name: "a redirect", in: refusal("redirect"), auth: application, code: exitFailed, says: "redirect"},
		{name: "an audience that is not the API's", in: simulator.SignIn{Audience: "another"}, auth: application, code: exitSignIn, says: "401"},
		{name: "no permission", in: simulator.SignIn{NoRoles: true}, auth: application, code: exitSignIn, says: "403"},
		{name: "an API elsewhere", fault: []simulator.Fault{{Kind: simulator.FaultRedirect, Page: 1, Times: -1}}, auth: application, code: exitFailed, says: "redirect"},
		{name: "a legacy token that is refused", in: simulator.SignIn{}, fault: []simulator.Fault{{Kind: simulator.FaultStatus401, Page: 2, Times: -1}}, auth: []string{"--token-file", tokenFile}, code: exitSignIn, says: "401"},
	} {
		t.Run(run.name, func(t *testing.T) {
			run.in.TenantID = "contoso.example"
			now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
			srv, err := simulator.Start(simulator.Options{TLS: true, SignIn: run.in, Faults: run.fault, Count: 120, Days: 1, BadRecords: 0.02, Clock: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"ingest", "--url", srv.URL, "--ca-file", put("ca-"+strings.ReplaceAll(run.name, " ", "-"), srv.CA), "--summary-json", "summary.json", "--keep-pages",
				"--since", "2026-11-19", "--until", "2026-11-21", "--rate", "0", "--page-size", "50"}, run.auth...)
			env := append([]string{
				"TMPDIR=" + filepath.Join(dir, "tmp"), "AZURE_SDK_GO_LOGGING=all", // as loud as the library can be
				"MDCALAKE_TENANT_ID=contoso.example", "MDCALAKE_CLIENT_ID=app", "MDCALAKE_AUTHORITY=" + srv.URL, "AZURE_AUTHORITY_HOST=" + srv.URL,
			}, run.env...)
			stdout, stderr, code := mdcalake(t, dir, env, args...)
			if want := run.code; code != want && !(want == exitDone && code == exitPartial) || !strings.Contains(stderr, run.says) {
				t.Errorf("exit code %d, want %d, and to read %q:\n%s", code, want, run.says, stderr)
			}
			if strings.HasPrefix(stderr, "[") || strings.Contains(stderr, "\n[") {
				t.Errorf("the identity library logs:\n%s", stderr)
			}
			secrets := map[string]string{
				"client secret": canarySecret, "wrong secret": canaryWrong, "password": canaryPassword, "legacy token": canary, "workload's token": canaryWorkload, "private key": keyLine, "private key in binary": keyBytes,
			}
			for i, secret := range srv.Secrets() {
				if secret != canarySecret && secret != canaryWrong && secret != canaryWorkload {
					secrets[fmt.Sprintf("%d. token or assertion", i+1)] = secret
				}
			}
			s := newSearch(t, secrets)
			s.text("stdout", []byte(stdout))
			s.text("stderr", []byte(stderr))
			s.text("the argument list", []byte(strings.Join(args, "\x00")))
			files := s.tree(dir)
			for _, leak := range s.found {
				t.Error(leak)
			}
			if code == exitDone && files < 10 {
				t.Errorf("only %d files were looked at", files)
			}
		})
	}
}

// A search that finds nothing looks like one that holds: here it has something
// to find, in every form and in every kind of place.
func TestSecretsWouldBeFound(t *testing.T) {
	t.Parallel()
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c4n-arySignature_0123456789"
	secrets := map[string]string{"client secret": canarySecret, "token": token}
	for _, secret := range []string{canarySecret, token} {
		for _, form := range append(forms(secret), base64.StdEncoding.EncodeToString([]byte("app:"+secret)), base64.URLEncoding.EncodeToString([]byte(" "+secret+"&x")), "client_secret="+url.QueryEscape(secret)) {
			s := newSearch(t, secrets)
			s.text("stderr", []byte("some words, "+form+", and more"))
			if len(s.found) != 1 {
				t.Errorf("planted as %q: %q", form, s.found)
			}
		}
	}
	plant := func(name, text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	lake := t.TempDir()
	record, err := json.Marshal(map[string]any{"_id": "a", "timestamp": 1795089600000, "description": "signed in with " + canarySecret})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lake, "in.jsonl"), append(record, "\n{\"_id\":7,\"note\":\""+canarySecret+"\"}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, lake, nil, "import", "in.jsonl"); code != exitPartial {
		t.Fatal(errs)
	}
	if err := os.Remove(filepath.Join(lake, "in.jsonl")); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"a file":      plant("summary.json", `{"error":"`+canarySecret+`"}`),
		"a kept page": plant("page.json.zst", string(pack.EncodeAll([]byte(strings.Repeat(canarySecret, 100)), nil))),
		"Parquet":     filepath.Join(lake, "lake", "activities"),
		"quarantine":  filepath.Join(lake, "lake", "quarantine"),
	} {
		s := newSearch(t, secrets)
		if s.tree(dir); len(s.found) == 0 {
			t.Errorf("planted in %s: not found", name)
		}
	}
}
