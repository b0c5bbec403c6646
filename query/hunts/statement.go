package hunts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mdcalake/query"
)

// From a hunt to one statement: the tables that its SQL sees in front of it, the
// common form of a finding around it.

// mostCited is how many activities a finding names.
const mostCited = 100

// column is the expression of a text of the record over activities, and its name.
func column(need string) string {
	return "raw_text(raw, '$.rawDataJson." + strings.TrimPrefix(need, "raw.") + "') AS " + quoted(need)
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// source is where events are read from: activities, or a stage that has the
// needed columns already.
type source struct {
	table  string
	staged bool
}

var theLake = source{table: "activities"}

// events is a SELECT of the needed columns of a stretch of time.
func (s source) events(needs []string, since, until time.Time, condition string) string {
	where := fmt.Sprintf("timestamp >= %s AND timestamp < %s", query.Moment(since), query.Moment(until))
	if condition != "" {
		where += " AND " + condition
	}
	if !s.staged {
		return taken(needs, where)
	}
	fields := make([]string, len(needs))
	for i, need := range needs {
		fields[i] = quoted(need)
	}
	return "SELECT " + strings.Join(fields, ", ") + " FROM " + s.table + " WHERE " + where
}

// taken is a SELECT of needed columns of activities. A record is taken apart once
// for all texts in it: each extraction by itself would parse it anew, and keep
// memory for the largest records it met.
func taken(needs []string, where string) string {
	var columns, paths []string
	for _, need := range needs {
		if strings.HasPrefix(need, "raw.") {
			paths = append(paths, need)
		} else {
			columns = append(columns, quoted(need))
		}
	}
	switch len(paths) {
	case 0:
		return "SELECT " + strings.Join(columns, ", ") + " FROM activities WHERE " + where
	case 1:
		return "SELECT " + strings.Join(append(columns, column(paths[0])), ", ") + " FROM activities WHERE " + where
	}
	inner := slices.Clone(columns)
	var texts []string
	for i, p := range paths {
		texts = append(texts, string(query.Text("$.rawDataJson."+strings.TrimPrefix(p, "raw."))))
		columns = append(columns, fmt.Sprintf("texts[%d] AS %s", i+1, quoted(p)))
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM (SELECT " +
		strings.Join(append(inner, "json_extract_string(raw, ["+strings.Join(texts, ", ")+"]) AS texts"), ", ") + " FROM activities WHERE " + where + ")"
}

// stageStatement is the one that reads what several plans need, once.
func stageStatement(plans []*Plan) string {
	var needs []string
	since, until := plans[0].from(), plans[0].Until
	for _, p := range plans {
		since, until = earlier(since, p.from()), later(until, p.Until)
		for _, need := range p.needs() {
			if !slices.Contains(needs, need) {
				needs = append(needs, need)
			}
		}
	}
	return taken(needs, fmt.Sprintf("timestamp >= %s AND timestamp < %s", query.Moment(since), query.Moment(until)))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// FindingColumns are those of a finding, in order.
var FindingColumns = []string{"hunt", "severity", "first_seen", "last_seen", "user_name", "ip", "country", "app_name", "count", "why", "activity_ids"}

// noFinding has the columns of a hunt's answer with their types: what an answer
// has in another type is cast or refused.
const noFinding = `SELECT NULL::VARCHAR AS severity, NULL::TIMESTAMPTZ AS first_seen, NULL::TIMESTAMPTZ AS last_seen, NULL::VARCHAR AS user_name, NULL::VARCHAR AS ip,
  NULL::VARCHAR AS country, NULL::VARCHAR AS app_name, NULL::BIGINT AS count, NULL::VARCHAR AS why, NULL::VARCHAR[] AS activity_ids WHERE false`

// statement is the whole of it, its findings in no order.
func (p *Plan) statement(from source) (string, error) {
	sql, err := query.Fill(strings.TrimRight(p.Hunt.SQL, " \t\r\n;"), p.values)
	if err != nil {
		return "", fmt.Errorf("hunt %s: %w", p.Hunt.Name, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "WITH hunted AS NOT MATERIALIZED (%s),\n", from.events(p.needs(), p.Since, p.Until, p.Allow.Condition()))
	if p.Hunt.Baseline > 0 {
		fmt.Fprintf(&b, "past AS NOT MATERIALIZED (%s),\n", from.events(p.needs(), p.from(), p.Since, ""))
	}
	fmt.Fprintf(&b, "found AS (\n%s\n),\nformed AS (%s UNION ALL BY NAME SELECT * FROM found)\n", sql, noFinding)
	fmt.Fprintf(&b, "SELECT %s AS hunt, %s AS severity, first_seen, last_seen, user_name, ip, country, app_name, count, why, list_slice(activity_ids, 1, %d) AS activity_ids FROM formed",
		query.Text(p.Hunt.Name), p.severity(), mostCited)
	return b.String(), nil
}

// SQL is the whole of it over the lake alone, to be read and changed by a person:
// it runs as it is.
func (p *Plan) SQL() (string, error) {
	sql, err := p.statement(theLake)
	return sql + "\nORDER BY " + strings.TrimSuffix(findingOrder, ", activity_ids") + ";", err
}

// severity is that of a finding, a step lower where the baseline is not whole: of
// a hunt that runs without one, what it finds does not rest on it alone.
func (p *Plan) severity() string {
	own := "coalesce(severity, " + string(query.Text(string(p.Hunt.Severity))) + ")"
	if p.Baseline.Whole() || p.Hunt.OptionalBaseline {
		return own
	}
	var b strings.Builder
	b.WriteString("CASE " + own)
	for _, s := range Severities {
		fmt.Fprintf(&b, " WHEN %s THEN %s", query.Text(string(s)), query.Text(string(s.Lower())))
	}
	return b.String() + " ELSE " + own + " END"
}

// findingOrder sorts findings: the gravest first, and always in the same way.
var findingOrder = func() string {
	var b strings.Builder
	b.WriteString("CASE severity")
	for i, s := range Severities {
		fmt.Fprintf(&b, " WHEN '%s' THEN %d", s, i)
	}
	return b.String() + " ELSE 9 END, hunt, first_seen, last_seen, user_name, ip, country, app_name, count, why, activity_ids"
}()
