package query_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mdcalake/query"
)

// TestFirstRowsComeBeforeTheLast: a thousand million rows would take 8 GB and
// minutes if anything held them.
func TestFirstRowsComeBeforeTheLast(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	rows, err := e.Query(t.Context(), "SELECT range, repeat('x', 100) FROM range(1_000_000_000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	batch, err := rows.Next()
	if err != nil {
		t.Fatal(err)
	}
	if n := batch.NumRows(); n < 1 || n > 1<<16 {
		t.Errorf("the first batch has %d rows", n)
	}
	batch.Release()
	tm := rows.Timing()
	if tm.First.IsZero() || !tm.Ended.IsZero() {
		t.Errorf("timing %+v", tm)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); err == nil {
		t.Error("rows come from closed rows")
	}
}

func TestMemoryStaysFlat(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	e := open(t, newLake(t, t.TempDir(), 0), func(o *query.Options) { o.MemoryLimit = "200MB" })
	peak := func() int64 {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "VmRSS:")
		n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n << 10
	}
	for _, f := range []query.Format{query.CSV, query.Parquet} {
		rows, err := e.Query(t.Context(), "SELECT range, repeat('x', 200) AS x FROM range(1_000_000)")
		if err != nil {
			t.Fatal(err)
		}
		before, most := peak(), int64(0)
		if _, err := query.Write(t.Context(), watcher{func() { most = max(most, peak()-before) }}, f, rows, query.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		rows.Close()
		// Whole, the answer takes 208 MB.
		if most > 120<<20 {
			t.Errorf("%v: %d MB more than before", f, most>>20)
		}
	}
}

type watcher struct{ look func() }

func (w watcher) Write(p []byte) (int, error) { w.look(); return len(p), nil }

func TestCancel(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	const heavy = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range + b.range = 3"
	isCancelled := func(t *testing.T, err error, cause error) {
		t.Helper()
		var qe *query.Error
		if !errors.As(err, &qe) || qe.Kind != query.Cancelled || !errors.Is(err, cause) {
			t.Errorf("error is %v, want cancelled by %v", err, cause)
		}
	}
	within := func(t *testing.T, f func()) {
		t.Helper()
		start := time.Now()
		f()
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	}
	t.Run("before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := e.Query(ctx, "SELECT 1")
		isCancelled(t, err, context.Canceled)
	})
	t.Run("by a deadline, while it computes", func(t *testing.T) {
		within(t, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, _, err := tryAnswer(ctx, e, query.CSV, heavy, query.WriteOptions{})
			isCancelled(t, err, context.DeadlineExceeded)
		})
	})
	t.Run("while rows come", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		rows, err := e.Query(ctx, "SELECT range FROM range(1_000_000_000)")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		batch, err := rows.Next()
		if err != nil {
			t.Fatal(err)
		}
		batch.Release()
		cancel()
		within(t, func() {
			for {
				batch, err := rows.Next()
				if err != nil {
					isCancelled(t, err, context.Canceled)
					return
				}
				batch.Release()
			}
		})
	})
	t.Run("while they are written, by the writer's context", func(t *testing.T) {
		rows, err := e.Query(t.Context(), "SELECT range FROM range(1_000_000_000)")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		ctx, cancel := context.WithCancel(t.Context())
		_, err = query.Write(ctx, watcher{cancel}, query.CSV, rows, query.WriteOptions{})
		isCancelled(t, err, context.Canceled)
	})
	t.Run("by closing from another goroutine", func(t *testing.T) {
		rows, err := e.Query(t.Context(), "SELECT range FROM range(1_000_000_000)")
		if err != nil {
			t.Fatal(err)
		}
		go rows.Close()
		within(t, func() {
			for err == nil {
				var batch arrow.RecordBatch
				if batch, err = rows.Next(); err == nil {
					batch.Release()
				}
			}
			if err == io.EOF {
				t.Error("the answer looks whole")
			}
		})
	})
	t.Run("and the engine goes on", func(t *testing.T) {
		if got := csv(t, e, "SELECT 1"); got != "1" {
			t.Errorf("got %s", got)
		}
	})
}

func TestErrorInTheMiddle(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	const q = "SELECT CASE WHEN range = 500_000 THEN error('half way') ELSE 'x' END AS a FROM range(1_000_000)"
	for _, f := range []query.Format{query.CSV, query.JSON, query.Parquet, query.Table, query.JSONL} {
		out, res, err := tryAnswer(t.Context(), e, f, q, query.WriteOptions{})
		var qe *query.Error
		if !errors.As(err, &qe) || qe.Kind != query.Runtime || !strings.Contains(qe.Message, "half way") {
			t.Errorf("%v: %v", f, err)
		}
		if res.Rows >= 500_000 {
			t.Errorf("%v: %d rows", f, res.Rows)
		}
		if f == query.JSON && strings.Contains(out, "]") {
			t.Error("half an array is closed")
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0), func(o *query.Options) { o.MemoryLimit, o.MaxSpill = "40MB", "1MB" })
	_, _, err := tryAnswer(t.Context(), e, query.CSV, "SELECT range, repeat('x', 100) AS x FROM range(3_000_000) ORDER BY hash(range)", query.WriteOptions{})
	var qe *query.Error
	if !errors.As(err, &qe) || qe.Kind != query.OutOfMemory || !strings.Contains(qe.Explain(), "--memory-limit") || strings.Contains(qe.Explain(), "SET ") {
		t.Errorf("%v", err)
	}
}

func TestSpilling(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0), func(o *query.Options) { o.MemoryLimit = "60MB" })
	if got := csv(t, e, "SELECT max(x) FROM (SELECT hash(range) AS x FROM range(5_000_000) ORDER BY x OFFSET 10)"); got == "" {
		t.Error("no answer")
	}
}

func TestRowsMayOutliveTheirEngine(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	rows, err := e.Query(t.Context(), "SELECT range FROM range(1_000_000)")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); err == nil {
		t.Error("rows come from a closed engine")
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.Query(t.Context(), "SELECT 1"); err == nil {
		t.Error("a closed engine answers")
	}
}
