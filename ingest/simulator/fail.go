package simulator

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// elsewhere is where redirects go unless Options.RedirectTo says otherwise: a
// host that does not exist.
const elsewhere = "https://portal.elsewhere.example/api/v1/activities/"

// fail answers with a fault that needs no page.
func (x *exchange) fail(kind FaultKind) {
	x.met(kind)
	switch kind {
	case FaultStatus400:
		x.refuse("filters")
	case FaultStatus401:
		x.detail(http.StatusUnauthorized, "Invalid token.")
	case FaultKeySet401:
		x.detail(http.StatusUnauthorized, "Invalid JSON Web Key Set")
	case FaultStatus403:
		x.detail(http.StatusForbidden, "Insufficient role based permission(s)")
	case FaultStatus404:
		x.html(http.StatusNotFound, "Page not found")
	case FaultStatus408:
		x.gateway(http.StatusRequestTimeout, "408 Request Timeout")
	case FaultStatus429:
		x.throttle(2 * time.Second)
	case FaultHTML429:
		x.throttleAs(2*time.Second, ThrottleHTML, RetryAfterMissing)
	case FaultStatus500:
		x.detail(http.StatusInternalServerError, "Internal server error.")
	case FaultStatus502:
		x.gateway(http.StatusBadGateway, "502 Bad Gateway")
	case FaultStatus503:
		x.gateway(http.StatusServiceUnavailable, "503 Service Unavailable")
	case FaultStatus504:
		x.gateway(http.StatusGatewayTimeout, "504 Gateway Time-out")
	case FaultHTML200:
		x.html(http.StatusOK, "Sign in")
	case FaultHTML500:
		x.html(http.StatusInternalServerError, "Internal error")
	case FaultRedirect:
		x.redirect(http.StatusFound)
	case FaultRedirect307:
		x.redirect(http.StatusTemporaryRedirect)
	case FaultReset:
		x.reset()
	}
}

// gateway answers as what stands before the API does.
func (x *exchange) gateway(status int, text string) {
	x.write(status, "text/html", []byte("<html><body><h1>"+text+"</h1></body></html>\n"))
}

func (x *exchange) redirect(status int) {
	to := x.s.opt.RedirectTo
	if to == "" {
		to = elsewhere
	}
	x.w.Header().Set("Location", to)
	x.write(status, "text/html", []byte("<html><body>Found</body></html>\n"))
}

// reset ends the connection without an answer, so that the client sees a reset.
func (x *exchange) reset() {
	conn := x.take()
	if conn == nil {
		x.gateway(http.StatusBadGateway, "502 Bad Gateway")
		return
	}
	x.record()
	abort(conn)
}

// abort closes a connection with a reset.
func abort(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // without the farewell of TLS
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes Close send a reset
	}
	_ = conn.Close()
}

// take takes the connection over from net/http; nil where there is none.
func (x *exchange) take() net.Conn {
	h, ok := x.w.(http.Hijacker)
	if !ok {
		return nil
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return nil
	}
	return conn
}
