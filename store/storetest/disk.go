package storetest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mdcalake/store"
)

// ErrStopped is what every operation of a stopped Disk answers: the process
// behind it is dead, as far as the files can tell.
var ErrStopped = errors.New("the process was stopped here")

// ErrFull is a disk without space.
var ErrFull = syscall.ENOSPC

// Disk is a store.FS over real files that writes down what is done, breaks on
// cue, and knows what would be left if the power failed: the bytes of a file up
// to its last Sync, and the names of a directory as of its last SyncDir. It
// never syncs the real disk.
//
// Files that the store makes without FS (its locks, the spilled rows) are not
// seen and do not survive.
type Disk struct {
	t    testing.TB
	root string

	mu     sync.Mutex
	tree   *node
	ops    []string
	count  int // since the last Stop, Fail or Mend
	at     int // 0: never
	err    error
	onward bool // everything from there on fails
}

// node is a file or a directory; a file may have several names.
type node struct {
	dir     bool
	mode    fs.FileMode
	data    []byte // files are only ever appended to
	synced  int    // how much of it is durable
	names   map[string]*node
	durable map[string]*node
}

// NewDisk is a disk whose files lie below root. What is there already is
// durable.
func NewDisk(t testing.TB, root string) *Disk {
	t.Helper()
	d := &Disk{t: t, root: root}
	d.tree = d.load(root)
	return d
}

func (d *Disk) load(path string) *node {
	info, err := os.Lstat(path)
	if err != nil {
		d.t.Fatal(err)
	}
	n := &node{dir: info.IsDir(), mode: info.Mode().Perm()}
	if !n.dir {
		if n.data, err = os.ReadFile(path); err != nil {
			d.t.Fatal(err)
		}
		n.synced = len(n.data)
		return n
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		d.t.Fatal(err)
	}
	n.names = map[string]*node{}
	for _, e := range entries {
		n.names[e.Name()] = d.load(filepath.Join(path, e.Name()))
	}
	n.durable = maps.Clone(n.names)
	return n
}

// StopAt makes the nth operation from now (1 is the next one) and all that
// follow it fail without effect; of a Write, half the bytes arrive.
func (d *Disk) StopAt(n int) { d.breakAt(n, ErrStopped, true) }

// FailAt makes the nth operation from now fail, and only that one.
func (d *Disk) FailAt(n int, err error) { d.breakAt(n, err, false) }

// FillAt makes the disk full at the nth operation from now: whatever needs
// space fails from there on, and half the bytes of a Write arrive.
func (d *Disk) FillAt(n int) { d.breakAt(n, ErrFull, true) }

// Mend takes back what StopAt and its like have ordered.
func (d *Disk) Mend() { d.breakAt(0, nil, false) }

func (d *Disk) breakAt(n int, err error, onward bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count, d.at, d.err, d.onward = 0, n, err, onward
}

// Broke says whether the operation that was to fail has been reached.
func (d *Disk) Broke() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at > 0 && d.count >= d.at
}

// Ops are the operations so far that took effect, with paths relative to root.
func (d *Disk) Ops() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.ops)
}

// Forget empties the list of operations.
func (d *Disk) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = nil
}

// step counts an operation and says whether it fails. Called with the mutex
// held.
func (d *Disk) step(needsSpace bool) error {
	d.count++
	if d.at == 0 || d.count < d.at || d.count > d.at && !d.onward {
		return nil
	}
	if d.err == ErrFull && d.onward && !needsSpace {
		return nil
	}
	return d.err
}

func (d *Disk) done(op string, paths ...string) {
	for _, p := range paths {
		op += " " + d.rel(p)
	}
	d.ops = append(d.ops, op)
}

func (d *Disk) rel(path string) string {
	rel, err := filepath.Rel(d.root, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		d.t.Errorf("an operation outside %q: %q", d.root, path)
	}
	return filepath.ToSlash(rel)
}

// at finds the directory of a path, and takes notice of directories that were
// made without us.
func (d *Disk) parent(path string) (dir *node, name string) {
	rel := d.rel(path)
	if rel == "." {
		return &node{dir: true, names: map[string]*node{".": d.tree}}, "."
	}
	parts := strings.Split(rel, "/")
	dir = d.tree
	for _, p := range parts[:len(parts)-1] {
		next := dir.names[p]
		if next == nil || !next.dir {
			return &node{dir: true, names: map[string]*node{}}, parts[len(parts)-1] // the real disk says what is wrong
		}
		dir = next
	}
	return dir, parts[len(parts)-1]
}

// Create makes a file.
func (d *Disk) Create(path string, mode fs.FileMode) (store.WritableFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	n := &node{mode: mode}
	dir, name := d.parent(path)
	dir.names[name] = n
	d.done("create", path)
	return &diskFile{d: d, f: f, path: path, node: n}, nil
}

// MkdirAll makes directories.
func (d *Disk) MkdirAll(path string, mode fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	dir := d.tree
	for _, p := range strings.Split(d.rel(path), "/") {
		if p == "." {
			continue
		}
		if dir.names[p] == nil {
			dir.names[p] = &node{dir: true, mode: mode, names: map[string]*node{}, durable: map[string]*node{}}
		}
		dir = dir.names[p]
	}
	d.done("mkdir", path)
	return nil
}

// Rename moves a name.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	a, x := d.parent(from)
	b, y := d.parent(to)
	b.names[y] = a.names[x]
	delete(a.names, x)
	d.done("rename", from, to)
	return nil
}

// Link gives a file a second name.
func (d *Disk) Link(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: err}
	}
	if err := os.Link(from, to); err != nil {
		return err
	}
	a, x := d.parent(from)
	b, y := d.parent(to)
	b.names[y] = a.names[x]
	d.done("link", from, to)
	return nil
}

// Remove takes a name away.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	dir, name := d.parent(path)
	delete(dir.names, name)
	d.done("remove", path)
	return nil
}

// Chmod changes a mode.
func (d *Disk) Chmod(path string, mode fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return &fs.PathError{Op: "chmod", Path: path, Err: err}
	}
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	dir, name := d.parent(path)
	dir.names[name].mode = mode
	d.done(fmt.Sprintf("chmod %o", mode), path)
	return nil
}

// SyncDir makes a directory's names durable.
func (d *Disk) SyncDir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return &fs.PathError{Op: "sync", Path: path, Err: err}
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	dir, name := d.parent(path)
	n := dir.names[name]
	n.durable = maps.Clone(n.names)
	d.done("syncdir", path)
	return nil
}

type diskFile struct {
	d    *Disk
	f    *os.File
	path string
	node *node
}

func (f *diskFile) Write(p []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(true); err != nil {
		n, _ := f.f.Write(p[:len(p)/2])
		f.node.data = append(f.node.data, p[:n]...)
		return n, &fs.PathError{Op: "write", Path: f.path, Err: err}
	}
	n, err := f.f.Write(p)
	f.node.data = append(f.node.data, p[:n]...)
	f.d.done("write", f.path)
	return n, err
}

func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(true); err != nil {
		return &fs.PathError{Op: "sync", Path: f.path, Err: err}
	}
	f.node.synced = len(f.node.data)
	f.d.done("sync", f.path)
	return nil
}

// Close closes the real file in any case: a dead process holds none.
func (f *diskFile) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	cerr := f.f.Close()
	if err := f.d.step(false); err != nil {
		return &fs.PathError{Op: "close", Path: f.path, Err: err}
	}
	return cerr
}

// Survival says what of the things that were not synced the power failure
// spares. A real disk may keep any of them, in any order.
type Survival func() bool

// Nothing survives that was not synced; Everything does but for the bytes of
// files, of which half do; Some is a throw of dice.
func Nothing() bool    { return false }
func Everything() bool { return true }

// Some survives by the throw of a die.
func Some(seed uint64) Survival {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() bool { return r.IntN(2) == 0 }
}

// LosePower leaves on the real disk what was durable, and of the rest what
// survives. The bytes of a file that were not synced are lost, torn, or by luck
// all there. No file may be open.
func (d *Disk) LosePower(survives Survival) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	entries, err := os.ReadDir(d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(d.root, e.Name())); err != nil {
			d.t.Fatal(err)
		}
	}
	done := map[*node]bool{}
	d.tree.settle(survives, done)
	d.restore(d.tree, d.root)
	d.at = 0
}

// settle makes what survives the truth.
func (n *node) settle(survives Survival, done map[*node]bool) {
	if done[n] {
		return
	}
	done[n] = true
	if !n.dir {
		if n.synced < len(n.data) {
			keep := n.synced
			if survives() {
				keep += (len(n.data) - n.synced) / 2
				if !survives() { // of Everything, the other half does not
					keep = len(n.data)
				}
			}
			n.data = n.data[:keep:keep]
		}
		n.synced = len(n.data)
		return
	}
	all := maps.Clone(n.durable)
	maps.Copy(all, n.names)
	names := map[string]*node{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		now, old := n.names[name], n.durable[name]
		if now != old && survives() || now == old {
			old = now
		}
		if old != nil {
			names[name] = old
		}
	}
	n.names, n.durable = names, maps.Clone(names)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		names[name].settle(survives, done)
	}
}

func (d *Disk) restore(n *node, path string) {
	if !n.dir {
		if err := os.WriteFile(path, n.data, 0o600); err != nil {
			d.t.Fatal(err)
		}
		if err := os.Chmod(path, n.mode); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		d.t.Fatal(err)
	}
	for name, child := range n.names {
		d.restore(child, filepath.Join(path, name))
	}
}
