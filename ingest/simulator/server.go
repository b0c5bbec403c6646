package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a Simulator on a loopback port.
type Server struct {
	*Simulator
	URL string // http://127.0.0.1:PORT, or https
	CA  []byte // with Options.TLS: PEM of the certificate to trust

	http *http.Server
	stop context.CancelFunc // ends answers that stall
	done chan error
}

// Start serves a simulator on a free loopback port.
func Start(o Options) (*Server, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	return s.Serve("127.0.0.1:0")
}

// Serve puts the simulator on an address, which must be a loopback one: its
// records look real, and its token is none.
func (s *Simulator) Serve(address string) (*Server, error) {
	return s.serve(address, s)
}

func (s *Simulator) serve(address string, h http.Handler) (*Server, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen %q: want host:port, such as 127.0.0.1:0", address)
	}
	ip := net.ParseIP(host)
	if host == "localhost" {
		ip = net.IPv4(127, 0, 0, 1)
	}
	if ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("listen %q: the simulator serves loopback addresses only, such as 127.0.0.1:0", address)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), port))
	if err != nil {
		return nil, fmt.Errorf("listen %q: %w", address, err)
	}
	scheme, ca := "http", []byte(nil)
	if s.opt.TLS {
		var config *tls.Config
		if config, ca, err = throwAway(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		scheme, l = "https", tls.NewListener(l, config)
	}
	ctx, stop := context.WithCancel(context.Background())
	srv := &Server{
		Simulator: s,
		stop:      stop,
		URL:       scheme + "://" + l.Addr().String(),
		CA:        ca,
		http: &http.Server{
			Handler:           h,
			ReadHeaderTimeout: 30 * time.Second,
			BaseContext:       func(net.Listener) context.Context { return ctx },
		},
		done: make(chan error, 1),
	}
	go func() { srv.done <- srv.http.Serve(l) }()
	return srv, nil
}

// Close ends the server at once, open connections too.
func (srv *Server) Close() error {
	srv.stop()
	err := srv.http.Close()
	if e := <-srv.done; err == nil && !errors.Is(e, http.ErrServerClosed) {
		err = e
	}
	return err
}

// shutdown lets answers that are under way end, for as long as ctx lasts, but
// not those that wait on purpose.
func (srv *Server) shutdown(ctx context.Context) error {
	srv.stop()
	if err := srv.http.Shutdown(ctx); err != nil {
		return srv.Close()
	}
	<-srv.done
	return nil
}
