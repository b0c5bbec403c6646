package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdcalake/store"
)

// The probe: five questions that show how the API of a tenant really behaves,
// where its documentation says nothing, or several things (ACTIVITIES_API 13).
// They read and change nothing. What is told of the answers has no value in it
// that names the tenant or anyone in it: names of members and types, counts,
// sizes and times.

// ProbeReport is what the questions brought to light. It can be shown to
// anybody.
type ProbeReport struct {
	Version  string      `json:"mdcalake"`
	Host     string      `json:"host"` // the pattern only
	SignIn   string      `json:"sign_in"`
	Asked    time.Time   `json:"asked"`
	Answers  []Probed    `json:"answers"`
	Findings []string    `json:"findings"`
	Feeds    []FeedShape `json:"feeds"` // top-level members of the records, by app
}

// Answered says whether any question was answered with a page.
func (r *ProbeReport) Answered() bool {
	return slices.ContainsFunc(r.Answers, func(a Probed) bool { return a.Error == "" })
}

// Probed is one question and what came of it.
type Probed struct {
	Question string   `json:"question"`
	Status   int      `json:"status"`             // of HTTP; 0: no answer
	Error    string   `json:"error,omitempty"`    // what went wrong, or what the API said
	Headers  []string `json:"headers,omitempty"`  // those that say how to go on
	Seconds  float64  `json:"seconds,omitempty"`  // until the body was complete
	Bytes    int      `json:"bytes,omitempty"`    // after decompression
	Records  int      `json:"records"`            // on the page
	HasNext  string   `json:"has_next,omitempty"` // true, false or missing
	Total    string   `json:"total,omitempty"`    // a number or missing
	Members  []string `json:"members,omitempty"`  // of the answer
	Cursor   string   `json:"next_query_filters,omitempty"`
}

// FeedShape is what the records of one app look like.
type FeedShape struct {
	AppID   int64    `json:"app_id"`
	Records int      `json:"records"`
	Members []string `json:"members"`         // on top
	Drift   []string `json:"drift,omitempty"` // columns that could not hold what came
}

// ProbeOptions say whom to ask.
type ProbeOptions struct {
	Client  *Client
	Version string
	Clock   Clock // nil: the system's
}

// Probe asks the five questions, through the client's limits. An error is one
// that leaves nothing to report: a sign-in that is refused, no answer at all.
func Probe(ctx context.Context, o ProbeOptions) (*ProbeReport, error) {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	now := o.Clock.Now()
	p := &probe{o: o, now: now, feeds: map[int64]*FeedShape{}, decoder: NewDecoder()}
	p.report = &ProbeReport{Version: o.Version, Host: hostPattern(o.Client.Host()), SignIn: o.Client.CredentialKind(), Asked: now.UTC().Truncate(time.Second)}
	err := p.ask(ctx)
	for _, id := range slices.Sorted(maps.Keys(p.feeds)) {
		p.report.Feeds = append(p.report.Feeds, *p.feeds[id])
	}
	return p.report, err
}

type probe struct {
	o       ProbeOptions
	now     time.Time
	report  *ProbeReport
	feeds   map[int64]*FeedShape
	decoder *Decoder
}

// serviceHosts are those of the service in its clouds; a tenant's is
// TENANT.REGION below one of them.
var serviceHosts = []string{"portal.cloudappsecurity.com", "portal.cloudappsecurity.us", "portal.cloudappsecuritygov.com"}

// hostPattern is a host without what names the tenant.
func hostPattern(host string) string {
	host = apiHost(host)
	for _, own := range serviceHosts {
		labels, found := strings.CutSuffix(host, own)
		switch names := strings.Split(labels, "."); {
		case found && labels == "":
			return own // of all tenants
		case found && len(names) > 2:
			return "TENANT." + names[len(names)-2] + "." + own
		case found && len(names) == 2:
			return "TENANT." + own
		}
	}
	if host == "localhost" {
		return host
	}
	return "another host"
}

// What names somebody in the text of an error, which may be the service's own.
var (
	mailAddress = regexp.MustCompile(`[\w.%+~-]+@[\w.-]+`)
	hostInText  = regexp.MustCompile(`(?:[\w-]+\.){2,}[A-Za-z][\w-]+(?::\d+)?|[\w-]+\.(?:com|net|org|gov|edu|io|us)\b|(?:\d+\.){3}\d+(?::\d+)?|\[[0-9A-Fa-f:.%]+\](?::\d+)?`)
	idInText    = regexp.MustCompile(`[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|\b(?:[0-9A-Fa-f]{16,}|\d{6,})\b`)
)

// impersonal is a text without hosts, addresses and ids.
func impersonal(text string) string {
	text = mailAddress.ReplaceAllLiteralString(text, "<name>")
	text = hostInText.ReplaceAllStringFunc(text, hostPattern)
	return idInText.ReplaceAllLiteralString(text, "<id>")
}

// ask sends the questions, each of which may build on those before.
func (p *probe) ask(ctx context.Context) error {
	since := p.now.Add(-7 * day).UnixMilli()
	// 1: the largest page of a scan, and its cursor.
	first, err := p.question(ctx, "scan by POST, date.gte 7 days ago, ascending, limit 5000", http.MethodPost, p.o.Client.endpoint,
		scanBody(fmt.Sprintf(`{"date":{"gte":%d}}`, since), 5000, SortDate))
	if err != nil {
		return err
	}
	p.ceiling("scan by POST", first, 5000)
	p.clocks(first)
	// 2: along save time, within the dates that the route shows, as a tail asks: a
	// question without a date or an app is said to be throttled sooner.
	saved, err := p.question(ctx, "scan by POST, date.gte 30 days ago, created.gte a day ago, sorted by created, limit 500", http.MethodPost, p.o.Client.endpoint,
		scanBody(fmt.Sprintf(`{"date":{"gte":%d},"created":{"gte":%d}}`, p.now.Add(-doorSpan).UnixMilli(), p.now.Add(-day).UnixMilli()), 500, SortCreated))
	if err != nil {
		return err
	}
	p.savedOrder(saved)
	// 3: by GET, with days for a bound.
	query := url.Values{"filters": {`{"date":{"gte_ndays":7}}`}, "isScan": {"true"}, "limit": {"5000"}, "sortField": {string(SortDate)}, "sortDirection": {"asc"}}
	get, err := p.question(ctx, "scan by GET, date.gte_ndays 7, ascending, limit 5000", http.MethodGet, p.o.Client.endpoint+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	p.ceiling("scan by GET", get, 5000)
	// 4: what a cursor brings.
	if err := p.cursor(ctx, first, saved, get); err != nil {
		return err
	}
	// 5: the archived route.
	archived, err := p.question(ctx, "archived route, date.range of a day 40 days ago, limit 500", http.MethodPost, p.o.Client.archived,
		fmt.Appendf(nil, `{"filters":{"date":{"range":[{"start":%d,"end":%d}]}},"skip":0,"limit":500,"sortField":"date","sortDirection":"asc"}`,
			p.now.Add(-40*day).UnixMilli(), p.now.Add(-39*day).UnixMilli()))
	if err != nil {
		return err
	}
	switch {
	case archived.page != nil:
		p.find("the archived route answers this credential: %d records", len(archived.page.Records))
	default:
		p.find("the archived route does not answer this credential with a page")
	}
	return nil
}

// cursor asks by the cursor of the first scan, or where that had none, by that
// of another one: a page by GET is full where a tenant's week fits into one by POST.
func (p *probe) cursor(ctx context.Context, first, saved, get *probed) error {
	for _, from := range []struct {
		page *probed
		sort SortField
		what string
	}{{first, SortDate, "the first question"}, {saved, SortCreated, "the second question"}, {get, SortDate, "the third question, by POST,"}} {
		if from.page.page == nil || !usableCursor(from.page.page.NextQueryFilters) {
			continue
		}
		next, err := p.question(ctx, from.what+" again, by its nextQueryFilters, limit 500", http.MethodPost, p.o.Client.endpoint, scanBody(string(from.page.page.NextQueryFilters), 500, from.sort))
		if err == nil {
			p.seam(from.page, next, from.sort)
		}
		return err
	}
	switch {
	case first.page == nil && saved.page == nil && get.page == nil:
		p.find("no scan was answered with a page, so no cursor could be tried")
	default:
		p.find("no scan had a cursor, so none could be tried")
	}
	return nil
}

func scanBody(filters string, limit int, sort SortField) []byte {
	return fmt.Appendf(nil, `{"filters":%s,"isScan":true,"limit":%d,"sortField":"%s","sortDirection":"asc"}`, filters, limit, sort)
}

func (p *probe) find(format string, args ...any) {
	p.report.Findings = append(p.report.Findings, fmt.Sprintf(format, args...))
}

// probed is an answer with its page, if it is one, and the times of its rows.
type probed struct {
	*Probed
	page *Page
	rows []probedRow // those that could be read
}

type probedRow struct {
	id                 string
	timestamp, created int64
}

// question sends one question once and tells of the answer. The first one must
// be answered: there is nothing to tell otherwise.
func (p *probe) question(ctx context.Context, what, method, address string, body []byte) (*probed, error) {
	first := len(p.report.Answers) == 0
	a := &probed{Probed: &Probed{Question: what, HasNext: "missing", Total: "missing"}}
	answer, err := p.o.Client.once(ctx, ask{method: method, url: address, body: body, most: p.o.Client.options.MaxBody})
	var status *StatusError
	var unreachable *UnreachableError
	var slow *ThrottledError
	switch {
	case ctx.Err() != nil, first && (errors.Is(err, ErrSignInRefused) || errors.As(err, &unreachable)):
		return nil, err
	case errors.As(err, &status):
		a.Status, a.Error = status.Status, impersonal(err.Error())
	case errors.As(err, &slow): // nobody has written down what this looks like
		a.Status, a.Error = slow.status, impersonal(fmt.Sprintf("%s (Retry-After: %s)", err, cmp.Or(slow.retryAfter, "none")))
	case err != nil:
		a.Error = impersonal(err.Error())
	default:
		p.tell(a, answer)
	}
	p.report.Answers = append(p.report.Answers, *a.Probed)
	return a, nil
}

// tell takes from an answer what may be told of it.
func (p *probe) tell(a *probed, answer *Answer) {
	page := answer.Page
	a.Status, a.Bytes, a.Seconds, a.Records = answer.Status, len(answer.Body), answer.Took.Seconds(), len(page.Records)
	a.Headers, a.Members = headersOf(answer), memberNames(answer.Body)
	if page.HasNextPresent {
		a.HasNext = strconv.FormatBool(page.HasNext)
	}
	if page.TotalPresent {
		a.Total = "a number"
	}
	if page.NextQueryFilters != nil {
		a.Cursor = typesIn(page.NextQueryFilters)
	}
	if page.DataPresent {
		a.page = page
		page.Offset = answer.Offset
		p.look(a)
	}
}

// headersOf are the names of an answer's headers, with the values of those that
// say nothing of the tenant.
func headersOf(answer *Answer) (all []string) {
	for name, values := range answer.Header {
		lower := strings.ToLower(name)
		if lower == "content-type" || lower == "retry-after" || strings.Contains(lower, "ratelimit") || lower == "transfer-encoding" {
			name += ": " + impersonal(shortLine(strings.Join(values, ", "), ""))
		}
		all = append(all, name)
	}
	if answer.Compressed {
		all = append(all, "Content-Encoding: gzip")
	}
	slices.Sort(all)
	return all
}

// look takes from the records what may be told of them.
func (p *probe) look(a *probed) {
	var row store.Row
	for _, record := range a.page.Records {
		if err := p.decoder.Decode(record, &row); err != nil {
			continue
		}
		a.rows = append(a.rows, probedRow{
			id: string(row.Bytes(row.Strings[store.ActivityID])), timestamp: row.Numbers[store.Timestamp], created: row.Numbers[store.Created],
		})
		app := row.Numbers[store.AppID]
		feed := p.feeds[app]
		if feed == nil {
			feed = &FeedShape{AppID: app}
			p.feeds[app] = feed
		}
		feed.Records++
		feed.Members = union(feed.Members, memberNames(record))
		for i, c := range store.Columns {
			if row.Drift&(1<<i) != 0 {
				feed.Drift = union(feed.Drift, []string{c.Name})
			}
		}
	}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// ceiling tells how many records a page had that was asked for many.
func (p *probe) ceiling(what string, a *probed, asked int) {
	if a.page == nil {
		return
	}
	switch {
	case a.page.HasNext:
		p.find("%s gave %d records where %d were asked for and more remained", what, a.Records, asked)
	default:
		p.find("%s gave all its %d records on one page: its ceiling is at least that", what, a.Records)
	}
}

// clocks tells how the server's clock stands to ours.
func (p *probe) clocks(a *probed) {
	if a.page == nil {
		return
	}
	if a.page.Date.IsZero() {
		p.find("the API sends no Date header")
		return
	}
	switch offset := a.page.Offset.Round(time.Second); { // Date has whole seconds
	case offset.Abs() <= time.Second:
		p.find("the server's clock and this machine's agree")
	case offset > 0:
		p.find("the server's clock is %s ahead of this machine's", offset)
	default:
		p.find("the server's clock is %s behind this machine's", -offset)
	}
	if n := len(a.rows); n > 0 {
		last := slices.MaxFunc(a.rows, func(x, y probedRow) int { return cmp.Compare(x.created, y.created) })
		if ahead := time.UnixMilli(last.created).Sub(a.page.Date); ahead > time.Second { // a Date header has no parts of one
			p.find("a record was saved %s after the server's own clock", ahead.Round(time.Millisecond))
		}
	}
}

// seam tells where a page ends and the next one begins.
func (p *probe) seam(first, second *probed, sort SortField) {
	if len(first.rows) == 0 || len(second.rows) == 0 {
		return
	}
	along := func(r probedRow) int64 {
		if sort == SortCreated {
			return r.created
		}
		return r.timestamp
	}
	last, next := along(first.rows[len(first.rows)-1]), along(second.rows[0])
	ids := map[string]bool{}
	for _, r := range first.rows {
		ids[r.id] = true
	}
	again, same := 0, 0
	for _, r := range second.rows {
		if ids[r.id] {
			again++
		}
		if along(r) == next {
			same++
		}
	}
	p.find("by %s, the next page begins %d ms after the last record of the one before, with %d records of one millisecond; %d of its records were on the one before, too", sort, next-last, same, again)
}

// savedOrder tells whether created can be sorted and bounded by.
func (p *probe) savedOrder(a *probed) {
	if a.page == nil {
		return
	}
	sorted := slices.IsSortedFunc(a.rows, func(x, y probedRow) int { return cmp.Compare(x.created, y.created) })
	byTime := slices.IsSortedFunc(a.rows, func(x, y probedRow) int { return cmp.Compare(x.timestamp, y.timestamp) })
	before := 0
	for _, r := range a.rows {
		if r.created < p.now.Add(-day).UnixMilli() {
			before++
		}
	}
	p.find("sorted by created: %t (by date: %t), %d of %d records saved before the bound", sorted, byTime, before, len(a.rows))
}

// memberNames are the names of an object's members, hashed where they are no
// plain words: they could be anything. nil for what is no object.
func memberNames(object []byte) (names []string) {
	e := envelope{b: bytes.TrimPrefix(object, []byte("\ufeff"))}
	if e.peek() != '{' {
		return nil
	}
	if e.members(func(name string) error {
		if name != "_id" { // which is no field of a filter, and no secret
			name = ledgerWord(name)
		}
		names = append(names, name)
		_, err := e.value()
		return err
	}) != nil {
		return nil
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// typesIn is JSON with types in the place of values.
func typesIn(text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return "no JSON"
	}
	return typesOf(v, 0)
}

func typesOf(v any, depth int) string {
	if depth > 6 {
		return "..."
	}
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, ledgerWord(name)+": "+typesOf(v[name], depth+1))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return "[" + typesOf(v[0], depth+1) + "]"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
		return "int"
	case string:
		return "text"
	case bool:
		return "bool"
	}
	return "null"
}
