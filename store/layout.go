package store

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mdcalake/store/delta"
)

// Every name, path and limit of the lake has its home here.

// Names in a lake's directory. Ours begin with '_', which Spark, pyarrow and
// Delta take for no data.
const (
	activitiesDir = "activities"
	revisionsDir  = "revisions"
	quarantineDir = "quarantine"
	erasedDir     = "erased"
	pagesDir      = "_pages" // kept response bodies
	privateDir    = "_mdcalake"
	lockName      = "lock"
	readersName   = "readers"
	headName      = "head"
	foldName      = "fold"  // the cached fold
	indexDir      = "index" // the value index
	pendingPrefix = "pending-"
	spillPrefix   = "spill-"
)

const (
	// RowGroupRows is where a row group ends, the size DuckDB hands to a thread.
	RowGroupRows = 122_880
	// rowGroupBytes bounds it where records are large: the record's bytes of
	// one row group, uncompressed.
	rowGroupBytes = 256 << 20
	// rawPageBytes is the size of a page of raw. Larger pages compress better
	// (1 MiB: 12 % less than 128 KiB), a reader of one record unpacks one page.
	rawPageBytes = 1 << 20
	// densePageBytes is the same for files at rest: raw is another 5 to 10 %
	// smaller; unpacking a page takes a few milliseconds.
	densePageBytes = 8 << 20
	// bufferBudget is the memory that waiting rows may take. The process needs
	// about 150 MB more.
	bufferBudget = 160 << 20
	// openWriters is how many cells are encoded at once; each costs memory.
	openWriters = 2
	// mergeMemory is what the files may take that one merge has open, and
	// mergeInputs how many they are at most: each has a descriptor.
	mergeMemory = 128 << 20
	mergeInputs = 128
	// openQuick and openDense are what an open file takes at most, measured: a page
	// of every column, unpacked and as it lies on the disk. Smaller files take
	// less: openFixed for buffers, openRow for each row and openRatio times
	// what they have on the disk, where that is more.
	openQuick = 16 << 20
	openDense = 26 << 20
	openFixed = 512 << 10
	openRow   = 6 << 10
	openRatio = 16
	// rowGroupMemory is about what the pages of a row group have, which a writer
	// keeps until the group is whole.
	rowGroupMemory = 40 << 20
	// compactionMemory is what all merges under way may take, mergesAtOnce of them.
	compactionMemory = 208 << 20
	mergesAtOnce     = 2
	// maxFileBytes is where a merged file is cut, on disk. One that has so much
	// is whole: nothing is merged into it any more.
	maxFileBytes = 512 << 20
	// checkpointEvery is how many entries other programs read at most behind a
	// checkpoint.
	checkpointEvery = 100
	// syncsAtOnce is how many files and directories are synced at once: the
	// journal of the file system takes them together.
	syncsAtOnce = 8
	// idleRows: a partition that has seen no row while so many others went by is
	// finished, in input sorted by time.
	idleRows = 20_000
	// fileRawBytes and fileRows are the most that goes into one file, so that sorting
	// a partition stays within bounded memory: two are written at once. Of the rows
	// that were spilled only their places are all in memory then.
	fileRawBytes = 256 << 20
	fileRows     = 400_000
	// sortedBytes is the raw bytes of rows that are sorted in memory, all of them.
	sortedBytes = 64 << 20
	// verifyIDs is how many hashes of ids verify holds at once: 48 MiB. A lake of
	// 50 million rows takes about ten passes over the column.
	verifyIDs = 6 << 20
	// verifyRepeated is how many ids that seem to stand twice are compared in one
	// pass; none do in a lake that is sound.
	verifyRepeated = 200_000
	// verifyRevisions is how many revisions are compared with activities in one
	// pass: 20 MiB.
	verifyRevisions = 200_000
	// verifyChanged is how many rows of files that another program has taken out or
	// brought are compared in one pass: 48 MiB. Those that are on both sides cancel
	// out as the cells go by.
	verifyChanged = 2 << 20
	// entriesAtOnce is how many entries of the log are parsed before they are
	// folded: enough for all processors, and few megabytes.
	entriesAtOnce = 256
	// foldGrowth is how many bytes of entries the cached fold may be behind while
	// a writer is at work: parsing them takes some 20 ms. Where the fold itself is
	// large, it may be behind by an eighth of it, so that writing it again costs
	// no more than the commits do.
	foldGrowth = 256 << 10
	// foldLagBytes and foldLagEntries are what a writer leaves unfolded.
	foldLagBytes   = 32 << 10
	foldLagEntries = 16
	// sideBytes is the memory that quarantined records may take, and that
	// revisions may take, before they go into a file of their own.
	sideBytes = 16 << 20
)

// limits are those of the above that a test makes small, so that a few rows
// meet all of them. 0: the product's.
type limits struct {
	buffer     int
	idleRows   int64
	fileRaw    int64
	side       int
	checkpoint int64
	contested  int
	piece      int
	batchRows  int64
	indexed    int64
}

func (l limits) orDefaults() limits {
	return limits{
		buffer: cmp.Or(l.buffer, bufferBudget), idleRows: cmp.Or(l.idleRows, idleRows),
		fileRaw: cmp.Or(l.fileRaw, fileRawBytes), side: cmp.Or(l.side, sideBytes),
		checkpoint: cmp.Or(l.checkpoint, checkpointEvery), contested: cmp.Or(l.contested, contestedMemory), piece: cmp.Or(l.piece, pieceBytes), batchRows: cmp.Or(l.batchRows, claimedRows),
		indexed: cmp.Or(l.indexed, indexedRows),
	}
}

// layout builds the paths of one lake.
type layout struct {
	root  string // absolute
	group bool   // --lake-mode group
}

func (l layout) dirMode() fs.FileMode {
	if l.group {
		return 0o750
	}
	return 0o700
}

func (l layout) fileMode() fs.FileMode {
	if l.group {
		return 0o640
	}
	return 0o600
}

// dataMode is for committed data files, which nobody writes again.
func (l layout) dataMode() fs.FileMode { return l.fileMode() &^ 0o222 }

func (l layout) path(rel string) string     { return filepath.Join(l.root, filepath.FromSlash(rel)) }
func (l layout) private(name string) string { return filepath.Join(l.root, privateDir, name) }
func (l layout) logDir() string             { return filepath.Join(l.root, activitiesDir, delta.Dir) }
func (l layout) pending(runID string) string {
	return l.private(pendingPrefix + runID)
}

// tempName is the name a file has until it is whole: hidden, beside its place.
func tempName(rel string) string {
	dir, base := path.Split(rel)
	return dir + "." + base + ".tmp"
}

// NewRunID makes the name of a run: its start in UTC and ten random digits, so
// that runs sort by time and no two share a name.
func NewRunID(started time.Time) string {
	var b [5]byte
	rand.Read(b[:]) // never fails, by its documentation
	return started.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}

// validRunID keeps a run's name fit for being part of a file name.
func validRunID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return true
}

// dataName is the path of a data file: unique by the run's id and a number
// that the run never uses twice.
func dataName(p Partition, runID string, n int) string {
	return fmt.Sprintf("%s/%s/part-%s-%05d.parquet", activitiesDir, p.Dir(), runID, n)
}

func sideName(dir, runID string, n int) string {
	return fmt.Sprintf("%s/part-%s-%05d.parquet", dir, runID, n)
}

// pagePath is where a page is kept: by the page's number in its run, so that
// row.page leads to it.
func pagePath(runID string, page int64) string {
	return fmt.Sprintf("%s/%s/%08d.zst", pagesDir, runID, page)
}

// isPagePath says whether a path is one that pagePath makes.
func isPagePath(rel string) bool {
	runID, file := path.Split(strings.TrimPrefix(rel, pagesDir+"/"))
	runID = path.Clean(runID)
	page, err := strconv.ParseInt(strings.TrimSuffix(file, ".zst"), 10, 64)
	return err == nil && page > 0 && validRunID(runID) && pagePath(runID, page) == rel
}
