package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Where the API is, and how it is reached.

const (
	activitiesPath = "api/v1/activities/"
	archivedPath   = "api/v1/archived_activities/"
)

// endpointOf never quotes the address: a mistaken one may hold a password.
func endpointOf(base string) (*url.URL, error) {
	bad := func(problem string) error {
		return &OptionError{Option: "base URL", Problem: problem,
			hint: "give the API URL under Settings > Cloud Apps > About, such as https://TENANT.eu.portal.cloudappsecurity.com"}
	}
	base = strings.TrimSpace(base)
	if base == "" {
		return nil, bad("is missing")
	}
	u, err := url.Parse(base)
	switch {
	case err != nil && strings.Contains(base, "://"):
		return nil, bad("is no URL")
	case err != nil || u.Scheme == "" || u.Opaque != "":
		return nil, bad("does not begin with https://")
	case u.User != nil:
		return nil, bad("holds a user name or password; the credential is given apart from it")
	case u.Hostname() == "":
		return nil, bad("names no host")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(base, "#"):
		return nil, bad("has a query or a fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, bad("is plain http, which would show the credential to the network")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, bad("does not begin with https://")
	case strings.Contains(u.Path+"/", "/api/v1/"):
		return nil, bad("goes beyond the root of the API; leave /api/v1 and what follows away")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func rootsOf(o ClientOptions) (*x509.CertPool, error) {
	if o.CAFile == "" {
		return o.RootCAs, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	roots := o.RootCAs
	if roots == nil {
		// Some systems have none; the file's roots are then the only ones.
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
	} else {
		roots = roots.Clone()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, &OptionError{Option: fmt.Sprintf("CA file %q", o.CAFile), Problem: "holds no certificate",
			hint: "give a PEM file with -----BEGIN CERTIFICATE----- in it"}
	}
	return roots, nil
}

func transport(t Timeouts, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: t.Connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    t.Connect,
		ResponseHeaderTimeout:  t.Header,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: 1 << 20,
		ForceAttemptHTTP2:      true, // a TLS config of one's own switches it off otherwise
	}
}

// proxy is the environment's; what is wrong with it is not quoted, because it
// may hold a password.
func proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("the proxy that the environment names is no URL")
	}
	return u, nil
}
