package simulator

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// platform is SignIn at work.
type platform struct {
	s   *Simulator
	o   SignIn
	key []byte // signs tokens

	mu      sync.Mutex
	stats   SignInStats
	uses    map[string]int // of tokens, by id, with Uses
	polled  map[string]bool
	secrets []string
}

// SignInStats count what the token endpoints were asked.
type SignInStats struct {
	Requests int // for tokens, refused ones too
	Issued   int
}

func newPlatform(s *Simulator) *platform {
	p := &platform{s: s, o: s.opt.SignIn, key: []byte(rand.Text()), uses: map[string]int{}, polled: map[string]bool{}}
	p.o.Life = cmp.Or(p.o.Life, DefaultTokenLife)
	return p
}

// SignInStats are the counts so far.
func (s *Simulator) SignInStats() SignInStats {
	s.platform.mu.Lock()
	defer s.platform.mu.Unlock()
	return s.platform.stats
}

// Secrets are the tokens that were issued, and the secrets and assertions that
// came, so that a test can look for them where none may be.
func (s *Simulator) Secrets() []string {
	s.platform.mu.Lock()
	defer s.platform.mu.Unlock()
	return slices.Clone(s.platform.secrets)
}

// remember notes a secret. A long-lived simulator forgets the oldest.
func (p *platform) remember(secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.secrets) >= 2*logLimit {
		p.secrets = slices.Delete(p.secrets, 0, logLimit)
	}
	p.secrets = append(p.secrets, secret)
}

// serves tells whether a path is one of the platform's, and takes it apart.
func (p *platform) serves(path string) (tenant, endpoint string, ok bool) {
	if p.o.TenantID == "" {
		return "", "", false
	}
	tenant, endpoint, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch endpoint {
	case "oauth2/token", "oauth2/v2.0/token", "oauth2/v2.0/devicecode", ".well-known/openid-configuration", "v2.0/.well-known/openid-configuration":
		return tenant, endpoint, true
	}
	return "", "", false
}

// answer is the platform's to one request.
func (p *platform) answer(x *exchange, tenant, endpoint string) {
	form, err := url.ParseQuery(string(x.body))
	if err != nil {
		form = nil
	}
	known := strings.EqualFold(tenant, p.o.TenantID)
	switch {
	case strings.HasSuffix(endpoint, "openid-configuration"):
		if !known {
			p.refuse(x, "AADSTS90002", tenant, form)
			return
		}
		p.discovery(x)
	case x.r.Method != http.MethodPost:
		x.write(http.StatusMethodNotAllowed, "text/plain", nil)
	case endpoint == "oauth2/v2.0/devicecode":
		p.deviceCode(x)
	default:
		p.token(x, known, tenant, endpoint == "oauth2/token", form)
	}
}

// discovery names the endpoints.
func (p *platform) discovery(x *exchange) {
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	root := scheme + "://" + x.r.Host + "/" + p.o.TenantID
	p.json(x, http.StatusOK, map[string]any{
		"issuer":                        root + "/v2.0",
		"authorization_endpoint":        root + "/oauth2/v2.0/authorize",
		"token_endpoint":                root + "/oauth2/v2.0/token",
		"device_authorization_endpoint": root + "/oauth2/v2.0/devicecode",
	})
}

// token issues a token, or says why not.
func (p *platform) token(x *exchange, known bool, tenant string, v1 bool, form url.Values) {
	for _, name := range []string{"client_secret", "client_assertion"} {
		if secret := form.Get(name); secret != "" {
			p.remember(secret)
		}
	}
	p.mu.Lock()
	p.stats.Requests++
	number := p.stats.Requests
	p.mu.Unlock()
	cut := FaultKind("")
	for _, f := range p.o.Faults {
		if number < f.At || f.Times >= 0 && number >= f.At+max(f.Times, 1) {
			continue
		}
		switch kind := FaultKind(f.Kind); {
		case kind == FaultCutJSON || kind == FaultStall:
			cut = kind
		case strings.HasPrefix(f.Kind, "AADSTS"):
			p.refuse(x, f.Kind, form.Get("client_id"), form)
			return
		default:
			x.fail(kind)
			return
		}
	}
	client := form.Get("client_id")
	if !known {
		p.refuse(x, "AADSTS90002", tenant, form)
		return
	}
	if p.o.ClientID != "" && !strings.EqualFold(client, p.o.ClientID) {
		p.refuse(x, "AADSTS700016", client, form)
		return
	}
	resource := form.Get("resource")
	if !v1 {
		resource = resourceOf(form.Get("scope"))
	}
	if !strings.EqualFold(resource, Resource) {
		p.refuse(x, "AADSTS500011", resource, form)
		return
	}
	grant := form.Get("grant_type")
	switch grant {
	case "client_credentials":
		if code := p.proof(form); code != "" {
			p.refuse(x, code, client, form)
			return
		}
	case "urn:ietf:params:oauth:grant-type:device_code", "device_code":
		if !p.confirmed(form.Get("device_code")) {
			p.json(x, http.StatusBadRequest, map[string]any{"error": "authorization_pending", "error_description": "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending. Continue polling.", "error_codes": []int{70016}})
			return
		}
	case "refresh_token":
		if form.Get("refresh_token") != p.refreshToken() {
			p.refuse(x, "AADSTS65001", client, form)
			return
		}
	default:
		p.refuse(x, "AADSTS70003", client, form)
		return
	}
	body := p.issue(client, resource, v1, grant != "client_credentials")
	switch cut {
	case FaultCutJSON:
		x.write(http.StatusOK, "application/json", body[:cutAt(body)])
	case FaultStall:
		x.broken(body, lengthDeclared, held)
	default:
		x.write(http.StatusOK, "application/json", body)
	}
}

// resourceOf takes the resource out of a scope such as ID/.default.
func resourceOf(scope string) string {
	for word := range strings.FieldsSeq(scope) {
		if at := strings.LastIndex(word, "/"); at > 0 {
			return word[:at]
		}
	}
	return ""
}

// proof says what is wrong with an application's secret or assertion; "" is
// nothing.
func (p *platform) proof(form url.Values) string {
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	anything := p.o.Secret == "" && p.o.Certificate == nil
	switch {
	case secret != "" && assertion == "":
		if anything || p.o.Secret != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(p.o.Secret)) == 1 {
			return ""
		}
	case assertion != "" && form.Get("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		if p.o.Certificate == nil && !anything {
			return "AADSTS700027"
		}
		// Whoever signs has the real time, whatever clock is set here.
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256", "PS256"}), jwt.WithExpirationRequired())
		var claims jwt.RegisteredClaims
		var err error
		if p.o.Certificate == nil {
			_, _, err = parser.ParseUnverified(assertion, &claims)
		} else if _, err = parser.ParseWithClaims(assertion, &claims, func(*jwt.Token) (any, error) { return p.o.Certificate.PublicKey, nil }); err == nil && claims.Subject != form.Get("client_id") {
			err = errors.New("another application's")
		}
		if err == nil {
			return ""
		}
		return "AADSTS700027"
	}
	return "AADSTS7000215"
}

// claims are what an access token says.
type claims struct {
	jwt.RegisteredClaims
	AppID  string   `json:"appid"`
	Tenant string   `json:"tid"`
	Roles  []string `json:"roles,omitempty"`
	Scopes string   `json:"scp,omitempty"`
}

// issue makes a token and the answer that brings it.
func (p *platform) issue(client, resource string, v1, person bool) []byte {
	now := p.s.opt.Clock()
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: rand.Text(), Issuer: "https://sts.windows.net/" + p.o.TenantID + "/", Subject: client,
			Audience: jwt.ClaimStrings{cmp.Or(p.o.Audience, resource)}, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(p.o.Life)),
		},
		AppID: client, Tenant: p.o.TenantID,
	}
	switch {
	case p.o.NoRoles:
	case person:
		c.Scopes = role
	default:
		c.Roles = []string{role}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(p.key)
	if err != nil {
		return []byte("{}") // cannot be: the key fits the method
	}
	p.remember(token)
	p.mu.Lock()
	p.stats.Issued++
	p.mu.Unlock()
	seconds := int(p.o.Life / time.Second)
	answer := map[string]any{"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
	if v1 || p.o.TextLife {
		answer["expires_in"], answer["ext_expires_in"] = strconv.Itoa(seconds), strconv.Itoa(seconds)
	}
	if v1 {
		answer["resource"], answer["expires_on"] = resource, strconv.FormatInt(c.ExpiresAt.Unix(), 10)
	}
	if person {
		p.person(answer, client, now)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return []byte("{}") // cannot be: text and numbers
	}
	return body
}

// person adds what comes with a token of somebody who signed in.
func (p *platform) person(answer map[string]any, client string, now time.Time) {
	part := func(v map[string]any) string {
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	answer["scope"] = Resource + "/" + role + " " + Resource + "/.default"
	answer["refresh_token"] = p.refreshToken()
	answer["client_info"] = part(map[string]any{"uid": "ada", "utid": p.o.TenantID})
	answer["id_token"] = part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"aud": client, "oid": "ada", "sub": "ada", "tid": p.o.TenantID, "preferred_username": "ada@contoso.example", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}) + "."
}

func (p *platform) refreshToken() string { return "refresh-" + string(p.key) }

// deviceCode begins the sign-in of a person, who confirms it between the first
// and the second question for the token.
func (p *platform) deviceCode(x *exchange) {
	code := rand.Text()
	p.remember(code)
	p.mu.Lock()
	p.polled[code] = false
	p.mu.Unlock()
	p.json(x, http.StatusOK, map[string]any{
		"user_code": "ABCD1234E", "device_code": code, "verification_uri": "https://microsoft.example/devicelogin", "expires_in": 900, "interval": 1, "message": "enter the code",
	})
}

func (p *platform) confirmed(code string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, given := p.polled[code]
	if given {
		p.polled[code] = true
	}
	return given && asked
}

// refuse answers with a refusal as Entra ID words them.
func (p *platform) refuse(x *exchange, code, about string, form url.Values) {
	r := refusals[code]
	number, err := strconv.Atoi(strings.TrimPrefix(code, "AADSTS"))
	if err != nil {
		number = 0 // cannot be: it is a key of refusals
	}
	text := fmt.Sprintf(r.about, about)
	if p.o.Echo {
		text += " You sent " + form.Encode()
		for _, name := range []string{"client_secret", "client_assertion"} {
			text += " " + form.Get(name)
		}
	}
	const trace, correlation = "5c3b3d0e-7e0c-4b5f-9d83-3d1c1f0a2b00", "0f0b6a52-31b5-4a2c-8f63-7d6d2c3f9a11"
	stamp := p.s.opt.Clock().UTC().Format("2006-01-02 15:04:05Z")
	p.json(x, r.status, map[string]any{
		"error": r.name, "error_codes": []int{number}, "timestamp": stamp, "trace_id": trace, "correlation_id": correlation,
		"error_description": code + ": " + text + " Trace ID: " + trace + " Correlation ID: " + correlation + " Timestamp: " + stamp,
		"error_uri":         "https://login.microsoftonline.com/error?code=" + strconv.Itoa(number),
	})
}

func (p *platform) json(x *exchange, status int, v map[string]any) {
	body, err := json.Marshal(v)
	if err != nil {
		body = []byte("{}") // cannot be: text and numbers
	}
	x.write(status, "application/json", body)
}

// verdict is what the API makes of a credential: 0 and "" let it in.
type verdict struct {
	status int
	detail string
}

// accepts judges an access token.
func (p *platform) accepts(token string) verdict {
	var c claims
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(p.s.opt.Clock), jwt.WithAudience(Resource), jwt.WithExpirationRequired()).
		ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return p.key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return verdict{http.StatusUnauthorized, "Signature has expired."}
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return verdict{http.StatusUnauthorized, "Invalid audience."}
	case err != nil:
		return verdict{http.StatusUnauthorized, "Invalid token."}
	case p.usedUp(c.ID):
		return verdict{http.StatusUnauthorized, "Signature has expired."}
	case len(c.Roles) == 0 && c.Scopes == "":
		return verdict{http.StatusForbidden, "Insufficient role based permission(s)"}
	}
	return verdict{}
}

func (p *platform) usedUp(id string) bool {
	if p.o.Uses == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uses[id]++
	return p.uses[id] > p.o.Uses
}
