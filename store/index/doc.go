// Package index is the value index of a lake: from the hash of a value to the
// cells that may hold it.
//
// The words:
//
//	Value     an id, a user name, an address ... of one Kind
//	Hash      64 bits of the folded value (hash.go)
//	Cell      a partition of the lake: a UTC day and a service
//	Entry     (kind, hash, cell): some row of the cell has a value with the hash
//	Run       an immutable, sorted file of the entries that some log versions brought
//	Covered   the versions 0..n that the runs in use know without a gap
//	Stray     a file of ours that is not in use: merged into another, damaged, half written
//
// The promise: for every value of a row that a covered version added, Cells
// and Lookup name the row's cell, or return an error. They may name a cell too
// many (two values of one hash; rows that were purged since), never one too
// few. What no version up to Covered added, the index does not know: files of
// later versions may hold anything. So whoever asks takes the cells that are
// named, and all files newer than Covered; and after any error, everything.
//
// The index is derived from the lake's files and holds nothing else. When in
// doubt it is thrown away and built again; it is evidence of nothing.
//
// How it is used:
//
//	Writer.Append     a commit's entries become a run
//	PlanMerge, Merge  small runs become larger ones; RemoveStray takes the old ones away
//	Writer.Build      a rebuild: any number of entries in any order
//	Open              what the directory holds now; no lock, no write
//	Cells, Lookup     one value; 200,000 ids in one pass
//	Check             reads all of it and compares, for verify
//
// # Names, and why there is no list of them
//
// A run is run-<from>-<to>.idx, both in 20 digits: the log versions that it
// covers, ends included. Its footer says the same, and gives the SHA-256 of
// the log entry before from and of entry to. The runs in use are a chain from
// version 0: each begins where the one before ends, with the same digest
// there. Of several chains Open takes one that reaches furthest, and of those
// one with the fewest runs: a merged run in place of those it was made of.
//
// A list (manifest) would be a second truth to be kept in step. The names
// suffice because every run is true by itself whatever else is there: it holds
// all that its versions brought, and has its own table of cells, so that no
// number in it depends on another file. A file that is missing, damaged or of
// an unknown version only makes the chain shorter. A run of another lake, or
// of a log that was set back and went on differently, does not fit by its
// digests; the caller compares the last one (Covered) with its log.
//
// # Order of writes
//
//  1. .run-<from>-<to>.idx.tmp is created (a leftover of that name is removed
//     before), written, synced, closed
//  2. it is renamed to its name: here the run begins to exist
//  3. the directory is synced; now Append, Commit or Merge returns
//  4. after a merge, when the caller wants it: RemoveStray
//
// A crash in 1 leaves a temporary file that nobody reads; in 2 and 3 the run
// is there whole or not at all; in 4 some old runs, which the merged one
// replaces. Readers that have an old run open keep it (POSIX). A Builder's
// spilled parts lose their names as soon as they are written.
//
// # FORMAT
//
// Version 1. Numbers are little-endian. Checksums are CRC-32C.
//
//	blocks   B x 4096 bytes
//	fences   B x 8 bytes: the first hash of each block
//	cells    C x 12 bytes: day (int32, days since 1970), service (int64); ascending
//	footer   4096 bytes
//
// A block holds up to 340 entries of one kind; every block but the last one of
// its kind is full:
//
//	   0  340 x 12  hash (uint64), cell (uint32: index into the table of cells);
//	                ascending by both, no entry twice; zeros behind the last
//	4080  4         number of the block, from 0
//	4084  4         entries in it
//	4088  4         kind
//	4092  4         checksum of the 4092 bytes before it
//
// The footer. It stands at the end because a run is written once, front to
// back, and only then is it known how much there is:
//
//	   0  8    "mdcaIDX\n"
//	   8  4    format version, 1
//	  12  4    hash version, 1: the function Hash, its seeds and its folding table
//	  16  8    from
//	  24  8    to
//	  32  32   SHA-256 of log entry from-1; zeros where from is 0
//	  64  32   SHA-256 of log entry to
//	  96  8    B, blocks
//	 104  8    C, cells
//	 112  8    size of the file
//	 120  4    checksum of the fences
//	 124  4    checksum of the cells
//	 128  4    K, kinds
//	 132  4    0
//	 136  32 K for each kind, ascending: kind (1 byte, 7 x 0), entries (uint64),
//	           least hash, greatest hash
//	4092  4    checksum of the 4092 bytes before it
//
// Checksums of blocks, fences and cells do not start at 0 but at the checksum
// of bytes 16 to 96 of the footer (versions and digests), so that a block of
// another run does not pass for one of this.
//
// So each byte of a run is under a checksum, and each is checked whenever it is
// read: a lookup checks the blocks that it looks at (a quarter of the
// time below). There is no sum over the whole file, which only a reader of the
// whole file could check, and no lookup is ever answered from bytes that nobody
// looked at. Against someone who forges checksums there is no protection.
//
// A run is a function of its span and its set of entries: order, memory and
// the way it was merged leave no trace in its bytes.
//
// # Sums
//
// An entry takes 12.07 bytes: 50 million ids are 604 MB, 5 % of a lake of 230
// bytes a record. A run is at least a footer and a block for each kind, 28 KB.
// Merging (PlanMerge) writes an entry 2 + log4(N/n) times at the most; a year
// of hourly commits of 6,000 entries comes to 5.6 times and at most 19 runs. A
// lookup needs in memory 8 bytes for 340 entries, 16 for a cell and run, and
// a window of 256 KiB.
//
// # Measured before deciding
//
// 200,000 ids, all present and all absent, against 50 million in 7,300 cells; 2
// cores, shared with other work; the file in the page cache:
//
//	                            bytes/id  build    present  absent   anonymous   file pages
//	this format, one run        12.07     9.7 s    0.10 s   0.10 s   7 to 9 MiB    6 MiB
//	  not merged, ten runs      12.07     7.7 s    0.18 s   0.17 s   8 to 10 MiB   6 MiB
//	  one run, through mmap     12.07     same     0.09 s   0.09 s   7 to 8 MiB  580 MiB
//	Pebble 2.1.7 sstable:
//	  row blocks, 4 KiB         21.93    10.3 s    1.6 s    1.8 s    4 MiB       17 MiB
//	  row blocks, 32 KiB snappy 13.67    13.3 s    7.2 s    8.4 s    4 MiB       17 MiB
//	  columnar, 4 KiB           12.61     9.8 s    0.90 s   0.86 s   4 MiB       14 MiB
//	  columnar, 32 KiB          12.37     6.2 s    1.9 s    2.1 s    4 MiB       17 MiB
//
// (Build is from entries in random order within a Builder's 64 MiB for this
// format, peak of the whole process 82 MiB; for Pebble only the writing of
// entries that were sorted already. Lookups of Pebble are seeks in order,
// without a block cache; reading a whole table takes it 1.1 to 3.5 s. The times
// are the better ones of several, on a machine with a load of 4 to 5.)
// An array of our own is smaller and nine times as fast, because it knows that
// keys are random and of one width, and that questions come sorted and by the
// hundred thousand. It costs 1,800 lines, comments included, and no dependency.
//
// Entries as pairs, or hashes and cells of a block apart: no difference in
// time, and pairs are simpler.
//
// # Why not mmap
//
// Questions for 200,000 of 50 million ids touch nearly every page. Through a
// map the process then shows the whole file as resident, beyond the 96 MiB that
// it may have; and a disk that fails or a file that becomes shorter kills the
// process with a signal, where ReadAt returns an error. ReadAt into a window
// costs a tenth more, and less for the first pass, which has to map the pages
// (0.12 to 0.16 s against 0.16 to 0.24 s). One value alone is one ReadAt of 4
// KiB in each run: 4 microseconds, 2 through a map.
package index
