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
//	Run         one invocation of a verb that adds records
//	Batch       the records of a run since its last commit
//	Head        version and SHA-256 of the last entry
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
//	judge           duplicate, revision or new? (dedupe.go)
//	tableWriter     columns, pages, a file beside its place (parquet.go, cellwrite.go)
//	Append.Commit   directories synced, then the entry (commit.go, writer.go)
//
// and out: Open reads the log and folds it into a Snapshot (lake.go, parse.go, entry.go),
// most of it by way of the cached fold (foldcache.go, foldcodec.go, foldstate.go);
// the query engine reads the files by itself. Verify reads everything again and
// compares (verify.go and its neighbours).
package store
