//go:build race

package query

// threads of the engines that are given whatever statements are drawn. A list in
// ip_in makes the driver look for its context at the first chunk, in each thread
// and without a lock (scalar_udf.go, setCtx, of duckdb-go 2.10506): all write the
// same, and the race detector is right all the same.
const threads = 1
