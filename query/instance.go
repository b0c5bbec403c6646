package query

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"
)

// instance is one DuckDB in memory with one connection. Settings belong to the
// instance and variables to the connection, so there is never a second one.
type instance struct {
	connector *duckdb.Connector
	db        *sql.DB
	conn      *sql.Conn
	handle    bindings.Connection // the same connection, for what database/sql cannot do
	// optimizers are those that are off while it plans; empty: not looked up yet.
	optimizers string
	closed     bool
}

// limits are the settings that an instance is opened with.
type limits struct {
	memory  string // as DuckDB writes it: 4GiB
	threads int    // 0: as many as there are processors, if memory has room for them
	spill   string // folder
	maxDisk string // most that may lie there; empty: DuckDB's own, 90 % of what is free
}

// openInstance opens DuckDB with nothing in it and no way out to extensions.
// The file system is still open; lock closes it.
func openInstance(ctx context.Context, l limits) (*instance, error) {
	options := url.Values{
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		"allow_community_extensions":   {"false"},
		"allow_persistent_secrets":     {"false"},
		"errors_as_json":               {"true"}, // errors then carry a position and candidates
		// A cache of what was read of files, for the next statement: an instance has
		// none. Without it reading a thousand small files takes a fifth less.
		"enable_external_file_cache": {"false"},
	}
	if l.spill != "" {
		options.Set("temp_directory", l.spill)
	}
	if l.memory != "" {
		options.Set("memory_limit", l.memory)
	}
	if l.threads > 0 {
		options.Set("threads", strconv.Itoa(l.threads))
	}
	if l.maxDisk != "" {
		options.Set("max_temp_directory_size", l.maxDisk)
	}
	connector, err := duckdb.NewConnector(":memory:?"+options.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	in := &instance{connector: connector, db: sql.OpenDB(connector)}
	in.db.SetMaxOpenConns(1)
	fail := func(err error) (*instance, error) {
		in.close()
		if ctx.Err() != nil {
			return nil, cancelled(ctx, "") // the time that a statement may take counts from here
		}
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	if in.conn, err = in.db.Conn(ctx); err != nil {
		return fail(err)
	}
	if err := in.conn.Raw(func(c any) error { in.handle, err = handleOf(c); return err }); err != nil {
		return fail(err)
	}
	if err := in.exec(ctx, "SET TimeZone = 'UTC'"); err != nil {
		return fail(err)
	}
	if err := in.fit(ctx, l); err != nil {
		return fail(err)
	}
	if err := in.exec(ctx, createShields+strings.Join(macros, ";\n")); err != nil {
		return fail(err)
	}
	if err := registerFunctions(in); err != nil {
		return fail(err)
	}
	return in, nil
}

// handleOf takes the connection's handle out of the driver's own, where it is
// a private field: streaming and the type of a statement need it, and a
// connection of ours beside the driver's could not have scalar functions
// written in Go. Should a new driver keep it elsewhere, this says so (and a
// test does).
func handleOf(driverConn any) (bindings.Connection, error) {
	var h bindings.Connection
	c, ok := driverConn.(*duckdb.Conn)
	if !ok {
		return h, fmt.Errorf("take the connection's handle: driver connection is %T, want *duckdb.Conn", driverConn)
	}
	f := reflect.ValueOf(c).Elem().FieldByName("conn")
	if !f.IsValid() || f.Type() != reflect.TypeFor[bindings.Connection]() {
		return h, fmt.Errorf("take the connection's handle: this version of duckdb-go does not keep it in Conn.conn: build with the version in go.mod")
	}
	h.Ptr = f.FieldByName("Ptr").UnsafePointer()
	if h.Ptr == nil {
		return h, fmt.Errorf("take the connection's handle: it is closed")
	}
	return h, nil
}

// defaultMemory is the most that DuckDB's buffers get when nobody says how
// much. DuckDB itself would take four fifths of the machine; a sort or a join
// that needs more than this spills to disk and ends all the same, and the
// analyst's other programs go on.
const defaultMemory = 4 << 30

// threadMemory is what a thread must have of it. Each takes records apart in buffers
// of its own: thirty hunts over 5 million records went with three threads in 512 MiB,
// and not with four.
const threadMemory = 256 << 20

// fit lowers DuckDB's own limits (which know about containers) where nobody said
// what they are to be.
func (in *instance) fit(ctx context.Context, l limits) error {
	var now string
	var threads int64
	if err := in.conn.QueryRowContext(ctx, "SELECT current_setting('memory_limit'), current_setting('threads')").Scan(&now, &threads); err != nil {
		return err
	}
	memory, ok := parseBytes(now)
	if l.memory == "" && (!ok || memory > defaultMemory) {
		if err := in.exec(ctx, fmt.Sprintf("SET memory_limit = '%dB'", defaultMemory)); err != nil {
			return err
		}
		memory, ok = defaultMemory, true
	}
	if most := max(1, memory/threadMemory); l.threads == 0 && ok && threads > most {
		return in.exec(ctx, fmt.Sprintf("SET threads = %d", most))
	}
	return nil
}

// parseBytes reads a size as DuckDB writes it: 18.8 GiB.
func parseBytes(s string) (int64, bool) {
	value, unit, ok := strings.Cut(strings.TrimSpace(s), " ")
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0, false
	}
	if !ok {
		return int64(v), true
	}
	scale := map[string]float64{
		"bytes": 1, "byte": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
		"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	}[strings.ToLower(unit)]
	return int64(v * scale), scale > 0
}

func (in *instance) exec(ctx context.Context, sql string, args ...any) error {
	_, err := in.conn.ExecContext(ctx, sql, args...)
	return err
}

// limit gives an instance that was started with a memory limit alone the others.
func (in *instance) limit(ctx context.Context, l limits) error {
	sql := "SET temp_directory = " + quoteString(l.spill)
	if l.threads > 0 {
		sql += "; SET threads = " + strconv.Itoa(l.threads)
	}
	if l.maxDisk != "" {
		sql += "; SET max_temp_directory_size = " + quoteString(l.maxDisk)
	}
	if err := in.exec(ctx, sql); err != nil {
		if ctx.Err() != nil {
			return cancelled(ctx, "")
		}
		return fmt.Errorf("start DuckDB: %w", err)
	}
	return nil
}

// lock leaves the instance these files to read, its spill folder, and nothing
// that a statement could change. It must come last: afterwards not even we
// can change the lists.
//
// They go in as a value: DuckDB's parser would take as long for the names of a
// year as for looking the files up.
func (in *instance) lock(ctx context.Context, files []string) error {
	if len(files) > 0 {
		if err := in.exec(ctx, "SET VARIABLE "+allowedVariable+" = $1", files); err != nil {
			return fmt.Errorf("name the files that may be read: %w", err)
		}
		if err := in.exec(ctx, "SET allowed_paths = getvariable('"+allowedVariable+"'); RESET VARIABLE "+allowedVariable); err != nil {
			return fmt.Errorf("name the files that may be read: %w", err)
		}
	}
	return in.exec(ctx, "SET enable_external_access = false; SET lock_configuration = true")
}

const allowedVariable = "mdca_allowed"

// interruptEvery is how often a cancelled statement is told so: an interrupt
// that comes between two steps of one is forgotten.
const interruptEvery = 20 * time.Millisecond

// interruptOn stops whatever the instance does once ctx has ended, until
// release is called. Nothing may use the handle after close, so release waits.
func (in *instance) interruptOn(ctx context.Context) (release func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			bindings.Interrupt(in.handle)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(done); <-gone }
}

func (in *instance) close() error {
	if in.closed {
		return nil
	}
	in.closed = true
	if in.conn != nil {
		in.conn.Close()
	}
	// Closing the pool closes the connector as well.
	if err := in.db.Close(); err != nil {
		return fmt.Errorf("stop DuckDB: %w", err)
	}
	return nil
}
