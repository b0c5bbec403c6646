// Package store is the lake: what is on the disk, and what that promises.
// FORMAT.md beside this file is the truth about names, fields and the order of
// writes.
//
// The words:
//
//	Lake        a directory that holds the activities of one tenant
//	Table       activities (a Delta table), revisions, quarantine
//	Partition   a cell of activities: a UTC day and a service
//	Row         an activity: the record's bytes and the columns lifted from them
//	File        a Parquet file that the log names; it never changes
//	Entry       one file of the Delta log: what one commit changed
//	Snapshot    the lake at one version of the log, as a reader sees it
//	Run         one invocation of a verb that writes
//	Batch       the records of a run since its last commit
//	Head        version and SHA-256 of the last entry
//	Fold        what the entries up to one version say together
//	Cell        a partition, where files and ids are looked for
//	Value index which cells may hold a value (store/index); derived
//	Adoption    what became of entries that another program wrote
//	Coverage    which events were asked for, and how that ended
//
// The promises. A batch becomes part of the lake whole, with everything that
// is known about it, at the moment when its entry appears in the log; before
// that, and after a crash before that, it does not exist. A record that the
// lake has is not added again. A reader sees one version, whatever is written
// meanwhile. Nothing is removed that a log entry or a pending file of ours did
// not name.
//
// How a row comes in:
//
//	Append.Add      encodes it into its partition's waiting rows (buffer.go)
//	relieve, drain  choose partitions to be written, or spilled (append.go, commit.go)
//	setAside        could its id stand in another cell? then it waits (settle.go)
//	judge           duplicate, revision or new? (dedupe.go, past.go)
//	tableWriter     its parts to their columns, in a file beside its place (parquet.go, cellwrite.go)
//	Writer, Leaf    dictionaries, pages, the footer (store/parquetfile)
//	settle          the rows that waited, one id after the other
//	transaction     names noted, files whole, directories synced, then the entry
//
// and out: Open takes the cached fold and folds the entries behind it into a
// Snapshot (lake.go, foldcache.go, fold.go); the query engine reads the files by
// itself. Verify reads everything again and compares (verify*.go).
//
// The other verbs are plans, pure values that can be printed, carried out
// through a transaction of their own: compact.go and compact_run.go, purge.go,
// adoptplan.go and adopt.go. What a crash has left, sweep.go takes away.
package store
