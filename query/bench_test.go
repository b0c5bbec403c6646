package query_test

import (
	"context"
	"database/sql"
	"testing"

	"mdcalake/query"
)

// BenchmarkFirstAnswer is what a command pays from nothing to its first row,
// beside the same by the driver alone.
func BenchmarkFirstAnswer(b *testing.B) {
	lake := newLake(b, b.TempDir(), 10)
	temp := b.TempDir()
	b.Run("driver alone, select 1", func(b *testing.B) {
		for range b.N {
			db, err := sql.Open("duckdb", "")
			if err != nil {
				b.Fatal(err)
			}
			var n int
			if err := db.QueryRow("SELECT 1").Scan(&n); err != nil {
				b.Fatal(err)
			}
			db.Close()
		}
	})
	for _, sql := range []string{"SELECT 1", "SELECT count(*) FROM runs", "SELECT count(*) FROM activities WHERE date = '2026-03-02'"} {
		b.Run(sql, func(b *testing.B) {
			for range b.N {
				e, err := query.Open(context.Background(), query.Options{Snapshot: lake, TempDir: temp})
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := tryAnswer(context.Background(), e, query.CSV, sql, query.WriteOptions{}); err != nil {
					b.Fatal(err)
				}
				e.Close()
			}
		})
	}
}

// BenchmarkWrite is each format's speed, in rows.
func BenchmarkWrite(b *testing.B) {
	e := open(b, newLake(b, b.TempDir(), 0))
	const rows = 200_000
	for _, name := range query.Formats() {
		f, _ := query.ParseFormat(name)
		b.Run(name, func(b *testing.B) {
			for range b.N {
				_, res, err := tryAnswer(context.Background(), e, f, `SELECT range AS id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(range) AS t,
					'user' || range || '@example.com' AS u, range / 7 AS d, 'a "quoted", text of some length' AS x FROM range(200_000)`, query.WriteOptions{})
				if err != nil || res.Rows != rows {
					b.Fatal(res, err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
