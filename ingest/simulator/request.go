package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// maxRequestBody is far beyond what a query can need.
const maxRequestBody = 1 << 20

// listRequest is a query as the caller meant it, whichever form it came in.
type listRequest struct {
	filters     []byte // JSON text of the object; empty if none
	scan        bool
	saved       bool // sortField created
	ascending   bool
	limit, skip int
	hasLimit    bool
	asyncTotal  bool // the portal's performAsyncTotal
}

// readRequest takes the query from the URL, and from the body in whatever form
// that has. The body wins.
func readRequest(r *http.Request, body []byte) (*listRequest, error) {
	q := &listRequest{}
	if err := q.form(r.URL.Query()); err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return q, nil
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	first := bytes.TrimSpace(body)[0]
	switch {
	case kind == "multipart/form-data":
		form, err := readMultipart(body, params["boundary"])
		if err != nil {
			return nil, &invalid{"body"}
		}
		return q, q.form(form)
	case kind == "application/x-www-form-urlencoded" && first != '{':
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, &invalid{"body"}
		}
		return q, q.form(form)
	}
	members, err := parseMembers(body)
	if err != nil {
		return nil, &invalid{"body"}
	}
	for _, m := range members {
		if err := q.set(m.key, m.value); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func readMultipart(body []byte, boundary string) (url.Values, error) {
	if boundary == "" {
		return nil, fmt.Errorf("no boundary")
	}
	form := url.Values{}
	mr := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := mr.NextPart()
		if err == io.EOF {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		form.Add(part.FormName(), string(text))
	}
}

func (q *listRequest) form(values url.Values) error {
	for key := range values {
		text := values.Get(key)
		raw := []byte(text)
		if key != "filters" {
			raw = appendText(nil, text)
		}
		if err := q.set(key, raw); err != nil {
			return err
		}
	}
	return nil
}

// set takes one member of a query, value as JSON. Members it does not know are
// passed over, as the API does.
func (q *listRequest) set(key string, value []byte) error {
	v, err := decode(value)
	if err != nil {
		return &invalid{key}
	}
	switch key {
	case "filters":
		return q.setFilters(v, value)
	case "isScan":
		q.scan = strings.EqualFold(textOf(v), "true")
	case "performAsyncTotal":
		q.asyncTotal = strings.EqualFold(textOf(v), "true")
	case "sortField":
		switch textOf(v) {
		case "", "date":
			q.saved = false
		case "created":
			q.saved = true
		default:
			return &invalid{textOf(v)}
		}
	case "sortDirection":
		switch strings.ToLower(textOf(v)) {
		case "", "desc":
			q.ascending = false
		case "asc":
			q.ascending = true
		default:
			return &invalid{textOf(v)}
		}
	case "limit", "skip":
		if v == nil {
			return nil
		}
		n, err := number(v)
		if err != nil || n < 0 || n > 1<<31 {
			return &invalid{textOf(v)}
		}
		if key == "skip" {
			q.skip = int(n)
		} else {
			q.limit, q.hasLimit = int(n), true
		}
	}
	return nil
}

// setFilters accepts an object, or text that holds one.
func (q *listRequest) setFilters(v any, raw []byte) error {
	switch v := v.(type) {
	case nil:
		q.filters = nil
	case map[string]any:
		q.filters = bytes.Clone(bytes.TrimSpace(raw))
	case string:
		if strings.TrimSpace(v) == "" {
			q.filters = nil
			return nil
		}
		if !json.Valid([]byte(v)) || !strings.HasPrefix(strings.TrimSpace(v), "{") {
			return &invalid{"filters"}
		}
		q.filters = []byte(strings.TrimSpace(v))
	default:
		return &invalid{"filters"}
	}
	return nil
}
