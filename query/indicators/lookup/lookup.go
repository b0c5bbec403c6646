// Package lookup looks for indicators of compromise in a lake: the SQL beside
// package indicators, which knows what matches.
//
// # One pass
//
// The lake is read once, and of it the columns that the kinds of the set are looked
// for in. The engine hands their texts to a function in Go (query.TextFunction),
// which takes each apart and looks its hosts, addresses, names and hashes up in
// tables; what comes back is empty for nearly every row. So ten thousand indicators
// cost what ten do, ranges and parts of user agents among them, which no join by
// equality could find. Joining in SQL would need each row taken apart there, with
// the rules of package indicators written a second time.
//
// # No index
//
// A set of a few addresses does not go by the value index either. It knows ip,
// user_name and object_id by their whole value, and an address is also looked for in
// other_ips, behind ::ffff: and before a port, a domain inside of names: whatever
// a condition on the index left out would be a hit that is not found. Time does
// leave files out.
package lookup

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mdcalake/query"
	"mdcalake/query/indicators"
)

// Search is a set that is about to be looked for.
type Search struct {
	set     *indicators.Set
	matcher *indicators.Matcher
	spare   sync.Pool // of *indicators.Row
}

// New makes the tables of a set. raw: the text of records is looked into as well.
func New(s *indicators.Set, raw bool) (*Search, error) {
	m, err := indicators.NewMatcher(s, raw)
	if err != nil {
		return nil, err
	}
	return &Search{set: s, matcher: m, spare: sync.Pool{New: func() any { return new(indicators.Row) }}}, nil
}

// columns are what the function takes, in its order, and the SQL of each; texts of
// several are joined by separator.
var columns = []struct {
	of  indicators.Column // "": the time of the event
	sql string
}{
	{"", "CAST(epoch_us(timestamp) AS VARCHAR)"},
	{indicators.ColumnIP, "ip"},
	{indicators.ColumnOtherIPs, "array_to_string(other_ips, chr(31))"},
	{indicators.ColumnUserName, "user_name"},
	{indicators.ColumnActorName, "actor_name"},
	{indicators.ColumnAgent, "user_agent"},
	{indicators.ColumnObjectID, "object_id"},
	{indicators.ColumnIDs, "array_to_string(list_transform(objects, o -> o.id), chr(31))"},
	{indicators.ColumnNames, "array_to_string(list_transform(objects, o -> o.name), chr(31))"},
	{indicators.ColumnValues, "array_to_string(list_transform(objects, o -> o.value), chr(31))"},
	{indicators.ColumnRaw, "raw"},
}

// separator stands between texts that are handed over as one. A text with it inside
// is two.
const separator = "\x1f"

const (
	matchName = "ioc_match"
	tellName  = "ioc_tell"
)

// Functions are those that the engine needs, for query.Options.
func (s *Search) Functions() []query.TextFunction {
	return []query.TextFunction{
		{Name: matchName, Arguments: len(columns), Call: s.match},
		{Name: tellName, Arguments: 2, Call: s.tell},
	}
}

// hit is one as it goes through the engine.
type hit struct {
	I int               `json:"i"`
	C indicators.Column `json:"c"`
	V string            `json:"v"`
}

const hitType = `[{"i":"INTEGER","c":"VARCHAR","v":"VARCHAR"}]`

// match answers a row's hits as JSON, or nothing.
func (s *Search) match(of []string) (string, error) {
	r := s.spare.Get().(*indicators.Row)
	defer s.spare.Put(r)
	if of[0] != "" {
		at, err := strconv.ParseInt(of[0], 10, 64)
		if err != nil {
			return "", fmt.Errorf("%s: the time %q: %w", matchName, of[0], err)
		}
		r.At = time.UnixMicro(at)
	}
	r.IP, r.UserName, r.ActorName, r.UserAgent, r.ObjectID, r.Raw = of[1], of[3], of[4], of[5], of[6], of[10]
	r.OtherIPs = split(r.OtherIPs[:0], of[2])
	r.IDs, r.Names, r.Values = split(r.IDs[:0], of[7]), split(r.Names[:0], of[8]), split(r.Values[:0], of[9])
	var hits []hit
	s.matcher.Match(r, func(h indicators.Hit) { hits = append(hits, hit{h.Indicator, h.Column, h.Value}) })
	if hits == nil {
		return "", nil
	}
	text, err := json.Marshal(hits)
	return string(text), err
}

func split(into []string, text string) []string {
	for text != "" {
		var one string
		if one, text, _ = strings.Cut(text, separator); one != "" {
			into = append(into, one)
		}
	}
	return into
}

// tell answers what is known of an indicator: of a number, a member.
func (s *Search) tell(of []string) (string, error) {
	n, err := strconv.Atoi(of[0])
	if err != nil || n < 0 || n >= len(s.set.Indicators) {
		return "", fmt.Errorf("%s: there is no indicator %q", tellName, of[0])
	}
	i := s.set.Indicators[n]
	switch of[1] {
	case "kind":
		return string(i.Kind), nil
	case "value":
		return i.Value, nil
	case "comment":
		return i.Comment(), nil
	case "sources":
		text, err := json.Marshal(i.Places())
		return string(text), err
	}
	return "", fmt.Errorf("%s: an indicator has no %q", tellName, of[1])
}

// Request is where to look.
type Request struct {
	// Since and Until bound the time of the events; zero: open.
	Since, Until time.Time
	// Condition lets through, in SQL, what is looked at; empty: everything.
	Condition string
}

const (
	mostCited = 100 // activities of a hit
	mostNamed = 5   // users, apps, addresses and countries of one
)

// statement reads the lake. A hit is an indicator in a column.
func (s *Search) statement(r Request) string {
	arguments := make([]string, len(columns))
	for i, c := range columns {
		if arguments[i] = "''"; c.of != "" && s.matcher.Wants(c.of) || c.of == "" && s.matcher.Timed() {
			arguments[i] = c.sql
		}
	}
	match := matchName + "(" + strings.Join(arguments, ", ") + ")"
	var all []string
	if !r.Since.IsZero() {
		all = append(all, "timestamp >= "+string(query.Moment(r.Since)))
	}
	if !r.Until.IsZero() {
		all = append(all, "timestamp < "+string(query.Moment(r.Until)))
	}
	if r.Condition != "" {
		all = append(all, r.Condition)
	}
	where := ""
	if len(all) > 0 {
		where = " WHERE " + strings.Join(all, " AND ")
	}
	named := func(column string) string {
		return fmt.Sprintf("coalesce(list_sort(list(DISTINCT %[1]s) FILTER (%[1]s <> '')), CAST([] AS VARCHAR[])) AS all_%[1]s", column)
	}
	return `WITH looked AS (
  SELECT activity_id, timestamp, user_name, app_name, ip, country, ` + match + ` AS found FROM activities` + where + `
), hits AS (
  SELECT * EXCLUDE (found), unnest(from_json(found, ` + string(query.Text(hitType)) + `)) AS hit FROM looked WHERE found <> ''
)
SELECT hit.i AS i, hit.c AS matched, arg_min(hit.v, (timestamp, activity_id)) AS value,
  min(timestamp) AS first_seen, max(timestamp) AS last_seen, count(*) AS count,
  ` + named("user_name") + `, ` + named("app_name") + `, ` + named("ip") + `, ` + named("country") + `,
  min_by(activity_id, (timestamp, activity_id), ` + strconv.Itoa(mostCited) + `) AS activity_ids
FROM hits GROUP BY ALL`
}

// runs counts them: an engine's stages have names of their own.
var runs atomic.Int64

// Found is the answer, as a table of the engine.
type Found struct {
	// Hits are the rows: one for an indicator and a column.
	Hits int64
	// Matched is how many indicators of each kind have one.
	Matched map[indicators.Kind]int
	engine  *query.Engine
	table   string
}

// Find reads the lake. The engine was opened with the Functions of s.
func (s *Search) Find(ctx context.Context, e *query.Engine, r Request) (*Found, error) {
	f := &Found{engine: e, table: fmt.Sprintf("ioc_hits_%d", runs.Add(1)), Matched: map[indicators.Kind]int{}}
	stage, err := e.Stage(ctx, f.table, s.statement(r))
	if err != nil {
		return nil, fmt.Errorf("look for indicators: %w", err)
	}
	f.Hits = stage.Rows
	err = query.Each(ctx, e, "SELECT DISTINCT i FROM "+f.table, func(of struct{ I int }) error {
		f.Matched[s.set.Indicators[of.I].Kind]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Rows are the hits, by kind, indicator and column. The caller closes them. drawn:
// for people to look at, who see names in place of lists.
func (f *Found) Rows(ctx context.Context, drawn bool) (*query.Rows, error) {
	var fields []string
	for _, c := range []struct{ column, name string }{{"user_name", "user"}, {"app_name", "app"}, {"ip", "ip"}, {"country", "country"}} {
		plural := c.name + "s"
		if c.name == "country" {
			plural = "countries"
		}
		all := "all_" + c.column
		if drawn {
			fields = append(fields, fmt.Sprintf("array_to_string(%s[:2], ', ') || CASE WHEN len(%s) > 2 THEN format(' and {} more', len(%s) - 2) ELSE '' END AS %s", all, all, all, plural))
			continue
		}
		fields = append(fields, fmt.Sprintf("%s[:%d] AS %s, len(%s) AS %s_count", all, mostNamed, plural, all, c.name))
	}
	sources := "from_json(" + told("sources") + `, '["VARCHAR"]')`
	ids := "activity_ids"
	if drawn {
		sources = someOf(sources)
		ids = someOf(ids)
	}
	return f.engine.Query(ctx, "SELECT * FROM (SELECT "+told("value")+" AS indicator, "+told("kind")+" AS kind, matched, value, first_seen, last_seen, count, "+
		strings.Join(fields, ", ")+", "+told("comment")+" AS comment, "+sources+" AS sources, "+ids+" AS activity_ids FROM "+f.table+") ORDER BY kind, indicator, matched")
}

func told(member string) string {
	return tellName + "(CAST(i AS VARCHAR), " + string(query.Text(member)) + ")"
}

// someOf shows the first of a list and how many more there are.
func someOf(list string) string {
	return "(" + list + ")[1] || CASE WHEN len(" + list + ") > 1 THEN format(' and {} more', len(" + list + ") - 1) ELSE '' END"
}
