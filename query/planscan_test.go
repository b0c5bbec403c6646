package query

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/store"
)

var mutations = flag.Int("prune.mutations", 12, "how often the plan of each statement is damaged")

// flatLake is a snapshot without files on disk: 20 days of three services, one
// file each, with records from 06:00 to 18:00.
func flatLake() *store.Snapshot {
	s := &store.Snapshot{Version: 9}
	for day := range 20 {
		for _, service := range pruneServices {
			p := store.Partition{Day: int32(pruneDay.AddDate(0, 0, day).Unix() / 86400), Service: service}
			from := int64(p.Day)*dayMillis + 6*3600_000
			times := store.Range{Min: from, Max: from + 12*3600_000}
			s.Files = append(s.Files, store.File{
				Path: "activities/" + p.Dir() + "/part-0.parquet", Partition: p, Size: 1000, Version: int64(day % 10),
				Stats: store.Stats{Timestamp: times, Created: times, Ingested: times, AppID: store.Range{Min: service, Max: service}},
			})
		}
	}
	return s
}

// someValues is an index that knows files up to version 8: each day has users
// and addresses of its own, and bob is everywhere on the first three.
type someValues struct{ failing bool }

func (someValues) Knows(f store.File) bool { return f.Version <= 8 }

func (v someValues) Cells(column string, values []string) (map[store.Partition]bool, bool, error) {
	if v.failing {
		return nil, true, errors.New("the disk is gone")
	}
	cells := map[store.Partition]bool{}
	for _, f := range flatLake().Files {
		day := int(int64(f.Partition.Day) - pruneDay.Unix()/86400)
		for _, value := range values {
			switch {
			case column == "user_name" && strings.EqualFold(value, "bob") && day < 3,
				column == "ip" && value == fmt.Sprint("10.0.0.", day),
				column == "activity_id" && value == fmt.Sprint("id-", day, "-", f.Partition.Service):
				cells[f.Partition] = true
			}
		}
	}
	return cells, slices.Contains([]string{"user_name", "ip", "activity_id", "actor_id", "object_id", "session_id"}, column), nil
}

// planner plans statements on templates.
type planner struct {
	*pruneBench
	tables map[string]*lakeTable
	last   string // the statement planned last
}

func newPlanner(t *testing.T) *planner {
	t.Helper()
	p := &planner{pruneBench: newPruneBench(t, &store.Snapshot{Root: t.TempDir()}), tables: map[string]*lakeTable{}}
	for _, table := range lakeTables {
		tpl, err := p.e.template(table)
		if err != nil {
			t.Fatal(err)
		}
		p.tables[tpl.path] = table
		p.name(table, nil)
	}
	return p
}

func (p *planner) plan(sql string) []byte {
	p.t.Helper()
	p.last = sql
	p.exec("BEGIN TRANSACTION")
	defer func() { p.exec("ROLLBACK") }()
	answer, err := p.e.plan(p.t.Context(), p.in, sql)
	if err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

// chosenOf are the files of activities that a plan leaves, by path; all of them
// where it is not understood.
func (p *planner) chosenOf(answer []byte, s *store.Snapshot) (paths map[string]bool, tp TablePruning, err error) {
	found, err := readPlan(answer, p.tables, nil, p.last)
	filters := found[lakeTables[0]]
	if err != nil {
		filters = []*filter{open}
	}
	chosen, tp, _ := prune(lakeTables[0], s.Files, filters, someValues{})
	paths = map[string]bool{}
	for _, f := range chosen {
		paths[f.Path] = true
	}
	return paths, tp, err
}

// shapes are statements over flatLake, and how many of its 60 files they can
// need. A change of these numbers is a change of DuckDB's plans: look at it.
var shapes = []struct {
	sql  string
	want int
}{
	{"SELECT count(*) FROM activities", 60},
	{"SELECT count(*) FROM activities WHERE date = '2026-03-05'", 3},
	{"SELECT count(*) FROM activities WHERE date = '2026-03-05' AND service = 20893", 1},
	{"SELECT count(*) FROM activities WHERE service = '20893'", 20},
	{"SELECT count(*) FROM activities WHERE 20893 = service", 20},
	{"SELECT count(*) FROM activities WHERE service > 20892", 20},
	{"SELECT count(*) FROM activities WHERE service IN (20892, 5)", 20},
	{"SELECT count(*) FROM activities WHERE app_id = 11161", 20},
	{"SELECT count(*) FROM activities WHERE service <> 11161", 60},
	{"SELECT count(*) FROM activities WHERE service::VARCHAR = '20893'", 60},
	{"SELECT count(*) FROM activities WHERE service = 20893.0", 60},
	{"SELECT count(*) FROM activities WHERE date BETWEEN '2026-03-05' AND '2026-03-06'", 6},
	{"SELECT count(*) FROM activities WHERE date IN ('2026-03-05', '2026-03-09', '2020-01-01')", 6},
	{"SELECT count(*) FROM activities WHERE date - 7 = '2026-03-05'", 60},
	{"SELECT count(*) FROM activities WHERE date = '2026-03-05' OR service = 20893 AND date = '2026-03-07'", 4},
	{"SELECT count(*) FROM activities WHERE (date = '2026-03-05' AND service = 20893) OR (date = '2026-03-06' AND service = 11161)", 2},
	{"SELECT count(*) FROM activities WHERE NOT (date < '2026-03-10')", 33},
	{"SELECT count(*) FROM activities WHERE timestamp >= '2026-03-05' AND timestamp < '2026-03-06'", 3},
	{"SELECT count(*) FROM activities WHERE timestamp >= '2026-03-05 19:00:00+00' AND timestamp < '2026-03-06 05:00:00+00'", 0},
	{"SELECT count(*) FROM activities WHERE timestamp > '2026-03-20 18:00:00+00'", 3}, // the log cuts off microseconds
	{"SELECT count(*) FROM activities WHERE timestamp >= '2026-03-20 18:00:00.001+00'", 0},
	{"SELECT count(*) FROM activities WHERE timestamp::date = '2026-03-05'", 3},
	{"SELECT count(*) FROM activities WHERE CAST(timestamp AS DATE) BETWEEN '2026-03-05' AND '2026-03-06'", 6},
	{"SELECT count(*) FROM activities WHERE timestamp::date IN ('2026-03-05', '2026-03-07')", 6},
	{"SELECT count(*) FROM activities WHERE timestamp::TIMESTAMP < TIMESTAMP '2026-03-02'", 3},
	{"SELECT count(*) FROM activities WHERE date_trunc('day', timestamp) = '2026-03-05'", 3},
	{"SELECT count(*) FROM activities WHERE date <= TIMESTAMP '2026-03-02 13:00:00'", 6},
	{"SELECT count(*) FROM activities WHERE timestamp > now()", 0},
	{"SELECT count(*) FROM activities WHERE created < now() - INTERVAL 5 MINUTE", 60},
	{"SELECT count(*) FROM activities WHERE created >= '2026-03-20'", 3},
	{"SELECT count(*) FROM activities WHERE created IS NULL", 60},
	{"SELECT count(*) FROM activities WHERE timestamp = NULL", 0},
	{"SELECT count(*) FROM activities WHERE false", 0},
	{"SELECT count(*) FROM activities WHERE strftime(timestamp, '%Y-%m-%d') = '2026-03-05'", 60},
	// Values. 6 files (days 9 and 19) are newer than the index.
	{"SELECT count(*) FROM activities WHERE user_name = 'bob'", 15},
	{"SELECT count(*) FROM activities WHERE lower(user_name) = 'bob'", 15},
	{"SELECT count(*) FROM activities WHERE user_name ILIKE 'BOB'", 15},
	{"SELECT count(*) FROM activities WHERE user_name LIKE 'bob'", 15},
	{"SELECT count(*) FROM activities WHERE user_name ILIKE 'b_b'", 60},
	{"SELECT count(*) FROM activities WHERE upper(user_name) = 'BOB'", 60},
	{"SELECT count(*) FROM activities WHERE user_name <> 'bob'", 60},
	{"SELECT count(*) FROM activities WHERE country = 'DE'", 60},
	{"SELECT count(*) FROM activities WHERE ip IN ('10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.7', '10.0.0.99', 'x')", 18},
	{"SELECT count(*) FROM activities WHERE ip = '10.0.0.4' OR user_name = 'bob'", 18},
	{"SELECT count(*) FROM activities WHERE ip = '10.0.0.4' OR country = 'DE'", 60},
	{"SELECT count(*) FROM activities WHERE ip = '10.0.0.4' AND date < '2026-03-04'", 0},
	{"SELECT count(*) FROM activities WHERE activity_id = 'id-4-20893'", 7},
	{"SELECT count(*) FROM activities WHERE lower(activity_id) = 'id-4-20893'", 60},
	{"SELECT count(*) FROM activities WHERE json_extract_string(raw, '$.x') = 'y' AND user_name = 'bob' AND date = '2026-03-02'", 3},
	// Shapes.
	{"SELECT * FROM activities ORDER BY timestamp LIMIT 10", 60},
	{"SELECT * FROM activities WHERE date = '2026-03-05' ORDER BY timestamp DESC LIMIT 10", 3},
	{"SELECT count(*) FROM activities a, activities b WHERE a.date = '2026-03-05' AND b.date = '2026-03-08' AND a.ip = b.ip", 6},
	{"SELECT count(*) FROM activities a JOIN activities b USING (date) WHERE a.date = '2026-03-05'", 3},
	{"SELECT count(*) FROM activities a FULL JOIN activities b ON a.date = b.date AND a.date = '2026-03-05'", 60},
	{"WITH x AS (FROM activities) SELECT count(*) FROM x WHERE date = '2026-03-05'", 3},
	{"WITH x AS MATERIALIZED (FROM activities) SELECT (SELECT count(*) FROM x WHERE date = '2026-03-05'), (SELECT count(*) FROM x WHERE date = '2026-03-06')", 6},
	{"SELECT count(*) FROM activities WHERE date = '2026-03-05' AND EXISTS (FROM activities b WHERE b.ip = activities.ip AND b.date = '2026-03-06')", 6},
	{"SELECT count(*) FROM activities WHERE date = '2026-03-05' AND ip NOT IN (SELECT ip FROM activities WHERE date = '2026-03-06')", 6},
	{"SELECT ip FROM activities WHERE date = '2026-03-05' UNION SELECT ip FROM activities WHERE date = '2026-03-06'", 6},
	{"SELECT * FROM (FROM activities UNION ALL FROM activities) WHERE date = '2026-03-05'", 3},
	{"FROM activities WHERE date = '2026-03-05' QUALIFY row_number() OVER (PARTITION BY ip ORDER BY timestamp) = 1", 3},
	{"SELECT * FROM (SELECT *, rank() OVER (ORDER BY timestamp) AS r FROM activities) WHERE date = '2026-03-05'", 60},
	{"SELECT * FROM (FROM activities LIMIT 5) WHERE date = '2026-03-05'", 60},
	{"SELECT date, count(*) FROM activities GROUP BY date HAVING date > '2026-03-10'", 30},
	{"PIVOT (FROM activities WHERE date = '2026-03-05') ON service IN (11161, 20893) USING count(*) GROUP BY date", 3},
	{"SELECT x.name FROM activities, unnest(objects) AS t(x) WHERE date = '2026-03-05'", 3},
	{"SELECT x.name, n FROM (SELECT *, row_number() OVER () AS n FROM activities) AS a, unnest(objects) AS t(x) WHERE date = '2026-03-05'", 60},
	{"SELECT x.name, delim_index FROM (SELECT *, row_number() OVER () AS delim_index FROM activities) AS a, unnest(objects) AS t(x) WHERE date = '2026-03-05'", 60},
	{"SELECT x, l.n FROM activities a, unnest(user_tags) AS t(x), LATERAL (SELECT count(*) AS n FROM activities b WHERE b.ip = a.ip AND b.date = '2026-03-06') l WHERE a.date = '2026-03-05'", 6},
	{"SELECT unnest(objects).name FROM activities WHERE date = '2026-03-05'", 3},
	{"SUMMARIZE FROM activities WHERE date = '2026-03-05'", 3},
	{"DESCRIBE activities", 0},
	{"SELECT count(*) FROM hunting WHERE account = 'bob' AND \"ApplicationId\" = 20893", 5},
	{"SELECT count(*) FROM hunting WHERE day = '2026-03-05' OR \"Timestamp\" < '2026-03-02'", 6},
	{"SELECT count(*) FROM recent WHERE \"IPAddress\" = '10.0.0.4'", 9},
	{"SELECT count(*) FROM recent WHERE \"RawEventData\"->>'$.x' = 'y' AND d = '2026-03-05'", 3},
	{"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT count(*) FROM r, activities WHERE date = '2026-03-05'", 3},
	{"SELECT count(*) FROM runs", 0},
	{"SELECT 1", 0},
}

func TestWhichFilesAStatementNeeds(t *testing.T) {
	p, s := newPlanner(t), flatLake()
	for _, c := range shapes {
		chosen, _, err := p.chosenOf(p.plan(c.sql), s)
		if err != nil {
			t.Errorf("%s\n%v", c.sql, err)
		}
		if len(chosen) != c.want {
			t.Errorf("%s\nneeds %d files, want %d", c.sql, len(chosen), c.want)
		}
	}
}

// TestAPlanWithSurprisesKeepsItsFiles: keys that are missing or have other
// names, words that nobody knows. What a plan says after that may be less, and
// the files that it leaves more, but never fewer.
func TestAPlanWithSurprisesKeepsItsFiles(t *testing.T) {
	p, s := newPlanner(t), flatLake()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	widened := 0
	for _, c := range shapes {
		answer := p.plan(c.sql)
		want, _, err := p.chosenOf(answer, s)
		if err != nil {
			continue
		}
		for range *mutations {
			v := decodePlan(t, answer)
			var what []string
			for range 1 + r.IntN(3) {
				what = append(what, damagePlan(r, v))
			}
			changed, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			got, _, _ := p.chosenOf(changed, s)
			for path := range want {
				if !got[path] {
					t.Fatalf("%s\nafter %s: %s is lost", c.sql, strings.Join(what, ", "), path)
				}
			}
			if len(got) > len(want) {
				widened++
			}
		}
	}
	if widened == 0 {
		t.Error("no damage ever showed: this test says nothing")
	}
}

func decodePlan(t *testing.T, answer []byte) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(answer)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// damagePlan removes or renames a key somewhere, or gives a word another name.
func damagePlan(r *rand.Rand, v any) string {
	var objects, rare []map[string]any // the rare ones carry the filters
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			objects = append(objects, v)
			for _, telling := range []string{"filter_type", "left", "right", "table_filters", "children", "plans", "is_null", "projection_map", "index_type"} {
				if v[telling] != nil {
					rare = append(rare, v)
					break
				}
			}
			for _, k := range slices.Sorted(maps.Keys(v)) {
				// Most of a plan are the types of columns that nobody asks for.
				if k != "returned_types" && k != "parquet_options" && k != "types" {
					collect(v[k])
				}
			}
		}
	}
	collect(v)
	o := objects[r.IntN(len(objects))]
	if len(rare) > 0 && r.IntN(2) == 0 {
		o = rare[r.IntN(len(rare))]
	}
	keys := slices.Sorted(maps.Keys(o))
	if len(keys) == 0 {
		return "nothing"
	}
	key := keys[r.IntN(len(keys))]
	word, isWord := o[key].(string)
	switch n := r.IntN(3); {
	case n == 0:
		delete(o, key)
		return "removing " + key
	case n == 1 && isWord && key != "value" && !strings.Contains(word, "/"):
		o[key] = word + "_NEW"
		return "calling " + key + " " + word + "_NEW"
	default:
		o[key+"_new"] = o[key]
		delete(o, key)
		return "renaming " + key
	}
}

// FuzzReadPlan: whatever comes instead of a plan, the reader neither panics nor
// says that a table is not read which is mentioned.
func FuzzReadPlan(f *testing.F) {
	const path = "/tmp/x/activities-empty.parquet"
	get := `{"type":"LOGICAL_GET","children":[],"name":"read_parquet","names":["date","user_name"],"function_data":{"files":["` + path + `"]},"projection_ids":[],
		"column_indexes":[{"index":1,"child_indexes":[],"index_type":"FULL_READ"}],"table_filters":{"filters":[{"key":0,"value":{"filter_type":"CONSTANT_COMPARISON",
		"comparison_type":"COMPARE_EQUAL","constant":{"type":{"id":"DATE"},"is_null":false,"value":20513}}}]}}`
	filter := `{"type":"LOGICAL_FILTER","projection_map":[],"expressions":[{"expression_class":"BOUND_COMPARISON","type":"COMPARE_EQUAL","left":{"expression_class":"BOUND_REF","index":0,
		"return_type":{"id":"VARCHAR"}},"right":{"expression_class":"BOUND_CONSTANT","value":{"type":{"id":"VARCHAR"},"is_null":false,"value":"x"}}}],"children":[` + get + `]}`
	for _, plan := range []string{
		get, filter, `{"type":"LOGICAL_UNION","children":[` + get + "," + filter + `]}`, `{"type":"LOGICAL_DUMMY_SCAN","children":[]}`,
		`{"type":"LOGICAL_PROJECTION","children":[],"x":"` + path + `"}`, `[]`, `null`, strings.Repeat(`{"type":"X","children":[`, 50) + get + strings.Repeat(`]}`, 50),
	} {
		f.Add(`{"error":false,"plans":[` + plan + `]}`)
	}
	f.Add(`{"error":true,"error_type":"binder"}`)
	f.Add(`{"error":false,"plans":[{"type":"LOGICAL_GET","children":[],"name":"range","input_table_types":[],"x":NaN}]}`)
	tables := map[string]*lakeTable{path: lakeTables[0]}
	s := flatLake()
	f.Fuzz(func(t *testing.T, answer string) {
		found, err := readPlan([]byte(answer), tables, nil, "")
		if err != nil {
			if !errors.Is(err, errPlan) {
				t.Fatal(err)
			}
			return
		}
		var v any
		if json.Unmarshal([]byte(answer), &v) != nil {
			return // numbers that only a reader of numbers as text can hold
		}
		count := map[*lakeTable]int{}
		mentions(v, tables, count)
		if (count[lakeTables[0]] > 0) != (len(found[lakeTables[0]]) > 0) {
			t.Fatalf("%d mentions and %d scans in %s", count[lakeTables[0]], len(found[lakeTables[0]]), answer)
		}
		for _, f := range found[lakeTables[0]] {
			f.times()
			f.services()
		}
		if _, _, err := prune(lakeTables[0], s.Files, found[lakeTables[0]], someValues{}); err != nil {
			t.Fatal(err)
		}
	})
}
