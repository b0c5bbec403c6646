package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// Program is mdcasim without its flags: what to serve, where, and for how long.
type Program struct {
	Options     Options
	RecordFiles []string // read into Options.Records, in order
	TokenFile   string   // its first line is the token
	SecretFile  string   // its first line is Options.SignIn.Secret
	Certificate string   // PEM file with Options.SignIn.Certificate

	TruthFile  string // "-" is stdout
	Archived   bool   // TruthFile holds what the archived route shows
	NDJSONFile string
	StoryFile  string // Stories, a JSON line each
	AllowFile  string // AllowList
	WriteOnly  bool   // end when the files are written
	Since      time.Time
	Until      time.Time

	Listen      string // "" means 127.0.0.1:0
	URLFile     string
	CAFile      string        // the certificate to trust is written here, and https is spoken
	MaxTime     time.Duration // 0 means until ctx ends
	MaxRequests int           // 0 means no bound
}

// UsageError is a mistake in what was asked for, as against one in carrying it out.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Run writes the files that were asked for and serves until ctx ends or a bound
// is reached. Stdout gets one line, the URL; everything else goes to stderr.
func (p Program) Run(ctx context.Context, stdout, stderr io.Writer) error {
	s, err := p.prepare()
	if err != nil {
		return err
	}
	if err := p.writeFiles(s, stdout); err != nil || p.WriteOnly {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if p.MaxTime > 0 {
		ctx, stop = context.WithTimeout(ctx, p.MaxTime)
		defer stop()
	}
	address := p.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	srv, err := s.serve(address, p.bounded(s, stop))
	if err != nil {
		return &UsageError{err}
	}
	if p.CAFile != "" {
		if err := replaceFile(p.CAFile, func(w io.Writer) error {
			_, err := w.Write(srv.CA)
			return err
		}); err != nil {
			return errors.Join(err, srv.Close())
		}
	}
	if p.URLFile != "" {
		if err := replaceFile(p.URLFile, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, srv.URL)
			return err
		}); err != nil {
			return errors.Join(err, srv.Close())
		}
	}
	if _, err := fmt.Fprintln(stdout, srv.URL); err != nil {
		return errors.Join(fmt.Errorf("write url: %w", err), srv.Close())
	}
	start, end := s.Span()
	fmt.Fprintf(stderr, "mdcasim: serving %d generated and %d given records, events from %s to %s, clock %s\n",
		s.opt.Count, len(s.opt.Records), start.Format(time.RFC3339), end.Format(time.RFC3339), s.Now().UTC().Format(time.RFC3339))
	if n := len(s.gen.static) - len(s.opt.Records); n > 0 {
		fmt.Fprintf(stderr, "mdcasim: and with them %d records of stories and noise\n", n)
	}

	select {
	case <-ctx.Done():
	case err := <-srv.done:
		return fmt.Errorf("serve: %w", err)
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err = srv.shutdown(grace)
	st := s.Stats()
	fmt.Fprintf(stderr, "mdcasim: %d requests, %d pages, %d records, %d refused with 429, %d feedback calls\n", st.Requests, st.Pages, st.Records, st.Throttled, st.Feedback)
	var served []string
	for _, k := range FaultKinds {
		if n := st.Served[k]; n > 0 {
			served = append(served, fmt.Sprintf("%s %d", k, n))
		}
	}
	if len(served) > 0 {
		fmt.Fprintf(stderr, "mdcasim: faults served: %s\n", strings.Join(served, ", "))
	}
	return err
}

func (p Program) prepare() (*Simulator, error) {
	if p.MaxTime < 0 || p.MaxRequests < 0 {
		return nil, &UsageError{fmt.Errorf("bounds must not be negative, got %s and %d requests", p.MaxTime, p.MaxRequests)}
	}
	for _, name := range p.RecordFiles {
		list, err := ReadRecordsFile(name)
		if err != nil {
			return nil, err
		}
		p.Options.Records = append(p.Options.Records, list...)
	}
	if len(p.RecordFiles) > 0 && len(p.Options.Records) == 0 && p.Options.Count == 0 {
		p.Options.Count = -1 // files without records mean no records
	}
	for _, f := range []struct {
		what, name string
		to         *string
	}{{"token", p.TokenFile, &p.Options.Token}, {"secret", p.SecretFile, &p.Options.SignIn.Secret}} {
		if f.name == "" {
			continue
		}
		text, err := os.ReadFile(f.name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.what, err)
		}
		line, _, _ := strings.Cut(string(bytes.TrimSpace(text)), "\n")
		if *f.to = strings.TrimSpace(line); *f.to == "" {
			return nil, fmt.Errorf("read %s: file %q is empty; put the %s on its first line", f.what, f.name, f.what)
		}
	}
	if p.Certificate != "" {
		text, err := os.ReadFile(p.Certificate)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		if p.Options.SignIn.Certificate, err = firstCertificate(text); err != nil {
			return nil, fmt.Errorf("read certificate %q: %w", p.Certificate, err)
		}
	}
	p.Options.TLS = p.Options.TLS || p.CAFile != ""
	s, err := New(p.Options)
	if err != nil {
		return nil, &UsageError{err}
	}
	return s, nil
}

func (p Program) writeFiles(s *Simulator, stdout io.Writer) error {
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{p.TruthFile, func(w io.Writer) error {
			if p.Archived {
				return s.TruthArchived(w, p.Since, p.Until)
			}
			return s.TruthBetween(w, p.Since, p.Until)
		}},
		{p.StoryFile, s.WriteStories},
		{p.AllowFile, s.WriteAllowList},
		{p.NDJSONFile, func(w io.Writer) error { return s.WriteNDJSON(w, p.Since, p.Until) }},
	} {
		var err error
		switch f.name {
		case "":
		case "-":
			err = f.write(stdout)
		default:
			err = replaceFile(f.name, f.write)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replaceFile writes a file beside its name and renames it, so that a script
// that waits for the name never reads half of it. What is there and no file, as
// /dev/null is, is written to: a file in its place would be the end of it.
func replaceFile(name string, write func(io.Writer) error) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("write %q: %w", name, err)
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".mdcasim-*")
	if err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	defer os.Remove(f.Name()) // gone already if all went well
	err = write(f)
	if e := f.Chmod(0o644); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}

// bounded ends the program after MaxRequests answers.
func (p Program) bounded(s *Simulator, stop func()) http.Handler {
	if p.MaxRequests == 0 {
		return s
	}
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
		if n.Add(1) >= int64(p.MaxRequests) {
			stop()
		}
	})
}
