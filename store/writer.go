package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mdcalake/store/delta"
)

// WriterOptions say who writes. The zero value works.
type WriterOptions struct {
	ToolVersion string           // of this program, for the log
	Verb        string           // for the message that a second writer gets
	Clock       func() time.Time // nil: the system's
	FS          FS               // nil: the disk
	Group       bool             // modes 0750 and 0640 instead of 0700 and 0600
	// Adopt opens a lake that another program has written to, for Adopt alone.
	Adopt bool
	// SeveralTenants makes a new lake one that takes more than one tenant.
	SeveralTenants bool

	limits limits // zero: the product's; tests set small ones
}

// Writer is a lake opened for writing. There is one per lake at a time, in all
// processes. A lake that does not exist yet is made by the first commit, so
// that a run that fails before leaves no trace.
type Writer struct {
	layout layout
	dir    string // as the person wrote it
	opts   WriterOptions
	lock   *fileLock // nil while the lake does not exist
	made   bool      // its directories are there, and durable
	state  *fold
	cached cachedFold
	values *valueIndex
	open   *Append
	swept  map[string]bool // replaced files that are deleted already
}

// OpenWriter opens or will make the lake in dir, takes the writer's lock,
// reads the log and tidies up what a crash has left. The errors to tell apart
// are ErrLocked, ErrNotALake and ErrForeignCommit.
func OpenWriter(dir string, o WriterOptions) (*Writer, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.FS == nil {
		o.FS = osFS{}
	}
	l, err := newLayout(dir)
	if err != nil {
		return nil, err
	}
	l.group = o.Group
	o.limits = o.limits.orDefaults()
	w := &Writer{layout: l, dir: dir, opts: o, state: newFold(), swept: map[string]bool{}}
	w.values = &valueIndex{w: w}
	there, err := isLake(l)
	if err != nil {
		return nil, w.fault("open lake", plain(err))
	}
	if !there {
		return w, checkNewLake(l, dir)
	}
	// A lake that its group may read stays so, whoever adds to it. The directory
	// to look at is one of ours: the lake's own may have been there before.
	if info, err := os.Stat(filepath.Join(l.root, privateDir)); err == nil && info.Mode().Perm()&0o070 != 0 {
		w.layout.group = true
	}
	if err := checkWritable(l.root, dir); err != nil {
		return nil, err
	}
	if err := w.start(); err != nil {
		w.Close()
		return nil, w.fault("open lake", err)
	}
	return w, nil
}

// start locks an existing lake, reads it and tidies up.
func (w *Writer) start() error {
	if err := w.takeLock(); err != nil {
		return err
	}
	state, cached, err := openLog(w.layout, false)
	if err != nil {
		return err
	}
	w.state = state
	// What no reader can open is not written on, but it may be undone.
	if _, err := state.snapshot(w.layout.root); err != nil && !w.opts.Adopt {
		return err
	}
	// A crash may have come before the first entry: then make has to go on.
	w.made = state.table.Version >= 0
	if err := w.writable(w.opts.Adopt); err != nil {
		return err
	}
	if len(state.broken) > 0 {
		b := state.broken[0]
		return &DamageError{Path: path.Join(activitiesDir, delta.Dir, delta.EntryName(b.version-1)), What: fmt.Sprintf("it is not the entry that entry %d was written after", b.version)}
	}
	if err := w.checkNoted(); err != nil {
		return err
	}
	if err := w.settleLog(); err != nil {
		return err
	}
	w.cached = cached // only now: a lake that may not be written is left as it is
	return w.sweep()
}

// checkNoted refuses a log whose end is not what was noted behind its last
// commit, in _mdcalake/head: whoever commits on it buries what was taken off or
// rewritten. The note is derived and may be gone; it is never ahead of the log.
func (w *Writer) checkNoted() error {
	data, err := os.ReadFile(w.layout.private(headName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	version, sum, ok := parseHead(strings.TrimSpace(string(data)))
	switch {
	case !ok:
		return nil
	case version > w.state.table.Version:
		return &DamageError{
			Path: path.Join(activitiesDir, delta.Dir),
			What: fmt.Sprintf("it ends at entry %d, and %s/%s names entry %d: entries were taken off its end", w.state.table.Version, privateDir, headName, version),
		}
	}
	have, err := w.entrySum(version)
	if err != nil {
		return err
	}
	if have != sum {
		return &DamageError{Path: entryPath(version), What: fmt.Sprintf("its SHA-256 is %s, and %s/%s says %s: it was rewritten", cut(have), privateDir, headName, cut(sum))}
	}
	return nil
}

// entrySum is the SHA-256 of an entry, in hex.
func (w *Writer) entrySum(version int64) (string, error) {
	if version == w.state.table.Version {
		return w.state.head, nil
	}
	data, err := os.ReadFile(filepath.Join(w.layout.logDir(), delta.EntryName(version)))
	return sha256Hex(data), err
}

// writable says whether we may commit on top of the log as it was read.
func (w *Writer) writable(adopting bool) error {
	if err := w.state.table.CanWrite(); err != nil {
		return err
	}
	if n := len(w.state.foreign); n > 0 && !adopting {
		return fmt.Errorf("%w: log entry %d is not mdcalake's", ErrForeignCommit, w.state.foreign[n-1])
	}
	return nil
}

// settleLog makes the entries that were read durable. A writer may have died
// between making its entry visible and syncing the directory; what is deleted
// on the strength of that entry must not outlive it when the power fails.
func (w *Writer) settleLog() error {
	if w.state.table.Version < 0 {
		return nil
	}
	return w.opts.FS.SyncDir(w.layout.logDir())
}

func (w *Writer) takeLock() error {
	if err := w.opts.FS.MkdirAll(filepath.Join(w.layout.root, privateDir), w.layout.dirMode()); err != nil {
		return err
	}
	host, _ := os.Hostname()
	text := fmt.Sprintf("%s, process %d on %s since %s", w.opts.Verb, os.Getpid(), host, w.opts.Clock().UTC().Format(time.RFC3339))
	lock, err := lockExclusive(w.layout.private(lockName), w.layout.fileMode(), text)
	if err != nil {
		return err
	}
	w.lock = lock
	// Readers may be on a mount where they cannot make it.
	readers, err := os.OpenFile(w.layout.private(readersName), os.O_RDONLY|os.O_CREATE, w.layout.fileMode())
	if err != nil {
		return err
	}
	return readers.Close()
}

// make creates a new lake's directories, or those that a crash has kept from
// being made.
func (w *Writer) make() error {
	if w.made {
		return nil
	}
	fsys, mode := w.opts.FS, w.layout.dirMode()
	above := newParents(w.layout.root)
	if err := fsys.MkdirAll(w.layout.root, mode); err != nil {
		return err
	}
	if w.lock == nil {
		if err := w.takeLock(); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(w.layout.logDir(), mode); err != nil {
		return err
	}
	for _, dir := range append([]string{filepath.Join(w.layout.root, activitiesDir), w.layout.root}, above...) {
		if err := fsys.SyncDir(dir); err != nil {
			return err
		}
	}
	// Another process may have made a lake here in the meantime.
	state, err := readLog(w.layout, nil)
	if err != nil {
		return err
	}
	if state.table.Version >= 0 {
		return fmt.Errorf("%w: it made a lake here just now", ErrLocked)
	}
	w.made = true
	return nil
}

// newParents are the directories that get a new name when root is made: those
// above it up to the first that exists, the deepest first.
func newParents(root string) []string {
	var dirs []string
	for dir := filepath.Dir(root); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dirs
		}
	}
}

// Version is the last entry of the log; -1 for a lake without one.
func (w *Writer) Version() int64 { return w.state.table.Version }

// Snapshot is the lake as the last commit left it.
func (w *Writer) Snapshot() (*Snapshot, error) {
	s, err := w.state.snapshot(w.layout.root)
	if err == nil {
		s.Coverage = slices.Clone(s.Coverage) // the next commit may join its rectangles to the last ones
	}
	return s, w.fault("read lake", err)
}

// Close drops what was not committed and lets go of the lock.
func (w *Writer) Close() error {
	if w.open != nil {
		w.open.Abort()
	}
	w.values.drop()
	w.leaveFold()
	err := w.lock.Close()
	w.lock = nil
	return err
}

// nextIngested is the `ingested` of the next commit: whole milliseconds, and
// always more than the commit's before, whatever the clock says.
func (w *Writer) nextIngested() int64 { return max(w.opts.Clock().UnixMilli(), w.state.ingested+1) }

// now is the clock as the ledger writes it.
func (w *Writer) now() time.Time { return w.opts.Clock().UTC().Truncate(time.Millisecond) }

// CheckTenant says whether records of this API host may go into the lake,
// before any is fetched.
func (w *Writer) CheckTenant(host string) error {
	t := w.state.tenant
	if t.Several || t.Host == "" || host == "" || t.Host == host {
		return nil
	}
	return w.fault("write to lake", &TenantError{Have: t.Host, Got: host})
}

// TenantError says whose records were about to be mixed.
type TenantError struct{ Have, Got string }

func (e *TenantError) Error() string {
	return fmt.Sprintf("%v: the lake holds those of %s, these are of %s", ErrTenant, e.Have, e.Got)
}

func (e *TenantError) Unwrap() error { return ErrTenant }

// Hint tells the person what to do.
func (e *TenantError) Hint() string {
	return "use another --lake for this tenant; a lake for several tenants is made with --allow-tenant at its first ingest"
}

// commit writes the next entry.
func (w *Writer) commit(ctx context.Context, actions []delta.Action, e entryText) error {
	now, f := w.opts.Clock(), e.facts
	if err := w.writable(f.Adopted != nil); err != nil {
		return err
	}
	f.Format, f.Previous = f.format(), w.state.head
	version := w.state.table.Version + 1
	if version == 0 {
		id, err := newTableID()
		if err != nil {
			return err
		}
		meta, err := tableMetaData(id, now)
		if err != nil {
			return err
		}
		actions = append([]delta.Action{
			{Protocol: &delta.Protocol{MinReaderVersion: delta.ReaderVersion, MinWriterVersion: delta.WriterVersion}},
			{MetaData: meta},
		}, actions...)
	}
	info := commitInfo{
		Timestamp: now.UnixMilli(), Operation: e.operation, OperationParameters: e.parameters(),
		IsBlindAppend: e.blind, EngineInfo: "mdcalake/" + w.opts.ToolVersion, Mdcalake: f,
	}
	raw, err := encodeJSON(info)
	if err != nil {
		return err
	}
	actions = append([]delta.Action{{CommitInfo: raw}}, actions...)
	entry, err := delta.Encode(actions)
	if err != nil {
		return err
	}
	// The last moment at which nothing has happened yet.
	if err := ctx.Err(); err != nil {
		return err
	}
	werr := delta.WriteEntry(logDir{fs: w.opts.FS, layout: w.layout}, version, entry)
	if werr != nil && !w.visible(version, entry) {
		return werr
	}
	decoded, err := delta.Decode(entry)
	if err != nil {
		return err
	}
	if err := w.state.apply(version, entry, decoded); err != nil {
		return err
	}
	w.cached.behind += int64(len(entry))
	w.cached.entries++
	if werr != nil {
		return werr
	}
	// A convenience for people and scripts; the truth is the log.
	head := fmt.Sprintf("%d:%s\n", version, w.state.head)
	if err := writeFile(w.opts.FS, w.layout.private(headName), []byte(head), w.layout.fileMode()); err != nil {
		return fmt.Errorf("write the head: %w", err)
	}
	return nil
}

// checkpoint writes, now and then, what other programs read in place of the
// entries.
func (w *Writer) checkpoint() error {
	if v := w.state.table.Version; v == 0 || v%w.opts.limits.checkpoint != 0 {
		return nil
	}
	return delta.WriteCheckpoint(logDir{fs: w.opts.FS, layout: w.layout}, w.state.table, w.opts.Clock())
}

// visible says whether the log has this very entry.
func (w *Writer) visible(version int64, entry []byte) bool {
	have, err := os.ReadFile(filepath.Join(w.layout.logDir(), delta.EntryName(version)))
	return err == nil && bytes.Equal(have, entry)
}

func newTableID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // a version 4 UUID
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// fault names the lake in an error; nil stays nil.
func (w *Writer) fault(op string, err error) error {
	if err == nil {
		return nil
	}
	var le *LakeError
	if errors.As(err, &le) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	advice := adviceFor(err)
	switch {
	case errors.Is(err, ErrLocked):
		advice = "wait until it has ended; reading verbs work meanwhile"
	case errors.Is(err, ErrForeignCommit):
		advice = "reading verbs still work; 'mdcalake adopt' checks what it did and takes it over, or undoes it"
	case errors.Is(err, ErrNoLocks):
		advice = "put the lake on a local disk or on a file system with flock"
	}
	return &LakeError{Op: op, Path: w.dir, Err: err, Advice: advice}
}
