package store

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"mdcalake/store/delta"
	"mdcalake/store/parquetfile"
)

// transaction is how every verb changes a lake: names are noted, files made
// whole under them, and then one entry of the log makes all of it true. What
// was not committed never happened. A run is one transaction of any number of
// commits; its file names are never used twice. FORMAT.md argues the order.
//
// Its methods may be called from several goroutines at once, except for commit
// and abandon.
type transaction struct {
	w     *Writer
	runID string

	mu       sync.Mutex
	pending  WritableFile // nil: no name is noted
	nextFile int
	change
}

// change is what the next entry says of files.
type change struct {
	adds    map[string]newFile     // to activities, by path in the lake
	added   map[Partition][]string // of adds, by cell; also such as have gone again
	removes map[string]File        // committed files of activities
	sides   map[string]*sideEdit
	pages   map[int64]bool  // kept, by their number in the run
	dirs    map[string]bool // to be synced
}

// sideEdit is the same for a table that Delta does not know.
type sideEdit struct {
	adds    []newFile
	removes []string
}

// newFile is a file that is whole on the disk and not part of the lake yet.
type newFile struct {
	path      string
	partition Partition
	size      int64
	sha256    string
	rows      int64
	stats     Stats
	level     int // of compression
}

func newChange() change {
	return change{
		adds: map[string]newFile{}, added: map[Partition][]string{}, removes: map[string]File{}, pages: map[int64]bool{}, dirs: map[string]bool{},
		sides: map[string]*sideEdit{revisionsDir: {}, quarantineDir: {}, erasedDir: {}},
	}
}

// begin starts a transaction whose files bear the run's name.
func (w *Writer) begin(runID string) *transaction {
	return &transaction{w: w, runID: runID, nextFile: 1, change: newChange()}
}

// prepare makes the lake and the pending file when the first name is needed.
func (t *transaction) prepare() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.w.make(); err != nil {
		return err
	}
	if t.pending != nil {
		return nil
	}
	f, err := t.w.opts.FS.Create(t.w.layout.pending(t.runID), t.w.layout.fileMode())
	if err != nil {
		return err
	}
	t.pending = f
	return t.w.opts.FS.SyncDir(filepath.Join(t.w.layout.root, privateDir))
}

// dataName names a data file of a cell, given its number.
func (t *transaction) dataName(p Partition) func(int) string {
	return func(n int) string { return dataName(p, t.runID, n) }
}

func (t *transaction) sideName(dir string) func(int) string {
	return func(n int) string { return sideName(dir, t.runID, n) }
}

// reserve takes names for files to come and makes them durable in the pending
// file, all with one sync, before any of the files exists.
func (t *transaction) reserve(names ...func(n int) string) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(names) == 0 {
		return nil, nil
	}
	var lines []byte
	var reserved []string
	for _, name := range names {
		rel := name(t.nextFile)
		t.nextFile++
		reserved = append(reserved, rel)
		lines = append(append(lines, rel...), '\n')
	}
	if _, err := t.pending.Write(lines); err != nil {
		return nil, err
	}
	if err := t.pending.Sync(); err != nil {
		return nil, err
	}
	for _, rel := range reserved {
		if err := t.makeDirs(path.Dir(rel)); err != nil {
			return nil, err
		}
	}
	return reserved, nil
}

func (t *transaction) reserveOne(name func(n int) string) (string, error) {
	reserved, err := t.reserve(name)
	if err != nil {
		return "", err
	}
	return reserved[0], nil
}

// makeDirs makes the directories of a file and notes those whose names have to
// be made durable before the commit.
func (t *transaction) makeDirs(rel string) error {
	if t.dirs[rel] {
		return nil
	}
	if err := t.w.opts.FS.MkdirAll(t.w.layout.path(rel), t.w.layout.dirMode()); err != nil {
		return err
	}
	for d := rel; ; d = path.Dir(d) {
		t.dirs[d] = true
		if d == "." {
			return nil
		}
	}
}

// syncDirs makes the names of the files durable.
func (t *transaction) syncDirs() error {
	var g errgroup.Group
	g.SetLimit(syncsAtOnce)
	for _, dir := range sortedKeys(t.dirs) {
		g.Go(func() error { return t.w.opts.FS.SyncDir(t.w.layout.path(dir)) })
	}
	return g.Wait()
}

// cellFiles are the files of a cell as the change would leave it; committed
// are those of the log.
func (t *transaction) cellFiles(p Partition, committed []string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var files []string
	for _, path := range committed {
		if _, gone := t.removes[path]; !gone {
			files = append(files, path)
		}
	}
	for _, path := range t.added[p] {
		if _, there := t.adds[path]; there {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files
}

// rowsIn is how many rows files of activities have.
func (t *transaction) rowsIn(paths []string) (rows int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, path := range paths {
		if f, fresh := t.adds[path]; fresh {
			rows += f.rows
		} else {
			rows += t.w.state.files[path].Rows
		}
	}
	return rows
}

// remove takes a file of activities out of the lake, whether it is committed
// or only of this change.
func (t *transaction) remove(path string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, fresh := t.adds[path]; fresh {
		delete(t.adds, path)
		return t.w.removeIfThere(path)
	}
	f, ok := t.w.state.files[path]
	if !ok {
		return fmt.Errorf("remove %q: the log does not name it", path)
	}
	t.removes[path] = f
	return nil
}

// rewrite puts a copy of a file of activities, without some of its rows, in
// its place; nothing, if no row is left.
func (t *transaction) rewrite(ctx context.Context, path string, without map[int32]bool) error {
	t.mu.Lock()
	f, fresh := t.adds[path]
	committed := t.w.state.files[path]
	if !fresh {
		f = newFile{partition: committed.Partition, rows: committed.Rows, level: committed.Level}
	}
	t.mu.Unlock()
	if !fresh {
		if err := t.w.layout.intact(committed); err != nil {
			return err
		}
	}
	if int64(len(without)) < f.rows {
		if err := t.copyFile(ctx, f, path, without); err != nil {
			return err
		}
	}
	return t.remove(path)
}

func (t *transaction) copyFile(ctx context.Context, old newFile, path string, without map[int32]bool) error {
	name, err := t.reserveOne(t.dataName(old.partition))
	if err != nil {
		return err
	}
	f, err := t.newData(old.partition, name, formOf(old.level))
	if err != nil {
		return err
	}
	err = copyRows(ctx, t.w.layout, path, f.table, nil, func(index int64) bool { return !without[int32(index)] })
	if err != nil {
		return f.abandon(err)
	}
	if err := f.table.close(); err != nil {
		return f.abandon(err)
	}
	return t.finish(f)
}

// newFile begins a file whose name is reserved.
func (t *transaction) newFile(rel string) (*openFile, error) {
	temp := t.w.layout.path(tempName(rel))
	f, err := t.w.opts.FS.Create(temp, t.w.layout.fileMode())
	if err != nil {
		return nil, err
	}
	return &openFile{fs: t.w.opts.FS, path: rel, temp: temp, f: f}, nil
}

// newTable begins a Parquet file of rows.
func (t *transaction) newTable(rel string, columns []Column, withKeys bool, as parquetfile.Form) (*openFile, error) {
	f, err := t.newFile(rel)
	if err != nil {
		return nil, err
	}
	f.table, err = newTableWriter(f.f, columns, withKeys, t.w.opts.ToolVersion, as)
	if err != nil {
		return nil, f.abandon(err)
	}
	f.sink = f.table.sink
	return f, nil
}

// newData begins a file of activities in a cell.
func (t *transaction) newData(p Partition, rel string, as parquetfile.Form) (*openFile, error) {
	f, err := t.newTable(rel, Columns, false, as)
	if err != nil {
		return nil, err
	}
	f.partition = p
	return f, nil
}

// finish seals a closed file of activities and adds it to the change.
func (t *transaction) finish(f *openFile) error {
	if err := f.seal(t.w.layout); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.adds[f.path] = f.newFile(f.table.rows, f.table.stats)
	t.added[f.partition] = append(t.added[f.partition], f.path)
	return nil
}

// finishSide is finish for a file of another table.
func (t *transaction) finishSide(f *openFile, rows int64, stats Stats) error {
	if err := f.seal(t.w.layout); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	side := t.sides[sideDir(f.path)]
	side.adds = append(side.adds, f.newFile(rows, stats))
	return nil
}

// removeSide takes a committed file of another table out of the lake.
func (t *transaction) removeSide(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	side := t.sides[sideDir(path)]
	side.removes = append(side.removes, path)
}

// sideDir is the table of a side file: the first part of its path.
func sideDir(rel string) string { return path.Dir(rel) }

// entryText is what an entry of the log says beside its files.
type entryText struct {
	operation  string         // in Delta's words, where it has one: WRITE, OPTIMIZE, DELETE, RESTORE
	dataChange bool           // false: the rows are the same as before
	blind      bool           // nothing that was committed was looked at or replaced
	again      []delta.Action // what the log has said before, and says again
	facts      *facts
}

func (e entryText) parameters() map[string]string {
	if e.operation == "WRITE" {
		return map[string]string{"mode": "Append"}
	}
	return map[string]string{}
}

// commit makes the change true. An error is a *CommittedError where the lake is
// as after it all the same: what follows the entry may fail. Without a head in
// the receipt, nothing has changed.
func (t *transaction) commit(ctx context.Context, e entryText) (Receipt, error) {
	actions, err := t.ready(&e)
	if err != nil {
		return Receipt{}, err
	}
	before, head := t.w.state.table.Version, t.w.state.head
	err = t.w.commit(ctx, actions, e)
	if t.w.state.table.Version == before {
		return Receipt{}, err
	}
	receipt := Receipt{Version: t.w.state.table.Version, Head: t.w.state.head, Run: *e.facts.Run, Files: len(t.adds)}
	t.change = newChange()
	// The lake is as after it; the rest is convenience and tidying up.
	for _, step := range []func() error{
		t.w.checkpoint, func() error { return t.w.values.committed(head) }, t.dropPending, t.w.sweepRemoved,
	} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		return receipt, &CommittedError{Receipt: receipt, Err: err}
	}
	t.w.keepFold()
	return receipt, nil
}

// ready makes all durable that the entry will name, and answers its actions.
func (t *transaction) ready(e *entryText) ([]delta.Action, error) {
	if err := t.prepare(); err != nil {
		return nil, err
	}
	if err := t.syncDirs(); err != nil {
		return nil, err
	}
	for dir, into := range map[string]**sideChange{revisionsDir: &e.facts.Revisions, quarantineDir: &e.facts.Quarantine, erasedDir: &e.facts.Erased} {
		change, err := t.sides[dir].change()
		if err != nil {
			return nil, err
		}
		*into = change
	}
	e.blind = e.operation == "WRITE" && len(t.removes) == 0
	actions, err := t.actions(e.dataChange)
	return append(actions, e.again...), err
}

// actions are what the change means for the Delta table.
func (t *transaction) actions(dataChange bool) ([]delta.Action, error) {
	now := t.w.opts.Clock().UnixMilli()
	var actions []delta.Action
	for _, path := range sortedKeys(t.removes) {
		f := t.removes[path]
		actions = append(actions, delta.Action{Remove: &delta.Remove{
			Path: deltaPath(path), DeletionTimestamp: now, DataChange: dataChange, ExtendedMetadata: true,
			PartitionValues: partitionValues(f.Partition), Size: f.Size,
		}})
	}
	for _, path := range sortedKeys(t.adds) {
		f := t.adds[path]
		stats, err := f.stats.encode(f.rows)
		if err != nil {
			return nil, err
		}
		tags := map[string]string{tagSHA256: f.sha256}
		if f.level > quick.Level {
			tags[tagLevel] = strconv.Itoa(f.level)
		}
		actions = append(actions, delta.Action{Add: &delta.Add{
			Path: deltaPath(path), PartitionValues: partitionValues(f.partition), Size: f.size, ModificationTime: now,
			DataChange: dataChange, Stats: stats, Tags: tags,
		}})
	}
	return actions, nil
}

func deltaPath(rel string) string { return delta.EncodePath(rel[len(activitiesDir)+1:]) }

func partitionValues(p Partition) map[string]*string {
	date, service := p.Date(), fmt.Sprint(p.Service)
	return map[string]*string{"date": &date, "service": &service}
}

// change is the edit as the entry holds it; nil: there is none.
func (s *sideEdit) change() (*sideChange, error) {
	if len(s.adds) == 0 && len(s.removes) == 0 {
		return nil, nil
	}
	c := &sideChange{Remove: s.removes}
	for _, f := range s.adds {
		stats, err := f.stats.encode(f.rows)
		if err != nil {
			return nil, err
		}
		c.Add = append(c.Add, sideFile{Path: f.path, Size: f.size, SHA256: f.sha256, Rows: f.rows, Stats: stats})
	}
	return c, nil
}

func (t *transaction) dropPending() error {
	err := t.pending.Close()
	t.pending = nil
	if rerr := t.w.opts.FS.Remove(t.w.layout.pending(t.runID)); err == nil {
		err = rerr
	}
	return err
}

// abandon drops what was not committed. What cannot be deleted now (a full or
// vanished disk) the next writer deletes.
func (t *transaction) abandon() {
	if t.pending == nil {
		return
	}
	t.pending.Close()
	t.pending = nil
	if t.w.lock == nil {
		return
	}
	// A commit may have become visible though it answered an error: what the log
	// names stays, so the log is asked again before anything goes.
	state, cached, err := openLog(t.w.layout, false)
	if err != nil {
		return
	}
	t.w.state, t.w.cached = state, cached
	if t.w.settleLog() != nil {
		return // the next writer tidies up
	}
	t.w.sweepPending(t.w.layout.pending(t.runID))
}
