// Package parquetfile writes Parquet files, and does nothing else: reading,
// checking and export stay with arrow-go.
//
// Most of an import is spent here, and a general writer spends most of that on
// making its buffers, hash tables and columns anew for each of the hundreds of
// files that a lake gets. This one is made once for a schema and used for file
// after file; hardly anything is allocated when it has grown to its size. Of the
// format it writes what the lake needs:
//
//	layout.go      the leaves of a schema, and how each is encoded
//	leaf.go        a leaf's values and levels as they come, and its pages
//	aside.go       a page that is compressed while the next one fills
//	dictionary.go  the distinct values of a leaf
//	hybrid.go      levels and dictionary indices: runs and packed bits
//	delta.go       DELTA_BINARY_PACKED, for times and counters
//	bounds.go      the least and the greatest value, for the statistics
//	footer.go      what stands at a file's end
//	thrift.go      the protocol that headers and footer are written in
//
// Pages are of the first data page version, with one dictionary page at most in
// front; a chunk is encoded by its dictionary wholly or not at all. The format
// is that of https://github.com/apache/parquet-format, version 2.
package parquetfile
