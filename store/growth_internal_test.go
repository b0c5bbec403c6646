package store

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mdcalake/store/delta"
	"mdcalake/store/index"
)

// What a commit costs beside a log that has grown, and how much is written in
// all. Bytes and syncs are counted, for they do not depend on the machine.

// countingFS is the disk, and counts what goes to it.
type countingFS struct {
	osFS
	mu    sync.Mutex
	bytes map[string]int64 // by what the file is
	syncs int64
}

func (c *countingFS) Create(path string, mode fs.FileMode) (WritableFile, error) {
	f, err := c.osFS.Create(path, mode)
	return &countedFile{f, c, purposeOf(path)}, err
}

func (c *countingFS) SyncDir(path string) error {
	c.mu.Lock()
	c.syncs++
	c.mu.Unlock()
	return c.osFS.SyncDir(path)
}

type countedFile struct {
	WritableFile
	fs   *countingFS
	kind string
}

func (f *countedFile) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	f.fs.bytes[f.kind] += int64(len(p))
	f.fs.mu.Unlock()
	return f.WritableFile.Write(p)
}

func (f *countedFile) Sync() error {
	f.fs.mu.Lock()
	f.fs.syncs++
	f.fs.mu.Unlock()
	return f.WritableFile.Sync()
}

func purposeOf(path string) string {
	base := filepath.Base(path)
	switch {
	case strings.Contains(base, ".checkpoint.parquet"):
		return "checkpoint"
	case strings.Contains(base, ".parquet"):
		return "data"
	case strings.HasPrefix(base, foldName):
		return "fold"
	case strings.Contains(path, indexDir+"/"):
		return "index"
	case strings.Contains(base, ".json"):
		return "log"
	}
	return "other"
}

// indexed makes the value index of a long log, with so many ids.
func indexed(tb testing.TB, dir string, ids int) {
	tb.Helper()
	l, err := newLayout(dir)
	if err != nil {
		tb.Fatal(err)
	}
	state, err := readLog(l, nil)
	if err != nil {
		tb.Fatal(err)
	}
	head, err := digestOf(state.head)
	if err != nil {
		tb.Fatal(err)
	}
	b := index.Writer{Dir: l.private(indexDir)}.Build(0)
	defer b.Close()
	for i := range ids {
		cell := index.Cell{Day: int32(20000 + i%365), Service: int64(i % 20)}
		if err := b.Add(index.ActivityID, index.Hash(index.ActivityID, fmt.Appendf(nil, "old %d", i)), cell); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := b.Commit(context.Background(), index.Span{From: 0, To: state.table.Version, Head: head}); err != nil {
		tb.Fatal(err)
	}
}

// tail is a run that adds a round of a tail with every commit: three cells, 50
// rows each, of ids that are new.
type tail struct {
	w     *Writer
	a     *Append
	round int
}

// startTail opens a lake whose log has so many commits, and as many ids for each
// as the tail brings.
func startTail(tb testing.TB, commits int, fsys FS) *tail {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "lake")
	longLog(tb, dir, commits)
	indexed(tb, dir, 150*commits)
	w, err := OpenWriter(dir, WriterOptions{FS: fsys})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	return follow(tb, w)
}

// follow starts a tail's run.
func follow(tb testing.TB, w *Writer) *tail {
	tb.Helper()
	now := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	a, err := w.Begin(Run{RunID: NewRunID(now), Started: now, Outcome: OutcomeRunning, Verb: "ingest"})
	if err != nil {
		tb.Fatal(err)
	}
	return &tail{w: w, a: a}
}

func (l *tail) commit(tb testing.TB) {
	tb.Helper()
	l.round++
	at := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(l.round) * 5 * time.Minute)
	for service := range int64(3) {
		for i := range 50 {
			r := busyRow(i)
			r.Strings[ActivityID] = r.addText(fmt.Sprintf("new %d %d %d", l.round, service, i))
			r.ContentHash += int64(l.round)
			r.SetNumber(Timestamp, at.UnixMilli()+int64(i))
			r.SetNumber(AppID, service)
			r.Has &^= 1 << TenantID
			if err := l.a.Add(context.Background(), r); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if _, err := l.a.Commit(context.Background(), Commit{Run: l.a.Run()}); err != nil {
		tb.Fatal(err)
	}
}

// A year of rounds must not make the next round dearer. What is written of the
// whole lake (the cached fold, a checkpoint) is written as seldom as the log
// grows by a share of it.
func TestACommitCostsNoMoreBesideALongLog(t *testing.T) {
	const commits = 40 // with a checkpoint among them
	cost := func(behind int) (*countingFS, *tail) {
		c := &countingFS{bytes: map[string]int64{}}
		l := startTail(t, behind, c)
		for range commits {
			l.commit(t)
		}
		t.Logf("behind %d commits: %d bytes and %d syncs a commit: %v", behind, total(c.bytes)/commits, c.syncs/commits, c.bytes)
		return c, l
	}
	short, _ := cost(170)
	long, l := cost(2070)
	if long.syncs != short.syncs {
		t.Errorf("%d syncs, and %d behind a short log", long.syncs, short.syncs)
	}
	for _, kind := range []string{"data", "log", "index", "other"} {
		if have, most := long.bytes[kind], short.bytes[kind]*11/10; have > most || have == 0 {
			t.Errorf("%d bytes of %s, %d behind a short log", have, kind, short.bytes[kind])
		}
	}
	// The first of them finds no cached fold.
	if have, most := long.bytes["fold"], 2*l.w.cached.size; have > most || have == 0 {
		t.Errorf("%d bytes of the cached fold in %d commits, which has %d", have, commits, l.w.cached.size)
	}
	checkpoint, err := os.Stat(filepath.Join(l.w.layout.logDir(), delta.CheckpointName(2100)))
	if err != nil || long.bytes["checkpoint"] > 2*checkpoint.Size() {
		t.Errorf("%d bytes of checkpoints in %d commits: %v", long.bytes["checkpoint"], commits, err)
	}
}

// A day of slivers is written once, with few syncs, however many files it has.
func TestACompactionWritesEachRowOnce(t *testing.T) {
	c := &countingFS{bytes: map[string]int64{}}
	dir := filepath.Join(t.TempDir(), "lake")
	w, err := OpenWriter(dir, WriterOptions{FS: c})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	l := follow(t, w)
	const rounds = 24
	for range rounds {
		l.commit(t)
	}
	l.a.Close()
	s, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	c.bytes, c.syncs = map[string]int64{}, 0
	plan := PlanCompaction(s, CompactOptions{All: true, Now: time.Now()})
	sum, err := w.Compact(context.Background(), plan, Run{RunID: "compaction", Outcome: OutcomeComplete, Verb: "compact"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = w.Snapshot(); err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, f := range s.Files {
		size += f.Size
	}
	t.Logf("%d files, %d bytes; %d files after, %d bytes; written %v with %d syncs", sum.Before, sum.Read, sum.After, size, c.bytes, c.syncs)
	if sum.Before != 3*rounds || sum.After != 3 || len(s.Files) != 3 {
		t.Errorf("%d files of %d, and %d in the lake", sum.After, sum.Before, len(s.Files))
	}
	if c.bytes["data"] != size || sum.Written != size {
		t.Errorf("%d bytes were written, %d by its own account, for files of %d", c.bytes["data"], sum.Written, size)
	}
	// Of the three files and their cells, once of all their names, and what any
	// commit takes.
	if c.syncs > 18 {
		t.Errorf("%d syncs", c.syncs)
	}
}

func total(bytes map[string]int64) (n int64) {
	for _, b := range bytes {
		n += b
	}
	return n
}

// BenchmarkCommit is a round of a tail, beside logs of so many commits.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{100, 5000, 50_000} {
		l := startTail(b, n, nil)
		b.Run(fmt.Sprintf("commits=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.commit(b)
			}
		})
	}
}
