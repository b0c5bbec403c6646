// Package query answers SQL over a lake with an embedded DuckDB, and does
// nothing else to it: no statement that passes here changes a byte.
//
// # Words
//
// An Engine is one snapshot of one lake, held for as long as the caller asks
// questions. A statement is one question. An instance is one DuckDB in memory;
// each statement gets its own, so that nothing leaks from one to the next.
// Rows are the answer, a batch at a time; they are never whole in memory.
//
// # The road of a statement
//
//  1. guard.go     our lexer takes it apart, DuckDB parses it to a tree (and
//     binds nothing), the tree is checked: reading statements only, table
//     functions from a list, names that are no files
//  2. furnish.go   the tables it sees, as views over files without rows
//     (views.go): activities, revisions, quarantine, runs, coverage;
//     cloudappevents.go has activities under Defender's names, asof.go makes
//     them those of an earlier time, ipin.go brings ip_in, textfunction.go
//     functions of the caller's
//  3. files.go     which of the lake's files it can need, below
//  4. instance.go  the doors are locked: only these files, no extension, no
//     setting may change
//  5. stream.go    prepared on the empty tables, its type checked, and run with
//     the files in their place, where DuckDB binds it anew; batches come one
//     by one
//  6. format.go    written: table, box, csv, tsv, json, jsonl, markdown, line,
//     parquet or arrow, a file each
//
// A statement's answer can also be kept as a table for those behind it (stage.go),
// or be read by a program row by row (each.go).
//
// Each of the guard's layers has holes that another one closes; none may go
// (guard_test.go has the list).
//
// # Which files
//
// DuckDB plans the statement on the empty tables (plan.go) and says what each
// scan has to hand on, through joins, subqueries and views, with every constant
// computed. The scans are read out of that plan (planscan.go), their filters
// as far as they are understood (planfilter.go, filter.go), and held against
// what the log knows of each file and what the value index knows of its cell
// (prune.go, match.go). A file goes only when every scan of its table excludes
// it; what is not understood, missing, new or odd leaves it in. So a surprise
// makes a statement slow and never wrong: prune_test.go compares the answers.
//
// Plan and statement share one transaction, since now() is a constant in both.
//
// From the same filters follows which event times are asked about, and so which
// holes of the ledger an answer has (holes.go).
//
// # The working directory
//
// While an Engine is open the process's working directory is the lake's root.
// DuckDB takes every "name=value" of a file's path for a column, and reads
// file names as patterns: a lake below "/cases/user_name=bob/" would show
// every user as bob. Relative paths begin inside the lake, where we know every
// name. A caller that holds relative paths of its own makes them absolute
// before Open; two engines at once must be of the same lake.
//
// # Values as text
//
// One form in every text format, so that two outputs can be compared:
//
//   - TIMESTAMPTZ as RFC 3339 in UTC with Z, TIMESTAMP the same without Z, both
//     with as many groups of three decimals as the value needs; years past 9999
//     and before 0 as ISO 8601 writes them (+294247-..., -0043-...)
//   - DATE as YYYY-MM-DD, TIME as hh:mm:ss, infinity and -infinity as words,
//     INTERVAL as DuckDB prints it
//   - DOUBLE in the shortest digits that read back the same, 1.0 and not 1;
//     NaN, Infinity, -Infinity as words (in JSON as strings)
//   - DECIMAL with all digits of its scale
//   - BLOB as lower-case hexadecimal: from_hex() reads it back
//   - lists, structs and maps as JSON, in a cell of csv and table as well
//
// In JSON a whole number or decimal beyond 2^53 is written as a string, since
// most readers would round it; a column of type JSON is written as it is, a
// VARCHAR such as raw as a string. Of two columns of one name the second is
// called name_1 in json, jsonl, parquet and arrow.
//
// NULL is the word in table, box, markdown and line, null in JSON, an empty
// cell in csv (an empty text is ""), \N in tsv. Parquet and Arrow keep types;
// a HUGEINT is DECIMAL(38, 0) there, and what other readers do not know is text
// (columnar.go).
//
// # Text that was chosen by somebody
//
// Control, bidirectional and zero-width characters are shown as \u{..} on a
// terminal, in JSON as \uXXXX, which means the same. In a file or a pipe csv,
// tsv, json, jsonl, parquet and arrow have the text as it is; table, box,
// markdown and line are drawings for people, and show them everywhere. In csv
// and tsv a text that a spreadsheet would run gets an apostrophe in front; in
// markdown what would be markup is escaped.
package query
