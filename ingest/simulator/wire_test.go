package simulator_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mdcalake/ingest/simulator"
)

// rawAnswer asks over a connection of its own, without what net/http's client
// does by itself.
func rawAnswer(t *testing.T, srv *simulator.Server, encoding string) (*http.Response, []byte, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /api/v1/activities/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token x\r\n%s\r\n", encoding)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

func TestGzipWhereItIsAccepted(t *testing.T) {
	srv := startAt(t, simulator.Options{Seed: 2, Count: 300, Wire: simulator.Wire{Gzip: true}})
	plain, want, err := rawAnswer(t, srv, "")
	if err != nil || plain.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%v %v", err, plain.Header)
	}
	for _, accept := range []string{"gzip", "deflate, GZIP;q=0.5", "br,gzip"} {
		res, body, err := rawAnswer(t, srv, "Accept-Encoding: "+accept+"\r\n")
		if err != nil || res.Header.Get("Content-Encoding") != "gzip" || res.ContentLength != int64(len(body)) {
			t.Fatalf("%s: %v %v", accept, err, res.Header)
		}
		zip, err := gzip.NewReader(strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(zip)
		if err != nil || string(got) != string(want) || len(body) > len(want)/3 {
			t.Errorf("%s: %v, %d bytes of %d", accept, err, len(body), len(want))
		}
	}
	if res, _, _ := rawAnswer(t, srv, "Accept-Encoding: gzip;q=0, br\r\n"); res.Header.Get("Content-Encoding") != "" {
		t.Error("gzip though it was refused")
	}
	if st := srv.Stats(); st.Gzipped != 3 || st.Requests != 5 {
		t.Errorf("%d of %d compressed, want 3 of 5", st.Gzipped, st.Requests)
	}
}

func TestChunkedWithoutLength(t *testing.T) {
	srv := startAt(t, simulator.Options{Seed: 2, Count: 1, Wire: simulator.Wire{Chunked: true}})
	res, body, err := rawAnswer(t, srv, "")
	if err != nil || res.ContentLength != -1 || len(res.TransferEncoding) != 1 || !strings.HasSuffix(string(body), "}") {
		t.Errorf("%v %+v %d bytes", err, res, len(body))
	}
}

func TestAGzipStreamCanBeCut(t *testing.T) {
	srv := startAt(t, simulator.Options{Seed: 2, Count: 300, Wire: simulator.Wire{Gzip: true}, Faults: []simulator.Fault{{Kind: simulator.FaultShortBody, Request: 1}}})
	res, body, err := rawAnswer(t, srv, "Accept-Encoding: gzip\r\n")
	if err == nil || res.Header.Get("Content-Encoding") != "gzip" || int64(len(body)) >= res.ContentLength {
		t.Errorf("%v %v: %d bytes of %d", err, res.Header, len(body), res.ContentLength)
	}
}

func TestATrickleTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, simulator.Options{Seed: 2, Count: 300, Clock: time.Now, Wire: simulator.Wire{Trickle: 100 * time.Second}, Faults: []simulator.Fault{{Kind: simulator.FaultTrickle, Request: 2}}})
		whole := client{t: t, s: s}.post(`{"limit":50}`)
		begin := time.Now()
		a := client{t: t, s: s}.post(`{"limit":50}`)
		if took := time.Since(begin); string(a.Body) != string(whole.Body) || took < 90*time.Second || took > 110*time.Second {
			t.Errorf("%d of %d bytes in %s", len(a.Body), len(whole.Body), took)
		}
	})
}

// unflushable is a ResponseWriter that can do no more than it must.
type unflushable struct{ http.ResponseWriter }

func TestWithoutAConnectionOfItsOwn(t *testing.T) {
	// Behind a writer that gives no connection away, faults of a body are cut bodies.
	for _, kind := range []simulator.FaultKind{simulator.FaultReset, simulator.FaultResetBody, simulator.FaultCutChunked, simulator.FaultStall, simulator.FaultStatus429} {
		s := newSim(t, simulator.Options{Seed: 2, Count: 30, Faults: []simulator.Fault{{Kind: kind, Request: 1}}})
		r := httptest.NewRequest("POST", "/api/v1/activities/", strings.NewReader(`{}`))
		r.Header.Set("Authorization", "Token x")
		w := httptest.NewRecorder()
		s.ServeHTTP(unflushable{w}, r)
		if w.Code == 200 && strings.HasSuffix(w.Body.String(), "}") || s.Stats().Served[kind] != 1 {
			t.Errorf("%s: %d, %d bytes", kind, w.Code, w.Body.Len())
		}
	}
}
