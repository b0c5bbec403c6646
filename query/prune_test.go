package query

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mdcalake/store"
)

var pruneStatements = flag.Int("prune.statements", 300, "how many statements are answered with the chosen files and with all")

// pruneBench is an instance that answers many statements, each with the files that
// were chosen for it and with all.
type pruneBench struct {
	t  *testing.T
	e  *Engine
	in *instance
}

func newPruneBench(t *testing.T, s *store.Snapshot) *pruneBench {
	t.Helper()
	b := &pruneBench{t: t, e: openEngine(t, s)}
	b.e.planFor = time.Minute // a busy machine is not what is tested
	var err error
	if b.in, err = b.e.takeInstance(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.in.close() })
	if err := b.e.furnish(t.Context(), b.in, b.question("")); err != nil {
		t.Fatal(err)
	}
	b.exec("SET parquet_metadata_cache = true") // the same few files, again and again
	// A view such as a table of another product's names would be.
	b.exec(`CREATE VIEW hunting AS SELECT activity_id AS "ReportId", timestamp AS "Timestamp", user_name AS "AccountDisplayName", lower(user_name) AS account,
		ip AS "IPAddress", service AS "ApplicationId", date AS d, timestamp::DATE AS day, raw::JSON AS "RawEventData", created AS "Saved", session_id AS "SessionId" FROM activities`)
	b.exec(`CREATE VIEW recent AS SELECT * FROM hunting WHERE "ApplicationId" <> 11161`)
	return b
}

func (b *pruneBench) question(sql string) *question {
	return &question{sql: sql, run: sql, plan: sql, tree: treeFacts{every: true}}
}

func (b *pruneBench) exec(sql string, args ...any) {
	b.t.Helper()
	if err := b.in.exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// name gives a table its files.
func (b *pruneBench) name(t *lakeTable, files []store.File) {
	b.t.Helper()
	tpl, err := b.e.template(t)
	if err != nil {
		b.t.Fatal(err)
	}
	paths := []string{tpl.path}
	if len(files) > 0 {
		paths = nil
		for _, f := range files {
			paths = append(paths, f.Path)
		}
	}
	b.exec("SET VARIABLE "+t.variable()+" = $1", paths)
}

func (b *pruneBench) nameAll(f files) {
	for _, t := range lakeTables {
		b.name(t, f[t])
	}
}

// rows is an answer, its rows in order.
func (b *pruneBench) rows(ctx context.Context, sql string) (lines []string, err error) {
	rows, err := b.in.conn.QueryContext(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprint(values...))
	}
	slices.Sort(lines)
	return lines, rows.Err()
}

// compare answers a statement both ways. It says how many files were left out,
// and whether it has an answer at all.
func (b *pruneBench) compare(sql string) (left int, answered bool) {
	t, ctx := b.t, b.t.Context()
	t.Helper()
	every := b.every()
	b.nameAll(nil)
	b.exec("BEGIN TRANSACTION")
	defer func() { b.exec("ROLLBACK") }()
	c, err := b.e.choose(ctx, b.in, b.question(sql))
	if err != nil {
		t.Fatalf("%s\n%v", sql, err)
	}
	b.nameAll(every)
	want, err := b.rows(ctx, sql)
	if err != nil {
		return 0, false // an error of the statement's own: values that cannot be cast
	}
	b.nameAll(c.files)
	got, err := b.rows(ctx, sql)
	if err != nil {
		t.Errorf("%s\nwith the chosen files: %v", sql, err)
		return 0, true
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\n%d rows with the chosen files, %d with all; %+v\n%.300q\n%.300q", sql, len(got), len(want), c.pruning, got, want)
	}
	return len(every[lakeTables[0]]) - len(c.files[lakeTables[0]]), true
}

// TestPrunedAnswersAreTheSame is what pruning stands on.
func TestPrunedAnswersAreTheSame(t *testing.T) {
	s := openLake(t, writePruneLake(t, t.TempDir()))
	if len(s.Revisions) == 0 {
		t.Fatal("no record was replaced")
	}
	// A file that nothing is known of, and one that the index does not know.
	odd := *s
	odd.Files = slices.Clone(s.Files)
	odd.Files[7].Stats = store.Stats{}
	odd.Files[8].Version = 1 << 40
	comparePruned(t, &odd, *pruneStatements)
}

// TestPrunedAnswersOfThePastAreTheSame: there activities is read from revisions
// as well.
func TestPrunedAnswersOfThePastAreTheSame(t *testing.T) {
	lake, err := store.Open(writePruneLake(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	s, err := lake.AsOf(t.Context(), pruneWritten)
	if err != nil {
		t.Fatal(err)
	}
	if s.AsOf.IsZero() || len(s.Revisions) == 0 {
		t.Fatalf("as of %s: %d files of revisions", s.AsOf, len(s.Revisions))
	}
	comparePruned(t, s, *pruneStatements/3)
}

func comparePruned(t *testing.T, s *store.Snapshot, statements int) {
	b := newPruneBench(t, s)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := statementMaker{rand.New(rand.NewPCG(seed, 0)), s, time.Now()}
	pruned, answered := 0, 0
	for n := range statements {
		sql := g.statement()
		left, ok := b.compare(sql)
		if ok {
			answered++
		}
		if left > 0 {
			pruned++
		}
		if ok && n%5 == 0 {
			b.compareBound(sql, g)
		}
		if t.Failed() {
			t.Fatalf("statement %d", n)
		}
	}
	t.Logf("%d statements, %d with an answer, %d pruned", statements, answered, pruned)
	if answered < statements*9/10 || pruned < statements/20 { // about a third is, of the past a quarter
		t.Errorf("of %d statements %d have an answer and %d are pruned: they say nothing", statements, answered, pruned)
	}
}

// compareBound asks a statement with parameters in the place of some values.
func (b *pruneBench) compareBound(sql string, g statementMaker) {
	b.t.Helper()
	asking, given := g.withParameters(sql)
	bound, _, err := b.e.Bind(b.t.Context(), asking, given)
	if err != nil {
		b.t.Fatalf("%s\n%v\n%v", asking, given, err)
	}
	b.nameAll(b.every())
	want, err := b.rows(b.t.Context(), sql)
	if err != nil {
		b.t.Fatalf("%s\n%v", sql, err)
	}
	got, err := b.rows(b.t.Context(), bound)
	if err != nil || !slices.Equal(got, want) {
		b.t.Errorf("%s\n%s\n%v: %d rows in place of %d (%v)", sql, asking, given, len(got), len(want), err)
	}
	b.compare(bound)
}

func (b *pruneBench) every() files {
	every := files{}
	for _, table := range lakeTables {
		every[table] = table.files(b.e.snapshot)
	}
	return every
}

// withParameters puts $1, $2, ... in the place of texts, where DuckDB takes them.
func (g statementMaker) withParameters(sql string) (string, []Parameter) {
	var b strings.Builder
	var given []Parameter
	last, behindWord := 0, false
	for _, t := range lex(sql) {
		if t.kind == text && !behindWord && g.IntN(2) == 0 {
			p := Parameter{Name: strconv.Itoa(len(given) + 1), Value: strings.ReplaceAll(sql[t.start+1:t.end-1], "''", "'")}
			given = append(given, p)
			b.WriteString(sql[last:t.start] + "$" + p.Name)
			last = t.end
		}
		// DATE '...' and the pattern of SIMILAR TO are literals.
		behindWord = t.kind == word && !slices.Contains([]string{"and", "between", "like", "ilike", "in"}, strings.ToLower(sql[t.start:t.end]))
	}
	return b.String() + sql[last:], given
}

// statementMaker makes statements of all shapes, with values that some records
// have and that none has.
type statementMaker struct {
	*rand.Rand
	s   *store.Snapshot
	now time.Time
}

func (g statementMaker) one(of ...string) string { return of[g.IntN(len(of))] }

func (g statementMaker) file() store.File { return g.s.Files[g.IntN(len(g.s.Files))] }

func (g statementMaker) date() string {
	return pruneDay.AddDate(0, 0, g.IntN(pruneDays+4)-2).Format(time.DateOnly)
}

// moment is often at the edge of a file.
func (g statementMaker) moment() string {
	f := g.file()
	ms := []int64{f.Stats.Timestamp.Min, f.Stats.Timestamp.Max, f.Stats.Created.Min, f.Stats.Created.Max, int64(f.Partition.Day) * dayMillis}[g.IntN(5)]
	if ms < 1e12 || ms > 2e12 {
		ms = pruneDay.UnixMilli()
	}
	t := time.UnixMilli(ms).Add([]time.Duration{0, time.Microsecond, -time.Microsecond, time.Millisecond, -time.Millisecond, 7 * time.Hour}[g.IntN(6)])
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}

func (g statementMaker) service() string {
	return g.one("11161", "20892", "20893", "20894", "0", "-5")
}

func (g statementMaker) op() string { return g.one("=", "<", "<=", ">", ">=", "=", "<>") }

// text is a value for a column, or nearly one.
func (g statementMaker) text(column string) string {
	f := g.file()
	var v string
	switch column {
	case "activity_id":
		v = fmt.Sprintf("Id-%d-%d-%d-%d", g.IntN(3), g.IntN(pruneDays+1), f.Partition.Service, g.IntN(5))
	case "user_name":
		v = g.one(append(pruneUsers, "changed@example.com", "nobody@example.com", "")...)
	case "actor_id":
		v = fmt.Sprintf("Actor-%d", g.IntN(44))
	case "ip":
		v = fmt.Sprintf("203.0.113.%d", g.IntN(64))
	case "object_id":
		v = fmt.Sprintf("https://Host/%d/Ä%d", g.IntN(pruneDays+1), g.IntN(4))
	case "session_id":
		v = fmt.Sprintf("s-%d", g.IntN(24))
	}
	switch g.IntN(8) {
	case 0:
		v = strings.ToUpper(v)
	case 1, 2:
		v = strings.ToLower(v)
	}
	return quoteString(v)
}

func (g statementMaker) list(n int, f func() string) string {
	parts := make([]string, 1+g.IntN(n))
	for i := range parts {
		parts[i] = f()
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// predicate is a condition on a row of activities called a.
func (g statementMaker) predicate(a string, depth int) string {
	if depth > 0 && g.IntN(5) < 3 {
		p, q := g.predicate(a, depth-1), g.predicate(a, depth-1)
		switch g.IntN(8) {
		case 0, 1, 2:
			return "(" + p + " AND " + q + ")"
		case 3, 4:
			return "(" + p + " OR " + q + ")"
		case 5:
			return "NOT (" + p + ")"
		case 6:
			return "CASE WHEN " + p + " THEN " + q + " ELSE " + g.predicate(a, depth-1) + " END"
		default:
			return "coalesce(" + p + ", " + q + ")"
		}
	}
	switch g.IntN(5) {
	case 0:
		return g.onDay(a)
	case 1:
		return g.onTime(a)
	case 2:
		return g.onService(a)
	case 3:
		return g.onText(a)
	}
	return g.odd(a)
}

func (g statementMaker) onDay(a string) string {
	date := func() string { return "DATE '" + g.date() + "'" }
	switch g.IntN(8) {
	case 0:
		return a + ".date " + g.op() + " '" + g.date() + "'"
	case 1:
		return date() + " " + g.op() + " " + a + ".date"
	case 2:
		return a + ".date BETWEEN " + date() + " AND " + date()
	case 3:
		return a + ".date IN " + g.list(5, date)
	case 4:
		return a + ".date " + g.op() + " TIMESTAMP '" + g.moment() + "'"
	case 5:
		return fmt.Sprintf("%s.date %s current_date - %d", a, g.op(), int(g.now.Sub(pruneDay).Hours()/24)-g.IntN(pruneDays))
	case 6:
		return a + ".date::TIMESTAMPTZ " + g.op() + " TIMESTAMPTZ '" + g.moment() + "+00'"
	}
	return a + ".date " + g.op() + " (" + date() + " + INTERVAL 1 DAY)::DATE"
}

func (g statementMaker) onTime(a string) string {
	column := a + "." + g.one("timestamp", "timestamp", "timestamp", "created", "ingested")
	moment := func() string { return "TIMESTAMPTZ '" + g.moment() + "+00'" }
	switch g.IntN(12) {
	case 0:
		return column + " " + g.op() + " '" + g.moment() + "'"
	case 1:
		return moment() + " " + g.op() + " " + column
	case 2:
		return column + " BETWEEN " + moment() + " AND " + moment()
	case 3:
		return column + "::DATE " + g.op() + " '" + g.date() + "'"
	case 4:
		return column + "::DATE BETWEEN '" + g.date() + "' AND '" + g.date() + "'"
	case 5:
		return "date_trunc('" + g.one("day", "hour", "month") + "', " + column + ") " + g.op() + " '" + g.date() + "'"
	case 6:
		ago := g.now.Sub(pruneDay.AddDate(0, 0, g.IntN(pruneDays)))
		return fmt.Sprintf("%s %s now() - INTERVAL %d HOUR", column, g.op(), int(ago.Hours()))
	case 7:
		return column + "::TIMESTAMP " + g.op() + " TIMESTAMP '" + g.moment() + "'"
	case 8:
		return column + " IN " + g.list(4, moment)
	case 9:
		return column + "::DATE IN " + g.list(4, func() string { return "DATE '" + g.date() + "'" })
	case 10:
		return column + " IS " + g.one("NULL", "NOT NULL")
	}
	return column + " " + g.op() + " " + g.one("'infinity'", "'-infinity'", "DATE '"+g.date()+"'", "NULL")
}

func (g statementMaker) onService(a string) string {
	column := a + "." + g.one("service", "service", "app_id")
	switch g.IntN(7) {
	case 0, 1:
		return column + " " + g.op() + " " + g.service()
	case 2:
		return column + " IN " + g.list(4, g.service)
	case 3:
		return column + " = '" + g.service() + "'"
	case 4:
		return column + " NOT IN " + g.list(2, g.service)
	case 5:
		return column + " BETWEEN " + g.service() + " AND " + g.service()
	}
	return g.one(column+"::VARCHAR = '20893'", column+" = 20893.0", column+" + 1 = 20893", "("+a+".date, "+column+") IN ((DATE '"+g.date()+"', 20893), (DATE '"+g.date()+"', 11161))")
}

func (g statementMaker) onText(a string) string {
	name := g.one("activity_id", "user_name", "user_name", "actor_id", "ip", "ip", "object_id", "session_id")
	column, value := a+"."+name, func() string { return g.text(name) }
	switch g.IntN(12) {
	case 0, 1:
		return column + " = " + value()
	case 2:
		return "lower(" + column + ") = " + strings.ToLower(value())
	case 3:
		return column + " IN " + g.list(8, value)
	case 4:
		return "lower(" + column + ") IN " + g.list(6, func() string { return "lower(" + value() + ")" })
	case 5:
		return column + " ILIKE " + value()
	case 6:
		return column + " " + g.one("LIKE", "ILIKE", "SIMILAR TO") + " " + g.one("'%example%'", "'bob%'", "'203.0.113.1_'", value())
	case 7:
		return column + " " + g.one("<>", "<", ">", "IS DISTINCT FROM", "IS NOT DISTINCT FROM") + " " + value()
	case 8:
		return g.one("upper", "trim", "reverse", "lower") + "(" + column + ") = " + value()
	case 9:
		return column + " = ANY([" + value() + ", " + value() + "])"
	case 10:
		return value() + " = " + column
	}
	return g.one(column+" IS NULL", column+" || '' = "+value(), "coalesce("+column+", 'x') = "+value(), "starts_with("+column+", 'Id-1')", column+" COLLATE NOCASE = "+value(), "nullif("+column+", '') = "+value())
}

func (g statementMaker) odd(a string) string {
	switch g.IntN(7) {
	case 5:
		return "ip_in(" + a + ".ip, " + g.one("'203.0.113.0/28'", "['203.0.113.7', '203.0.113.32/29']") + ")"
	case 0:
		return a + ".country = '" + g.one("DE", "FR", "XX") + "'"
	case 1:
		return "list_contains(" + a + ".user_tags, 't" + fmt.Sprint(g.IntN(pruneDays+1)) + "')"
	case 2:
		return "json_extract_string(" + a + ".raw, '$.ip') = " + g.text("ip")
	case 3:
		return g.one("true", "false", "1 = 1", a+".page > 0", a+".country IS NULL", "year("+a+".timestamp) = 2026")
	case 4:
		return "epoch_ms(" + a + ".timestamp) " + g.op() + " epoch_ms(TIMESTAMPTZ '" + g.moment() + "+00')"
	}
	return a + ".user_name " + g.one("IN", "NOT IN") + " (SELECT z.user_name FROM activities z WHERE " + g.onText("z") + " AND z.user_name IS NOT NULL)"
}

const pruneColumns = "a.activity_id, a.timestamp, a.service, a.user_name"

// statement is a whole one. Where rows are cut off, their order is total.
func (g statementMaker) statement() string {
	p := func(a string) string { return g.predicate(a, 3) }
	simple := func(a string) string { return g.predicate(a, 1) }
	switch g.IntN(30) {
	case 0:
		return "SELECT count(*) FROM activities a WHERE " + p("a")
	case 1:
		return "SELECT min(timestamp), max(created), count(DISTINCT user_name), bool_or(ip = '203.0.113.7') FROM activities a WHERE " + p("a")
	case 2, 3:
		return "SELECT " + pruneColumns + " FROM activities a WHERE " + p("a") + " ORDER BY " + g.one("timestamp DESC", "timestamp", "created NULLS FIRST", "user_name") + ", activity_id LIMIT 5"
	case 4:
		return "SELECT date, service, count(*) AS n FROM activities a WHERE " + p("a") + " GROUP BY ALL HAVING " + g.one("n > 2", "date > '"+g.date()+"'", "service = 20893 OR date = '"+g.date()+"'")
	case 5, 6:
		return "SELECT a.activity_id, b.activity_id FROM activities a " + g.one("", "LEFT ", "RIGHT ", "FULL ") + "JOIN activities b ON a.user_name = b.user_name AND " +
			g.one("a.date = b.date", "a.service = b.service", "a.timestamp < b.timestamp", simple("b")) + " WHERE " + simple("a") + " AND " + simple("b")
	case 7:
		return "SELECT " + pruneColumns + " FROM activities a " + g.one("SEMI", "ANTI") + " JOIN (SELECT * FROM activities b WHERE " + p("b") + ") b USING (" + g.one("user_name", "date", "service, date", "ip") + ") WHERE " + simple("a")
	case 8:
		return "SELECT a.activity_id, b.activity_id FROM (SELECT * FROM activities a WHERE " + simple("a") + ") a ASOF JOIN (SELECT DISTINCT ON (service, timestamp) * FROM activities b WHERE " + simple("b") +
			" ORDER BY service, timestamp, activity_id) b ON a.service = b.service AND a.timestamp >= b.timestamp"
	case 9:
		return "WITH x AS " + g.one("", "MATERIALIZED ", "NOT MATERIALIZED ") + "(SELECT * FROM activities a WHERE " + p("a") + ") SELECT count(*) FROM x WHERE " + simple("x")
	case 10:
		return "WITH x AS " + g.one("", "MATERIALIZED ") + "(SELECT * FROM activities a WHERE " + simple("a") + ") SELECT count(*) FROM x a, x b WHERE a.activity_id = b.activity_id AND " + simple("a") + " AND " + simple("b")
	case 11:
		return "SELECT " + pruneColumns + " FROM activities a WHERE a.user_name " + g.one("IN", "NOT IN") + " (SELECT user_name FROM activities b WHERE " + p("b") + ") AND " + simple("a")
	case 12:
		return "SELECT " + pruneColumns + " FROM activities a WHERE " + g.one("", "NOT ") + "EXISTS (FROM activities b WHERE b.ip = a.ip AND b.activity_id <> a.activity_id AND " + simple("b") + ") AND " + simple("a")
	case 13:
		return "SELECT " + pruneColumns + " FROM activities a WHERE timestamp = (SELECT " + g.one("min", "max") + "(timestamp) FROM activities b WHERE " + p("b") + ") OR " + simple("a")
	case 14:
		return "SELECT activity_id, service FROM activities a WHERE " + p("a") + " " + g.one("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "UNION ALL BY NAME") + " SELECT activity_id, service FROM activities b WHERE " + p("b")
	case 15:
		return "SELECT " + pruneColumns + " FROM (SELECT * FROM activities b WHERE " + simple("b") + " UNION ALL SELECT * FROM activities c WHERE " + simple("c") + ") a WHERE " + p("a")
	case 16:
		return "SELECT " + pruneColumns + " FROM activities a WHERE " + p("a") + " QUALIFY row_number() OVER (PARTITION BY " + g.one("user_name", "date", "service") + " ORDER BY timestamp, activity_id) = 1"
	case 17:
		return "SELECT * FROM (SELECT " + pruneColumns + ", a.date, a.ip, row_number() OVER (PARTITION BY a.service ORDER BY a.timestamp, a.activity_id) AS n FROM activities a WHERE " + simple("a") + ") WHERE " +
			g.one("service = 20893", "date = '"+g.date()+"'", "n = 1", "ip = "+g.text("ip"))
	case 18:
		return "SELECT count(*) FROM (SELECT * FROM activities b WHERE " + simple("b") + " ORDER BY timestamp, activity_id LIMIT 20) a WHERE " + p("a")
	case 19:
		return "SELECT a.activity_id, t.x FROM activities a, unnest(a.user_tags) AS t(x) WHERE " + p("a") + g.one("", " AND t.x = 'a'")
	case 20:
		return "PIVOT (SELECT date, service FROM activities a WHERE " + p("a") + ") ON service " + g.one("", "IN (11161, 20893) ") + "USING count(*)"
	case 21:
		if g.IntN(2) == 0 {
			return "SELECT ReportId, Timestamp, AccountDisplayName, AccountType, SessionData, RawEventData FROM cloud_app_events a WHERE " +
				g.one("Timestamp > '"+g.moment()+"'", "Timestamp::DATE = '"+g.date()+"'", "ApplicationId IN "+g.list(3, g.service), "IPAddress = "+g.text("ip"), "AccountId = "+g.text("actor_id"), "lower(ObjectId) = lower("+g.text("object_id")+")", "ReportId = "+g.text("activity_id")) +
				g.one("", " AND ip_in(IPAddress, '203.0.113.0/27')", " OR ApplicationId = 20893", " AND SessionData IS NOT NULL")
		}
		return "SELECT \"ReportId\", \"Timestamp\", account FROM " + g.one("hunting", "recent") + " a WHERE " +
			g.one("account = "+strings.ToLower(g.text("user_name")), "\"AccountDisplayName\" = "+g.text("user_name"), "day = '"+g.date()+"'", "d BETWEEN '"+g.date()+"' AND '"+g.date()+"'",
				"\"Timestamp\" > '"+g.moment()+"'", "\"ApplicationId\" = 20893", "\"IPAddress\" IN "+g.list(4, func() string { return g.text("ip") }), "\"Saved\" < '"+g.moment()+"'") +
			g.one("", " AND \"RawEventData\"->>'$.country' = 'DE'", " OR day = '"+g.date()+"'")
	case 22:
		return "SELECT r.activity_id, r.user_name, a.user_name FROM revisions r " + g.one("", "LEFT ") + "JOIN activities a USING (activity_id) WHERE " + g.one(simple("a"), p("r"), simple("r")+" AND "+simple("a"))
	case 23:
		return "SELECT count(*), min(r.timestamp) FROM revisions r WHERE " + p("r")
	case 24:
		return "WITH RECURSIVE w AS (SELECT activity_id, timestamp, 1 AS n FROM activities a WHERE " + simple("a") + " UNION SELECT b.activity_id, b.timestamp, n + 1 FROM activities b JOIN w ON b.timestamp = w.timestamp + INTERVAL 10 MINUTE WHERE n < 3) SELECT count(*), max(n) FROM w"
	case 25:
		return "SELECT " + pruneColumns + ", l.n FROM activities a, LATERAL (SELECT count(*) AS n FROM activities b WHERE b.user_name = a.user_name AND " + simple("b") + ") l WHERE " + simple("a")
	case 26:
		return "SELECT date, service, count(*) FROM activities a WHERE " + p("a") + " GROUP BY GROUPING SETS ((date), (service), ())"
	case 27:
		return "SELECT DISTINCT ON (a.user_name) " + pruneColumns + " FROM activities a WHERE " + p("a") + " ORDER BY a.user_name, a.timestamp, a.activity_id"
	case 28:
		return "SELECT count(*) FILTER (WHERE " + p("a") + "), count(*) FROM activities a WHERE " + simple("a")
	}
	return "FROM activities a SELECT " + pruneColumns + ", " + p("a") + " AS hit WHERE " + p("a")
}
