package query

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"mdcalake/store"
)

func openEmpty(t testing.TB) *Engine {
	t.Helper()
	e, err := Open(t.Context(), Options{Snapshot: &store.Snapshot{Root: t.TempDir()}, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestDriverKeepsItsHandle is the alarm for a new driver: streaming needs a
// private field of it.
func TestDriverKeepsItsHandle(t *testing.T) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		h, err := handleOf(c)
		if err == nil && h.Ptr == nil {
			err = errors.New("it is nil")
		}
		return err
	})
	if err != nil {
		t.Fatalf("the driver changed: adapt handleOf: %v", err)
	}
	if _, err := handleOf("something else"); err == nil {
		t.Error("a string has a handle")
	}
}

// TestBindingThatHearsNothing: a constant is folded for seconds, and no
// context reaches it.
func TestBindingThatHearsNothing(t *testing.T) {
	e := openEmpty(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := e.Query(ctx, "SELECT length(repeat('x', 300000000))")
	var qe *Error
	if !errors.As(err, &qe) || qe.Kind != Cancelled || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("took %v", d)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	<-e.left // or the next test would find another lake open
}

// TestBindEndsWithItsContext: to find out what a value is, the statement is
// bound, and binding hears nothing.
func TestBindEndsWithItsContext(t *testing.T) {
	e := openEmpty(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, err := e.Bind(ctx, "SELECT length(repeat('x', 300_000_000)) + $n", []Parameter{{Name: "n", Value: "5"}})
	var qe *Error
	if !errors.As(err, &qe) || qe.Kind != Cancelled {
		t.Errorf("error is %v", err)
	}
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("took %v", d)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	<-e.left
}

// TestNoNewFunctionWithAnEffect goes through DuckDB's catalog: what is
// volatile, and what may stand behind FROM, is known here by name, so that a
// new DuckDB cannot bring a hole unseen.
func TestNoNewFunctionWithAnEffect(t *testing.T) {
	in, err := openInstance(t.Context(), limits{spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	list := func(where string) []string {
		var all string
		if err := in.conn.QueryRowContext(t.Context(), "SELECT string_agg(DISTINCT function_name, ' ' ORDER BY function_name) FROM duckdb_functions() WHERE "+where).Scan(&all); err != nil {
			t.Fatal(err)
		}
		return strings.Fields(all)
	}
	// Volatile, and harmless all the same.
	harmless := strings.Fields(harmlessVolatile)
	for _, name := range list("function_type = 'scalar' AND stability = 'VOLATILE'") {
		if _, denied := deniedFunctions[name]; !denied && !slices.Contains(harmless, name) {
			t.Errorf("the function %s is volatile: say in tree.go or here what it does", name)
		}
	}
	known := strings.Fields(knownTableFunctions)
	for _, name := range list("function_type IN ('table', 'table_macro', 'pragma')") {
		if _, open := tableFunctions[name]; !open && !slices.Contains(known, name) {
			t.Errorf("the table function %s is new: it is refused; put it on a list", name)
		}
	}
	existing := list("true")
	for name := range tableFunctions {
		if !slices.Contains(existing, name) {
			t.Errorf("the open table function %s does not exist", name)
		}
	}
}

func TestTempDirsOfTheDeadAreSwept(t *testing.T) {
	parent := t.TempDir()
	alive, err := newTempDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := newTempDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead.spill(), "duckdb_temp_storage_1.tmp"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as kill -9 does
	for _, other := range []string{"mdcalake-query-not-ours-mode", "something-else"} {
		if err := os.Mkdir(filepath.Join(parent, other), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, tempPrefix+"file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(parent, tempPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	mine, err := newTempDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		alive.path: true, dead.path: false, mine.path: true, outside: true, filepath.Join(parent, "mdcalake-query-not-ours-mode"): true,
		filepath.Join(parent, "something-else"): true, filepath.Join(parent, tempPrefix+"file"): true,
	} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: there is %v, want %v", path, err == nil, want)
		}
	}
	if info, err := os.Stat(mine.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, d := range []*tempDir{alive, mine} {
		if err := d.remove(); err != nil {
			t.Error(err)
		}
		if err := d.remove(); err != nil {
			t.Error(err)
		}
	}
}

func TestUniqueNames(t *testing.T) {
	for in, want := range map[string]string{
		"a b": "a b", "a a": "a a_1", "a A": "a A_1", "a a a": "a a_1 a_2", "a a a_1": "a a_2 a_1", "a_1 a a": "a_1 a a_2", "a a_1 a a_1": "a a_1 a_2 a_1_1",
	} {
		if got := strings.Join(uniqueNames(strings.Fields(in)), " "); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for in, want := range map[string]int64{"18.8 GiB": 20186346291, "512.0 MiB": 512 << 20, "100 bytes": 100, "0": 0, "3 KB": 3000} {
		if got, ok := parseBytes(in); !ok || got != want {
			t.Errorf("%s: %d, %v", in, got, ok)
		}
	}
	if _, ok := parseBytes("a lot"); ok {
		t.Error("a lot is a size")
	}
}

func TestMemoryDefault(t *testing.T) {
	in, err := openInstance(t.Context(), limits{spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	var s string
	if err := in.conn.QueryRowContext(t.Context(), "SELECT current_setting('memory_limit')").Scan(&s); err != nil {
		t.Fatal(err)
	}
	if n, ok := parseBytes(s); !ok || n > defaultMemory {
		t.Errorf("memory limit is %s", s)
	}
}

func TestFillPivots(t *testing.T) {
	for in, want := range map[string]string{
		"PIVOT t ON a USING sum(b)":                        "PIVOT t ON a IN ('x') USING sum(b)",
		"PIVOT t ON a, b USING sum(b) GROUP BY c":          "PIVOT t ON a IN ('x'), b IN ('x') USING sum(b) GROUP BY c",
		"PIVOT t ON a IN (1), b":                           "PIVOT t ON a IN (1), b IN ('x')",
		"pivot t on a in (1) using sum(b)":                 "pivot t on a in (1) using sum(b)",
		"FROM (PIVOT t ON f(a, b) || 'x,' USING sum(b)) q": "FROM (PIVOT t ON f(a, b) || 'x,' IN ('x') USING sum(b)) q",
		"PIVOT (a JOIN b ON a.x = b.x) ON y":               "PIVOT (a JOIN b ON a.x = b.x) ON y IN ('x')",
		"PIVOT (PIVOT t ON a USING sum(b)) ON c":           "PIVOT (PIVOT t ON a IN ('x') USING sum(b)) ON c IN ('x')",
		"SELECT 'PIVOT t ON a'":                            "SELECT 'PIVOT t ON a'",
		"FROM t PIVOT (sum(x) FOR a IN (1))":               "FROM t PIVOT (sum(x) FOR a IN (1))",
	} {
		if got, _ := fillPivots(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestCheckPath(t *testing.T) {
	p := store.Partition{Day: 20513, Service: 7}
	activities := lakeTables[0]
	for path, want := range map[string]string{
		"activities/" + p.Dir() + "/part-1.parquet":               "",
		"activities/" + p.Dir() + "/part=1.parquet":               "",
		"activities/" + p.Dir() + "/part[1].parquet":              "pattern",
		"activities/" + p.Dir() + "/*.parquet":                    "pattern",
		"activities/" + p.Dir() + `/a\b.parquet`:                  "pattern",
		"activities/user_name=bob/" + p.Dir() + "/part-1.parquet": "does not lie in",
		"activities/date=2026-03-01/service=8/part-1.parquet":     "does not lie in",
		"/etc/passwd":         "inside the lake",
		"../x.parquet":        "inside the lake",
		"activities/../../x":  "inside the lake",
		"revisions/a.parquet": "does not lie below",
		"":                    "inside the lake",
	} {
		err := activities.checkPath(store.File{Path: path, Partition: p})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := lakeTables[1].checkPath(store.File{Path: "revisions/user_name=bob/a.parquet"}); err == nil {
		t.Error("a key in the path of a revision passes")
	}
}

// Volatile, and without an effect: they may give another answer each time.
const harmlessVolatile = `current_connection_id current_query current_query_id current_transaction_id error gen_random_uuid random stats uuid uuidv4 uuidv7`

// Table functions that are refused, as of DuckDB 1.5.6.
const knownTableFunctions = `
add_parquet_key all_profiling_output arrow_scan arrow_scan_dumb check_peg_parser checkpoint
collations copy_database database_list database_size disable_checkpoint_on_shutdown disable_logging
disable_object_cache disable_optimizer disable_peg_parser disable_print_progress_bar disable_profile
disable_profiling disable_progress_bar disable_verification disable_verify_external
disable_verify_fetch_row disable_verify_parallelism disable_verify_serializer
duckdb_approx_database_count duckdb_connection_count duckdb_constraints duckdb_coordinate_systems
duckdb_databases duckdb_dependencies duckdb_extensions duckdb_external_file_cache duckdb_indexes
duckdb_log_contexts duckdb_logs duckdb_logs_parsed duckdb_memory duckdb_optimizers
duckdb_prepared_statements duckdb_profiling_settings duckdb_schemas duckdb_secret_types
duckdb_secrets duckdb_sequences duckdb_settings duckdb_table_sample duckdb_temporary_files
duckdb_variables enable_checkpoint_on_shutdown enable_logging enable_object_cache enable_optimizer
enable_peg_parser enable_print_progress_bar enable_profile enable_profiling enable_progress_bar
enable_verification extension_versions force_checkpoint functions glob icu_calendar_names
import_database json_execute_serialized_sql metadata_info parquet_bloom_probe parquet_file_metadata
parquet_full_metadata parquet_kv_metadata parquet_metadata parquet_scan parquet_schema platform
pragma_collations pragma_database_size pragma_metadata_info pragma_platform pragma_show
pragma_storage_info pragma_user_agent pragma_version query query_table read_blob read_csv
read_csv_auto read_duckdb read_json read_json_auto read_json_objects read_json_objects_auto
read_ndjson read_ndjson_auto read_ndjson_objects read_parquet read_text repeat_row seq_scan show
show_databases show_tables show_tables_expanded sniff_csv sql_auto_complete storage_info table_info
test_all_types test_vector_types truncate_duckdb_logs user_agent verify_external verify_fetch_row
verify_parallelism verify_serializer version which_secret
`

func TestAFailureWithoutAReasonIsToldAgain(t *testing.T) {
	e := openEmpty(t)
	const q = "SELECT CASE WHEN range = 500_000 THEN error('half way') ELSE 'x' END AS a FROM range(1_000_000)"
	silent := func() error { return &Error{Kind: Internal, Message: "Interrupted!", SQL: q, Position: -1} }
	if !unexplained(silent()) {
		t.Error("it is not noticed")
	}
	if err := e.retell(t.Context(), q, silent()); !strings.Contains(err.Error(), "half way") {
		t.Errorf("got %v", err)
	}
	// Nothing to find: then it says at least that.
	if err := e.retell(t.Context(), "SELECT 1", silent()); !strings.Contains(err.Error(), "does not say why") {
		t.Errorf("got %v", err)
	}
}
