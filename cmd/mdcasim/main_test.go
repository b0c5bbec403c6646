package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// lines lets a test read what the program prints while it runs.
type lines struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	line chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	if i := bytes.IndexByte(l.buf.Bytes(), '\n'); i >= 0 && l.line != nil {
		l.line <- l.buf.String()[:i]
		l.line = nil
	}
	return len(p), nil
}

func TestServesUntilItsBound(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.json")
	record := "{\"_id\": \"a\",\n \"timestamp\": 1795000000000}"
	if err := os.WriteFile(page, []byte(`{"data":[`+record+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	urlFile := filepath.Join(dir, "url")
	first := make(chan string, 1)
	out, errs := &lines{line: first}, &bytes.Buffer{}
	done := make(chan int, 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() {
		done <- run(ctx, []string{"mdcasim", page, "--token-file", token, page, "--url-file", urlFile, "--max-requests=2", "--records", page, "--fault", "wrong-total@page=1"}, out, errs)
	}()
	var url string
	select {
	case url = <-first:
	case code := <-done:
		t.Fatalf("ended with %d: %s", code, errs)
	}
	if b, err := os.ReadFile(urlFile); err != nil || strings.TrimSpace(string(b)) != url || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("url file %q, %v; url %q", b, err, url)
	}
	for i, key := range []string{"Token s3cret", "Token wrong"} {
		req, err := http.NewRequest("GET", url+"/api/v1/activities/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && strings.Count(string(body), record) != 3 {
			t.Errorf("page %s", body)
		}
		if i == 1 && res.StatusCode != 401 {
			t.Errorf("status %d", res.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if code := <-done; code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
	if got := out.buf.String(); got != url+"\n" {
		t.Errorf("stdout %q, want the URL alone", got)
	}
	if !strings.Contains(errs.String(), "2 requests, 1 pages, 3 records") || !strings.Contains(errs.String(), "faults served: wrong-total 1\n") {
		t.Errorf("stderr %q", errs)
	}
}

func TestWritesTruthAndRecords(t *testing.T) {
	dir := t.TempDir()
	truth, records := filepath.Join(dir, "t"), filepath.Join(dir, "n")
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"mdcasim", "--now", "2026-11-20T12:00:00Z", "--count", "300", "--truth", truth, "--ndjson", records, "--since", "2026-11-17T00:00:00Z"}, &out, &errs)
	if code != 0 || out.Len() > 0 {
		t.Fatalf("exit %d, stdout %q, stderr %q", code, &out, &errs)
	}
	a, _ := os.ReadFile(truth)
	b, _ := os.ReadFile(records)
	if n := bytes.Count(a, []byte("\n")); n == 0 || n >= 300 || n != bytes.Count(b, []byte("\n")) {
		t.Errorf("%d lines of truth, %d records", n, bytes.Count(b, []byte("\n")))
	}
	code = run(context.Background(), []string{"mdcasim", "--now", "2026-11-20T12:00:00Z", "--count", "300", "--truth", "-", "--truth-only", "--since", "2026-11-17T00:00:00Z"}, &out, &errs)
	if code != 0 || !bytes.Equal(out.Bytes(), a) {
		t.Errorf("exit %d; truth on stdout differs from the file", code)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWritesStories(t *testing.T) {
	dir := t.TempDir()
	truth, allow, records := filepath.Join(dir, "s"), filepath.Join(dir, "a"), filepath.Join(dir, "n")
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"mdcasim", "--now", "2026-11-20T12:00:00Z", "--count", "300", "--days", "30", "--stories", "ransomware,token-theft", "--stories", "device-code", "--noise",
		"--story-truth", truth, "--allow-list", allow, "--ndjson", records}, &out, &errs)
	if code != 0 || out.Len() > 0 {
		t.Fatalf("exit %d, stdout %q, stderr %q", code, &out, &errs)
	}
	text := map[string]string{}
	for _, name := range []string{truth, allow, records} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text[name] = string(b)
	}
	written := map[string]bool{}
	for line := range strings.Lines(text[records]) {
		id, _, _ := strings.Cut(strings.TrimPrefix(line, `{"_id":"`), `"`)
		written[id] = true
	}
	var names []string
	for line := range strings.Lines(text[truth]) {
		var st simulator.Story
		if err := json.Unmarshal([]byte(line), &st); err != nil {
			t.Fatal(err)
		}
		names = append(names, st.Name)
		for _, id := range st.Records {
			if !written[id] {
				t.Errorf("record %s of %s is not among the records", id, st.Name)
			}
		}
	}
	if got := strings.Join(names, " "); got != "token-theft device-code ransomware" {
		t.Errorf("the truth is about %q", got)
	}
	if !strings.Contains(text[allow], `"svc-backup@contoso.example"`) || !strings.Contains(text[allow], `"exclude_countries": [`) {
		t.Errorf("allow list %s", text[allow])
	}
}

func TestTruthOfTheArchivedRoute(t *testing.T) {
	args := []string{"mdcasim", "--now", "2026-11-20T12:00:00Z", "--count", "300", "--days", "60", "--door", "720h", "--truth", "-", "--truth-only"}
	lines := func(more ...string) int {
		var out, errs bytes.Buffer
		if code := run(context.Background(), append(args, more...), &out, &errs); code != 0 {
			t.Fatalf("exit %d: %s", code, &errs)
		}
		return bytes.Count(out.Bytes(), []byte("\n"))
	}
	if main, all := lines(), lines("--archived"); main == 0 || main > all*2/3 || all < 280 {
		t.Errorf("%d records before the door, %d in the archive, of 300", main, all)
	}
}

func TestMistakesAreSentencesOnStderr(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--bogus"}, 2, "bogus"},
		{[]string{"--count", "many"}, 2, "many"},
		{[]string{"--listen", "0.0.0.0:0"}, 2, "loopback"},
		{[]string{"--listen", "127.0.0.1"}, 2, "host:port"},
		{[]string{"--now", "today"}, 2, "RFC 3339"},
		{[]string{"--truth-only"}, 2, "--truth FILE"},
		{[]string{"--story-truth", "t"}, 2, "--stories NAME"},
		{[]string{"--allow-list", "a"}, 2, "--noise"},
		{[]string{"--stories", "bank-robbery"}, 2, "none of those there are: all token-theft"},
		{[]string{"--stories", "all", "--days", "3"}, 2, "at least 48h"},
		{[]string{"--run"}, 2, "--now"},
		{[]string{"--fault", "boom@page=1"}, 2, "boom"},
		{[]string{"--fault", "reset"}, 2, "KIND@page=N"},
		{[]string{"--service", "1"}, 2, "service 1"},
		{[]string{"--revisions", "2"}, 2, "between 0 and 1"},
		{[]string{"--throttle-body", "huge"}, 2, "throttle body"},
		{[]string{"--retry-after", "soon"}, 2, "retry-after"},
		{[]string{"--expensive-rate", "-2"}, 2, "expensive"},
		{[]string{"--cursor-shape", "round"}, 2, "cursor shape"},
		{[]string{"--ignore", "dates"}, 2, "filter \"dates\""},
		{[]string{"--count-cap", "-1"}, 2, "cap of a count"},
		{[]string{"--archive-reach", "-2"}, 2, "reach"},
		{[]string{"--archive-cap", "-1"}, 2, "largest page"},
		{[]string{"--archive-span", "-1h"}, 2, "span"},
		{[]string{"--archived"}, 2, "--truth FILE"},
		{[]string{"--visible-lag", "2h"}, 2, "visible lag"},
		{[]string{"--broken-text", "2"}, 2, "broken text"},
		{[]string{"--trickle", "-1s"}, 2, "trickle"},
		{[]string{"--redirect-to", "here"}, 2, "want a URL"},
		{[]string{"--connector", "10489"}, 2, "needs a time"},
		{[]string{"--service", "26069"}, 2, "native feeds"},
		{[]string{"--clock-speed", "2"}, 2, "needs --run"},
		{[]string{"--now", "2026-01-02T00:00:00Z", "--run", "--clock-speed", "-1"}, 2, "above 0"},
		{[]string{"--rate", "-1"}, 2, "rate"},
		{[]string{"--max-requests", "-1"}, 2, "bounds"},
		{[]string{"--start", "2026-01-02T00:00:00Z", "--end", "2026-01-01T00:00:00Z"}, 2, "not before"},
		{[]string{"--ahead", "1h", "--end", "2026-01-01T00:00:00Z"}, 2, "--ahead"},
		{[]string{"no-such-file"}, 1, "no-such-file"},
		{[]string{"--token-file", empty}, 1, "is empty"},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), append([]string{"mdcasim"}, c.args...), &out, &errs)
		if code != c.code || out.Len() > 0 || !strings.HasPrefix(errs.String(), "mdcasim: ") || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", c.args, code, &out, &errs)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, flag := range []string{"--help", "--version"} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"mdcasim", flag}, &out, &errs); code != 0 || !strings.Contains(out.String(), "mdcasim") || errs.Len() > 0 {
			t.Errorf("%s: exit %d, %q, %q", flag, code, &out, &errs)
		}
	}
}

func TestFlagsMayFollowArguments(t *testing.T) {
	a := newApp(io.Discard, io.Discard)
	for _, c := range [][2]string{
		{"a --rate 0 b --run", "--rate 0 --run -- a b"},
		{"--seed=4 a --forbidden b", "--seed=4 --forbidden -- a b"},
		{"a -- --rate b", "-- a --rate b"},
		{"- --drop-tail -1", "--drop-tail -1 -- -"},
		{"--rate", "--rate --"},
	} {
		got := flagsFirst(a, append([]string{"mdcasim"}, strings.Fields(c[0])...))
		if !slices.Equal(got[1:], strings.Fields(c[1])) {
			t.Errorf("%q became %q, want %q", c[0], got[1:], c[1])
		}
	}
}

func TestEveryFaultIsNamedInTheHelp(t *testing.T) {
	for _, k := range simulator.FaultKinds {
		if !strings.Contains(newApp(io.Discard, io.Discard).Description, string(k)) {
			t.Errorf("help does not name %s", k)
		}
	}
}
