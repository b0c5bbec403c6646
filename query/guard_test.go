package query_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mdcalake/query"
)

// The battery: statements that must not get through, each with the sentence it
// is refused with, and with what makes them dangerous written to real paths.
// @FILE is a data file of the lake, @OUT a path outside, @SPILL one in the folder
// that DuckDB itself allows.
var refused = []struct{ sql, with string }{
	// Writing, plainly.
	{"COPY (SELECT 1) TO '@FILE' (FORMAT parquet, USE_TMP_FILE false)", "COPY writes files"},
	{"COPY (SELECT 1) TO '@FILE' (FORMAT parquet)", "COPY writes files"},
	{"COPY (SELECT 1) TO '@OUT'", "COPY writes files"},
	{"COPY (SELECT 1) TO '@SPILL'", "COPY writes files"},
	{"COPY (SELECT 1 AS a) TO '@OUT' (FORMAT parquet, PARTITION_BY (a))", "COPY writes files"},
	{"COPY (SELECT 1) TO '/dev/stdout'", "COPY writes files"},
	{"COPY activities FROM '@OUT'", "COPY writes files"},
	{"COPY (PIVOT activities ON service USING count(*)) TO '@OUT'", "COPY writes files"},
	{"EXPORT DATABASE '@OUT'", "EXPORT writes files"},
	{"IMPORT DATABASE '@OUT'", "IMPORT runs statements from files"},
	// Behind EXPLAIN, which runs what it explains.
	{"EXPLAIN ANALYZE COPY (SELECT 1) TO '@FILE' (USE_TMP_FILE false)", "COPY writes files"},
	{"EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '@SPILL'", "COPY writes files"},
	{"/* a */ EXPLAIN /* b */ ANALYZE -- c\n COPY (SELECT 1) TO '@SPILL'", "COPY writes files"},
	{"EXPLAIN (FORMAT json, ANALYZE) /* ) */ COPY (SELECT 1) TO '@SPILL'", "COPY writes files"},
	{"EXPLAIN COPY (SELECT 1) TO '@SPILL'", "COPY writes files"},
	{"EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "CREATE changes what there is"},
	{"EXPLAIN ANALYZE DROP VIEW activities", "DROP changes what there is"},
	{"EXPLAIN ANALYZE PREPARE p AS SELECT 1", "PREPARE is not needed"},
	{"EXPLAIN ANALYZE VACUUM", "VACUUM is not a statement that reads"},
	{"EXPLAIN ANALYZE CALL enable_logging()", "CALL may change settings"},
	{"EXPLAIN EXPLAIN SELECT 1", ""},
	{"EXPLAIN (ANALYZE COPY (SELECT 1) TO '@SPILL')", ""},
	// Several in one.
	{"SELECT 1; COPY (SELECT 1) TO '@SPILL'", "there are 2 statements"},
	{"COPY (SELECT 1) TO '@SPILL'; SELECT 1", "there are 2 statements"},
	{"CREATE TABLE t AS SELECT 1; SELECT * FROM t", "there are 2 statements"},
	{"EXPLAIN SELECT 1; COPY (SELECT 1) TO '@SPILL'", "there are 2 statements"},
	{"PIVOT activities ON service USING count(*); COPY (SELECT 1) TO '@SPILL'", "there are 2 statements"},
	{"SELECT $$;$$; COPY (SELECT 1) TO '@SPILL'", "there are 2 statements"},
	{"SELECT 1\x00; COPY (SELECT 1) TO '@SPILL'", "zero byte"},
	{"SELECT '\xff'", "not UTF-8"},
	// Changing what there is.
	{"CREATE TABLE t (a INT)", "CREATE changes what there is"},
	{"CREATE TEMP TABLE t AS SELECT 1", "CREATE changes what there is"},
	{"CREATE TABLE t AS PIVOT activities ON service USING count(*)", "CREATE changes what there is"},
	{"CREATE OR REPLACE VIEW activities AS SELECT 1", "CREATE changes what there is"},
	{"CREATE MACRO now() AS 1", "CREATE changes what there is"},
	{"CREATE SCHEMA s", "CREATE changes what there is"},
	{"CREATE SEQUENCE s", "CREATE changes what there is"},
	{"CREATE TYPE t AS ENUM ('a')", "CREATE changes what there is"},
	{"CREATE INDEX i ON runs (run_id)", "CREATE changes what there is"},
	{"CREATE SECRET s (TYPE s3)", "CREATE changes what there is"},
	{"DROP VIEW activities", "DROP changes what there is"},
	{"ALTER TABLE runs RENAME TO r", "ALTER changes what there is"},
	{"COMMENT ON TABLE runs IS 'x'", "COMMENT changes what there is"},
	{"INSERT INTO runs (run_id) VALUES ('x')", "INSERT changes data"},
	{"UPDATE runs SET run_id = 'x'", "UPDATE changes data"},
	{"DELETE FROM runs", "DELETE changes data"},
	{"TRUNCATE runs", "TRUNCATE changes data"},
	{"MERGE INTO runs USING coverage ON false WHEN MATCHED THEN DELETE", "MERGE changes data"},
	{"WITH x AS (DELETE FROM runs RETURNING *) SELECT * FROM x", ""},
	{"WITH x AS (INSERT INTO runs VALUES (1) RETURNING *) SELECT * FROM x", ""},
	{"WITH x AS (SELECT 1) INSERT INTO runs SELECT * FROM x", ""},
	{"SELECT * FROM runs FOR UPDATE", ""},
	{"SELECT 1 INTO OUTFILE '@OUT'", ""},
	// Other databases, code, settings.
	{"ATTACH '@OUT' AS other", "ATTACH opens other databases"},
	{"ATTACH ':memory:' AS other", "ATTACH opens other databases"},
	{"DETACH memory", "DETACH opens other databases"},
	{"INSTALL httpfs", "INSTALL loads code"},
	{"FORCE INSTALL httpfs", "FORCE loads code"},
	{"LOAD httpfs", "LOAD loads code"},
	{"UPDATE EXTENSIONS", "UPDATE changes data"},
	{"SET threads = 1", "SET changes settings"},
	{"SET enable_external_access = true", "SET changes settings"},
	{"SET lock_configuration = false", "SET changes settings"},
	{"SET TimeZone = 'Europe/Berlin'", "SET changes settings"},
	{"SET VARIABLE mdca_activities = ['@OUT']", "SET changes settings"},
	{"SET disabled_optimizers = 'filter_pushdown'", "SET changes settings"},
	{"SET SCHEMA 'main'", "SET changes settings"},
	{"RESET threads", "RESET changes settings"},
	{"USE memory", "USE changes settings"},
	{"PRAGMA enable_profiling", "PRAGMA may change settings"},
	{"PRAGMA profiling_output = '@OUT'", "PRAGMA may change settings"},
	{"PRAGMA enable_verification", "PRAGMA may change settings"},
	{"PRAGMA add_parquet_key('k', '0123456789112345')", "PRAGMA may change settings"},
	{"PRAGMA force_checkpoint", "PRAGMA may change settings"},
	{"PRAGMA database_list", "PRAGMA may change settings"},
	{"PRAGMA copy_database('a', 'b')", "PRAGMA may change settings"},
	{"COPY FROM DATABASE memory TO temp", "COPY writes files"},
	{"CALL enable_logging(storage = 'file', storage_path = '@SPILL')", "CALL may change settings"},
	{"CALL checkpoint()", "CALL may change settings"},
	{"CHECKPOINT", "CHECKPOINT is not a statement that reads"},
	{"VACUUM", "VACUUM is not a statement that reads"},
	{"ANALYZE", "ANALYZE is not a statement that reads"},
	{"BEGIN", "BEGIN is not needed"},
	{"ROLLBACK", "ROLLBACK is not needed"},
	{"PREPARE p AS SELECT 1", "PREPARE is not needed"},
	{"EXECUTE p", "EXECUTE is not needed"},
	{"DEALLOCATE p", "DEALLOCATE is not needed"},
	// SELECTs with effects: the tree only.
	{"FROM enable_logging(storage = 'file', storage_path = '@SPILL/log')", "table function enable_logging"},
	{"SELECT * FROM enable_logging(storage = 'file', storage_path = '@OUT')", "table function enable_logging"},
	{"SELECT * FROM enable_profiling()", "table function enable_profiling"},
	{"SELECT * FROM disable_logging()", "table function disable_logging"},
	{"SELECT * FROM truncate_duckdb_logs()", "table function truncate_duckdb_logs"},
	{"SELECT * FROM enable_peg_parser()", "table function enable_peg_parser"},
	{"SELECT * FROM checkpoint()", "table function checkpoint"},
	{"SELECT * FROM force_checkpoint()", "table function force_checkpoint"},
	{"WITH x AS (FROM enable_logging()) SELECT 1 FROM x", "table function enable_logging"},
	{"WITH x AS MATERIALIZED (FROM enable_logging()) SELECT 1", "table function enable_logging"},
	{"SELECT 1 FROM runs, LATERAL (SELECT * FROM enable_logging())", "table function enable_logging"},
	{"SELECT (SELECT count(*) FROM enable_logging())", "table function enable_logging"},
	{"SELECT * FROM system.main.enable_logging()", "table function enable_logging"},
	{`SELECT * FROM "enable_logging"()`, "table function enable_logging"},
	{"SELECT * FROM ENABLE_LOGGING()", "table function enable_logging"},
	{"SUMMARIZE FROM enable_logging()", "table function enable_logging"},
	{"DESCRIBE FROM enable_logging()", "table function enable_logging"},
	{"PIVOT (FROM enable_logging()) ON a IN (1) USING count(*)", "table function enable_logging"},
	{"PIVOT (FROM enable_logging()) ON a USING count(*)", "table function enable_logging"},
	{"UNPIVOT (FROM enable_logging()) ON COLUMNS(*)", "table function enable_logging"},
	{"EXPLAIN ANALYZE FROM enable_logging()", "table function enable_logging"},
	{"SELECT 1 UNION ALL SELECT * FROM enable_logging()", "table function enable_logging"},
	{"SELECT 1 WHERE EXISTS (FROM enable_logging())", "table function enable_logging"},
	{"SELECT 1 ORDER BY (SELECT 1 FROM enable_logging())", "table function enable_logging"},
	{"SELECT 1 LIMIT (SELECT count(*) FROM enable_logging())", "table function enable_logging"},
	{"VALUES ((SELECT count(*) FROM enable_logging()))", "table function enable_logging"},
	{"SELECT * FROM query('SELECT * FROM enable_logging()')", "table function query"},
	{"SELECT * FROM query_table('activities')", "table function query_table"},
	{"SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM enable_logging()'))", "table function json_execute_serialized_sql"},
	{"SELECT write_log('x')", "function write_log"},
	{"SELECT [write_log(x) FOR x IN ['a']]", "function write_log"},
	{"SELECT list_transform(['a'], lambda x: write_log(x))", "function write_log"},
	{"SELECT main.write_log('x')", "function write_log"},
	{"SELECT sum(1) FILTER (write_log('x') IS NULL)", "function write_log"},
	{"SELECT sum(1) OVER (ORDER BY write_log('x'))", "function write_log"},
	{"SELECT sleep_ms(10)", "function sleep_ms"},
	{"SELECT setseed(0.5)", "function setseed"},
	{"SELECT nextval('s')", "function nextval"},
	{"SELECT getenv('HOME')", "function getenv"},
	{"SELECT json_serialize_plan('SELECT 1')", "function json_serialize_plan"},
	// Files of all kinds.
	{"SELECT * FROM read_csv('@OUT')", "table function read_csv"},
	{"SELECT * FROM read_csv_auto('@OUT')", "table function read_csv_auto"},
	{"SELECT * FROM read_text('@OUT')", "table function read_text"},
	{"SELECT * FROM read_blob('@FILE')", "table function read_blob"},
	{"SELECT * FROM read_json('@OUT')", "table function read_json"},
	{"SELECT * FROM read_ndjson_objects('@OUT')", "table function read_ndjson_objects"},
	{"SELECT * FROM read_parquet('@FILE')", "table function read_parquet"},
	{"SELECT * FROM parquet_scan('@FILE')", "table function parquet_scan"},
	{"SELECT * FROM parquet_metadata('@FILE')", "table function parquet_metadata"},
	{"SELECT * FROM parquet_schema('@FILE')", "table function parquet_schema"},
	{"SELECT * FROM read_duckdb('@OUT')", "table function read_duckdb"},
	{"SELECT * FROM glob('*')", "table function glob"},
	{"SELECT * FROM sniff_csv('@OUT')", "table function sniff_csv"},
	{"SELECT * FROM arrow_scan(1, 2, 3)", "table function arrow_scan"},
	{"SELECT * FROM '@OUT.csv'", "looks like a file"},
	{`SELECT * FROM "@OUT.csv"`, "looks like a file"},
	{"SELECT * FROM '@FILE'", "looks like a file"},
	{"SELECT * FROM '../x'", "looks like a file"},
	{"SELECT * FROM '/proc/self/environ'", "looks like a file"},
	{"SELECT * FROM 'http://example.com/x.csv'", "looks like a file"},
	{"SELECT * FROM 's3://bucket/x.parquet'", "looks like a file"},
	{"SELECT 1 WHERE 1 IN (SELECT 1 FROM 'x.csv')", "looks like a file"},
	{"SELECT 1 LIMIT (SELECT 1 FROM 'x.csv')", "looks like a file"},
	{"DESCRIBE 'x.csv'", "looks like a file"},
	{"SUMMARIZE 'x.parquet'", "looks like a file"},
	{"TABLE 'x.csv'", ""},
	{"SELECT * FROM histogram('x.csv', a)", "looks like a file"},
	{"SELECT * FROM pragma_table_info('x.csv')", "looks like a file"},
	{"SELECT * FROM histogram_values('x.csv', a)", "looks like a file"},
	{"PIVOT 'x.csv' ON a USING count(*)", "looks like a file"},
	{"SELECT * FROM other.main.t", "is not open to queries"},
	{"SELECT * FROM mdca_private.seen", "is not open to queries"},
	// What it tells about the machine.
	{"SELECT * FROM duckdb_secrets()", "table function duckdb_secrets"},
	{"SELECT * FROM which_secret('a', 's3')", "table function which_secret"},
	{"SELECT * FROM duckdb_settings()", "table function duckdb_settings"},
	{"SELECT * FROM duckdb_variables()", "table function duckdb_variables"},
	{"SELECT * FROM pg_settings", "pg_settings is not open"},
	{"SELECT * FROM pg_catalog.pg_settings", "pg_settings is not open"},
	{"SELECT current_setting('secret_directory')", "a setting is not open"},
	{"SELECT current_setting(x) FROM (VALUES ('TimeZone')) t(x)", "a setting is not open"},
	{"SHOW variables", ""},
	// Texts that end the process.
	{"SELECT system.main.json_structure('[]')", "without a schema"},
	{"SELECT main.json_merge_patch('{}', '{}')", "without a schema"},
	{"SELECT * FROM duckdb_logs", "the table duckdb_logs"},
	{"SELECT * FROM duckdb_external_file_cache()", "table function duckdb_external_file_cache"},
	{"SELECT * FROM duckdb_temporary_files()", "table function duckdb_temporary_files"},
	{"SELECT ST_Point(1, 2)", ""},
	{"SELECT * FROM runs WHERE run_id = $1", "no value"},
	{"SELECT ?", "no value"},
}

// reading are statements that must pass.
var reading = []string{
	"SELECT 1", "select 1;", " ; select 1 ; -- done", "FROM activities LIMIT 1", "(SELECT 1)", "SELECT 1 UNION SELECT 2",
	"VALUES (1, 'a'), (2, 'b')", "TABLE runs", "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
	"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
	"WITH x AS MATERIALIZED (FROM activities) SELECT count(*) FROM x a, x b WHERE a.activity_id = b.activity_id",
	"EXPLAIN SELECT count(*) FROM activities", "EXPLAIN ANALYZE SELECT count(*) FROM activities", "explain (analyze, format json) select 1",
	"EXPLAIN (FORMAT html) SELECT 1", "EXPLAIN (SELECT 1)", "/* a comment */ EXPLAIN -- another\n SELECT 1", "EXPLAIN FROM runs",
	"DESCRIBE activities", "DESC runs", "DESCRIBE SELECT 1 AS a", "DESCRIBE", "SHOW activities", "SHOW TABLES", "SHOW ALL TABLES", "SHOW DATABASES", "SHOW SCHEMAS",
	"SHOW TABLES FROM main", "SUMMARIZE activities", "SUMMARIZE SELECT service FROM activities", "SELECT * FROM (DESCRIBE activities)", "SELECT column_name FROM (SUMMARIZE runs)",
	"PIVOT activities ON service USING count(*)", "PIVOT activities ON service USING count(*) GROUP BY date", "PIVOT activities ON service IN (11161, 20893) USING count(*)",
	"PIVOT activities ON date, service USING count(*)", "PIVOT (SELECT date, service FROM activities) ON service || 'x' USING count(*) ORDER BY date LIMIT 2",
	"SELECT * FROM (PIVOT activities ON service USING count(*) GROUP BY date)", "WITH p AS (PIVOT activities ON service USING count(*) GROUP BY date) SELECT * FROM p",
	"FROM activities PIVOT (count(*) FOR service IN (11161, 20893) GROUP BY date)", "EXPLAIN PIVOT activities ON service USING count(*)",
	"UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b", "UNPIVOT (SELECT 1 AS a, 2 AS b) ON COLUMNS(*) INTO NAME n VALUE v",
	"SELECT unnest(objects).id FROM activities", "SELECT o.id FROM activities, unnest(objects) AS t(o)", "SELECT * FROM unnest([1, 2])",
	"SELECT * FROM range(3), generate_series(1, 2)", "SELECT raw->>'$.n' FROM activities", "SELECT json_extract(raw, '$.n'), raw_text(raw, '$.n') FROM activities",
	"SELECT j.key FROM activities, json_each(raw) AS j", "SELECT key FROM json_tree('{\"a\":1}')", "SELECT * FROM histogram('activities', service)", "SELECT * FROM histogram(activities, service)",
	"SELECT * FROM duckdb_columns() WHERE table_name = 'activities'", "SELECT * FROM duckdb_tables()", "SELECT * FROM duckdb_views()", "SELECT * FROM duckdb_functions() LIMIT 1",
	"SELECT * FROM information_schema.tables", "SELECT * FROM pg_catalog.pg_tables", "SELECT * FROM pragma_table_info('activities')",
	"SELECT json_structure(raw), json_contains(raw, '1'), json_merge_patch('{}', raw, raw), json_structure(repeat('[', 5000) || repeat(']', 5000)) FROM activities",
	"SELECT json_group_structure(raw) FROM activities",
	"SELECT current_setting('TimeZone'), version(), random() IS NOT NULL, uuid() IS NOT NULL, now() IS NOT NULL",
	"SELECT count(*) FROM activities a ASOF JOIN runs r ON a.timestamp >= r.started", "SELECT * FROM activities TABLESAMPLE 5 ROWS", "SELECT * FROM activities USING SAMPLE 3",
	"SELECT service, count(*) FROM main.activities GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL", "SELECT * FROM memory.main.runs",
	"SELECT *, rank() OVER (PARTITION BY service ORDER BY timestamp) AS k FROM activities QUALIFY k = 1", "SELECT COLUMNS('.*_id') FROM activities LIMIT 1",
	"SELECT ';', $$;$$, $a$ ; $$ $a$, E'\\';', \"a;b\" FROM (SELECT 1 AS \"a;b\") /* ; /* ; */ */ -- ;", "SELECT 'COPY x TO y', 'read_csv(1)'",
	"SELECT [x * 2 FOR x IN [1, 2] IF x > 1]", "SELECT {'a': 1, 'b': [1, 2]}", "SELECT MAP {'a': 1}", "SELECT '\u00e9'\u00a0AS\u00a0x",
	"WITH copy AS (SELECT 1 AS export) SELECT * FROM copy", "SELECT query FROM (SELECT 1 AS query)",
}

func TestGuardRefuses(t *testing.T) {
	dir := t.TempDir()
	lake := newLake(t, dir, 1)
	outside := filepath.Join(dir, "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	e := open(t, lake, func(o *query.Options) { o.TempDir = temp })
	spills, _ := filepath.Glob(filepath.Join(temp, "*", "spill"))
	if len(spills) != 1 {
		t.Fatalf("spill folders: %v", spills)
	}
	before := hashTree(t, lake.Root) + hashTree(t, outside) + hashTree(t, spills[0])
	paths := strings.NewReplacer("@FILE", lake.Files[0].Path, "@OUT", filepath.Join(outside, "x"), "@SPILL", filepath.Join(spills[0], "x"))
	for _, c := range refused {
		sql := paths.Replace(c.sql)
		rows, err := e.Query(t.Context(), sql)
		if err == nil {
			rows.Close()
			t.Errorf("%s\n was let through", sql)
			continue
		}
		var qe *query.Error
		if !errors.As(err, &qe) {
			t.Errorf("%s\n error is %T: %v", sql, err, err)
			continue
		}
		if !strings.Contains(qe.Message, c.with) {
			t.Errorf("%s\n refused with %q\n want        %q", sql, qe.Message, c.with)
		}
		if c.with != "" && c.with != "no value" && qe.Kind != query.Refused {
			t.Errorf("%s\n kind is %v", sql, qe.Kind)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\n the message has several lines: %q", sql, err)
		}
	}
	after := hashTree(t, lake.Root) + hashTree(t, outside) + hashTree(t, spills[0])
	if before != after {
		t.Errorf("files changed:\n%s\nbefore:\n%s", after, before)
	}
}

func TestGuardLetsReadingThrough(t *testing.T) {
	lake := newLake(t, t.TempDir(), 2)
	e := open(t, lake)
	before := hashTree(t, lake.Root)
	for _, sql := range reading {
		out, _, err := tryAnswer(t.Context(), e, query.JSON, sql, query.WriteOptions{})
		if err != nil {
			t.Errorf("%s\n %s", sql, explain(err))
		} else if strings.HasPrefix(out, "[]") && !strings.Contains(sql, "random") {
			t.Logf("%s\n has no rows", sql)
		}
	}
	if after := hashTree(t, lake.Root); before != after {
		t.Errorf("the lake changed:\n%s", after)
	}
}
