package timeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mdcalake/query"
	"mdcalake/store"
)

// notTold are columns that no telling has: the record itself is most of a lake's
// bytes, and the day says again what the timestamp says.
var notTold = []string{"raw", "raw_original", "content_hash", "date"}

// columns are those of activities that machines get with each event.
func columns() []string {
	var names []string
	for _, c := range store.Columns {
		if !slices.Contains(notTold, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// needed are those that a story for people is made of.
var needed = []string{"activity_id", "timestamp", "created", "service", "app_name", "event_type_value", "event_type_name", "action", "activity_kind", "is_success", "result_message",
	"user_name", "actor_id", "actor_name", "ip", "country", "city", "isp"}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quotedAll(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = quoted(n)
	}
	return strings.Join(all, ", ")
}

// within is a stretch of event time.
func within(since, until time.Time) string {
	return fmt.Sprintf("timestamp >= %s AND timestamp < %s", query.Moment(since), query.Moment(until))
}

// eventsStatement reads the activities for which the condition holds, with what
// sentences are made of.
func eventsStatement(where string, wide bool) string {
	names := needed
	if wide {
		names = columns()
	}
	return "SELECT *, " + target() + " AS target_name FROM (\n  SELECT " + quotedAll(names) + ",\n" +
		deedNumber + " AS deed,\n" + targetName + " AS object_name,\n" + clientName + " AS client,\n" + placeName + " AS place,\n" + appShort + " AS app_short, " + known("ip") + " AS address\n" +
		"  FROM activities WHERE " + where + ")"
}

// pastStatement reads of the past what is compared with.
func pastStatement(condition string, since, until time.Time) string {
	return "SELECT timestamp, upper(" + known("country") + ") AS country, lower(" + known("isp") + ") AS isp, lower(" + clientName + ") AS client, lower(" + known("app_name") + ") AS app, lower(" + known(`"action"`) + ") AS action" +
		" FROM activities WHERE " + within(since, until) + " AND " + condition
}

// novelty is what may be new of an activity: its name for people, and the value as it
// is shown, of the numbered events, and as it is compared, of both tables.
type novelty struct{ name, shown, compared, past string }

var novelties = []novelty{
	{"country", "country", "upper(country)", "country"},
	{"ISP", "isp", "lower(isp)", "isp"},
	{"client", "client", "lower(client)", "client"},
	{"app", "app_name", "lower(app_name)", "app"},
	{"action", "action", "lower(action)", "action"},
}

// numberedStatement puts the events in order: their number, their session, and what
// may be new. One entity's sessions end where it is silent for longer than gap; a
// session_id is one.
func numberedStatement(events string, kind Kind, gap time.Duration) string {
	session := fmt.Sprintf("1 + sum(CASE WHEN timestamp - before > %s THEN 1 ELSE 0 END) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING)", query.Span(gap))
	silence := fmt.Sprintf("CASE WHEN timestamp - before > %s THEN epoch_us(timestamp) // 1000 - epoch_us(before) // 1000 END", query.Span(gap))
	if kind == Session {
		session, silence = "1", "NULL"
	}
	return "SELECT activity_id, n, CAST(" + session + " AS BIGINT) AS session, timestamp, before, CAST(" + silence + " AS BIGINT) / 1000 AS silence_seconds, country, isp, client, app_name, app_short, action, address, place, who FROM (\n" +
		"  SELECT activity_id, timestamp, " + known("country") + " AS country, " + known("isp") + " AS isp, client, " + known("app_name") + " AS app_name, app_short, " + known(`"action"`) + " AS action, address, place, " +
		"coalesce(" + known("user_name") + ", " + known("actor_name") + ", " + known("actor_id") + ") AS who, row_number() OVER w AS n, lag(timestamp) OVER w AS before\n" +
		"  FROM " + events + " WINDOW w AS (ORDER BY timestamp, created NULLS FIRST, activity_id))"
}

// newsStatement is what is new, at the event that first has it. past: empty when
// there is nothing to compare with.
func newsStatement(numbered, past string) string {
	if past == "" {
		return "SELECT NULL::BIGINT AS n, NULL::VARCHAR[] AS new WHERE false"
	}
	var all []string
	for i, v := range novelties {
		all = append(all, fmt.Sprintf("SELECT min(n) AS n, %d AS place, %s || arg_min(%s, n) AS what FROM %s WHERE %s IS NOT NULL AND %s NOT IN (SELECT %s FROM %s WHERE %s IS NOT NULL) GROUP BY %s",
			i, query.Text(v.name+" "), v.shown, numbered, v.shown, v.compared, v.past, past, v.past, v.compared))
	}
	return "SELECT n, list(what ORDER BY place) AS new FROM (" + strings.Join(all, "\n UNION ALL ") + ") GROUP BY n"
}

// shownValues is how many values of a kind the head of a session has.
const shownValues = 4

// facets are what the head of a session lists.
var facets = []struct{ name, value string }{{"users", "who"}, {"places", "place"}, {"addresses", "address"}, {"apps", "app_short"}, {"clients", "client"}}

// sessionsStatement is a row for each session: its bounds, and of each facet the
// first values and how many there are.
func sessionsStatement(numbered string) string {
	var values, fields []string
	for i, f := range facets {
		values = append(values, fmt.Sprintf("SELECT session, %d AS facet, arg_min(%s, n) AS value, min(n) AS first_n FROM %s WHERE %s IS NOT NULL GROUP BY session, lower(%s)", i, f.value, numbered, f.value, f.value))
		fields = append(fields, fmt.Sprintf("list(value ORDER BY rank) FILTER (facet = %d AND rank <= %d) AS %s, coalesce(max(rank) FILTER (facet = %d), 0) AS %s_count", i, shownValues, f.name, i, f.name))
	}
	return "SELECT * FROM (SELECT session, min(n) AS first_n, count(*) AS events, min(timestamp) AS begins, max(timestamp) AS ends FROM " + numbered + " GROUP BY session)\n" +
		" LEFT JOIN (SELECT session, " + strings.Join(fields, ", ") + " FROM (SELECT *, row_number() OVER (PARTITION BY session, facet ORDER BY first_n) AS rank FROM (" + strings.Join(values, " UNION ALL ") + ")) GROUP BY session) USING (session)"
}

// usualStatement is how long the longest silence of a week usually is: the median of
// the weeks, counted back from the window's end, over the window and the past. A
// silence is in the week in which it ends. Holes are no silences, nor is what
// reaches into one.
func usualStatement(numbered, past string, until time.Time, gap time.Duration, holes []store.Hole) string {
	times := "SELECT timestamp FROM " + numbered
	if past != "" {
		times += " UNION ALL SELECT timestamp FROM " + past
	}
	collected := ""
	if len(holes) > 0 {
		var rows []string
		for _, h := range holes {
			rows = append(rows, fmt.Sprintf("(%s, %s)", query.Moment(h.Since), query.Moment(h.Until)))
		}
		collected = " AND NOT EXISTS (SELECT 1 FROM (VALUES " + strings.Join(rows, ", ") + ") h(since, until) WHERE h.since < timestamp AND h.until > before)"
	}
	return fmt.Sprintf("SELECT count(*) AS weeks, coalesce(median(longest), 0.0) AS usual FROM (SELECT floor(date_diff('second', timestamp, %s) / 604800.0) AS week, max(epoch_us(timestamp) - epoch_us(before)) AS longest"+
		" FROM (SELECT timestamp, lag(timestamp) OVER (ORDER BY timestamp) AS before FROM (%s)) WHERE timestamp - before > %s%s GROUP BY week)", query.Moment(until), times, query.Span(gap), collected)
}

// storyStatement are the parts of a story for people, in order of n.
func storyStatement(events, numbered, news, sessions string, most int64) string {
	return "SELECT e.n, e.session, epoch_us(e.timestamp) AS \"at\", verb, target, phrase, many, behind, e.who, isp, app, kind, new,\n" +
		"  events, epoch_us(begins) AS begins, epoch_us(ends) AS ends, " + facetFields("s") + "\n" +
		"FROM (SELECT n, session, o.timestamp, o.isp, o.app_name AS app, o.action AS kind, parts.* EXCLUDE (activity_id) FROM " + numbered + " o JOIN (SELECT activity_id, " + told + " FROM " + events + ") parts USING (activity_id)" + limit(most) + ") e\n" +
		"LEFT JOIN " + news + " w ON w.n = e.n LEFT JOIN " + sessions + " s ON s.first_n = e.n ORDER BY e.n"
}

func facetFields(of string) string {
	var all []string
	for _, f := range facets {
		all = append(all, of+"."+f.name+", "+of+"."+f.name+"_count")
	}
	return strings.Join(all, ", ")
}

// limit lets the first events through; 0: all.
func limit(most int64) string {
	if most == 0 {
		return ""
	}
	return fmt.Sprintf(" WHERE n <= %d", most)
}

// rowsStatement is an event a row, for machines.
func rowsStatement(events, numbered, news string, most int64, fields string) string {
	return "SELECT " + fields + "\nFROM (SELECT o.n, o.session, o.silence_seconds, e.*, " + told + " FROM " + events + " e JOIN (SELECT activity_id, n, session, silence_seconds FROM " + numbered + limit(most) + ") o USING (activity_id)) t\n" +
		"LEFT JOIN (SELECT n AS of_n, new FROM " + news + ") w ON w.of_n = t.n ORDER BY t.n"
}

// eventFields are those of jsonl. silence_seconds is at the first event of a
// session: since the one before.
func eventFields(subject bool) string {
	names := slices.DeleteFunc(columns(), func(name string) bool { return name == "timestamp" || name == "activity_id" })
	return `"timestamp", session, ` + sentence(subject) + " AS sentence, coalesce(new, []) AS new, activity_id, " +
		"silence_seconds, " + quotedAll(names)
}

// timesketchFields are those of an event of Timesketch.
func timesketchFields() string {
	names := slices.DeleteFunc(columns(), func(name string) bool { return name == "timestamp" || name == "activity_id" })
	message := sentence(true) + " || coalesce(' [new: ' || array_to_string(new, ', ') || ']', '')"
	return query.TimesketchFields(message) + ", session, coalesce(new, []) AS new, activity_id, " + quotedAll(names)
}
