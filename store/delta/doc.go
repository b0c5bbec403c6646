// Package delta reads and writes the log of a Delta Lake table: the part of
// the open protocol that a table with reader version 1 and writer version 2
// needs. It knows nothing of activities or of SQL, and of Parquet only what a
// checkpoint is made of.
//
// The words are the protocol's own (PROTOCOL.md of the Delta Lake project):
//
//	Entry      one file _delta_log/<20 digits>.json, a line per action
//	Action     protocol, metaData, add, remove, txn, commitInfo
//	Version    the number of an entry; a table's versions have no gap
//	Snapshot   what the entries 0..version say together: the last metaData and
//	           protocol, and the files added and not removed since
//
// A new entry is put in place only if its version does not exist yet, so that
// of two writers one wins and the other is told. Unknown actions and unknown
// members are tolerated in reading; a protocol version that asks for more than
// this package can do is refused.
//
// Checkpoints are a service to other readers: they say nothing that the entries
// do not say, lack commitInfo, and never stand in for entries here. This package
// writes the classic kind (V1, one file), reads that kind of any writer, and
// says where a checkpoint and the entries disagree.
package delta
