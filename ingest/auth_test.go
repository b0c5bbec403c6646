package ingest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"mdcalake/ingest"
)

func TestTokensAreTrimmedAndChecked(t *testing.T) {
	for _, text := range []string{canary, canary + "\n", "\ufeff" + canary + "\r\n", "\t " + canary + " "} {
		token, err := ingest.NewTokenCredential(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		r, _ := http.NewRequest("POST", "https://h", nil)
		if err := token.Authorize(t.Context(), r); err != nil || r.Header.Get("Authorization") != "Token "+canary {
			t.Errorf("%q: %v, %q", text, err, r.Header)
		}
	}
	for name, c := range map[string]struct{ token, want string }{
		"empty":            {"", "is empty"},
		"blank":            {" \r\n\t", "is empty"},
		"two words":        {"Token " + canary, "white space"},
		"two lines":        {canary + "\n" + canary, "white space"},
		"header injection": {canary + "\r\nX: y", "white space"},
		"UTF-16":           {"c\x004\x00n\x00a\x00r\x00y\x00", "control characters"},
		"delete":           {canary + "\x7f" + canary, "control characters"},
		"non-ASCII":        {canary + "é", "outside ASCII"},
		"bad UTF-8":        {canary + "\xff", "outside ASCII"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ingest.NewTokenCredential(c.token)
			var e *ingest.OptionError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || hint(err) == "" {
				t.Error(err)
			}
			noCanary(t, err)
			if err != nil && strings.Contains(err.Error(), "c4n") {
				t.Error("a part of the token is quoted")
			}
		})
	}
}
