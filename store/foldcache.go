package store

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"mdcalake/store/delta"
)

// The cached fold, _mdcalake/fold, is what the log says up to one of its
// entries, so that opening a lake reads that entry and those behind it, however
// long the log is. It is derived: whatever is wrong with it, the log is folded
// from its beginning instead.

const (
	foldMagic = "mdcafold"
	// foldFormat is raised whenever the bytes change, and also whenever the fold
	// does: what an older version has folded may lack what a newer one sees in
	// the same entries.
	foldFormat = 3
	foldHeader = len(foldMagic) + 4 + 16 // magic, format, checksum of what follows
)

// cachedFold is what a lake's cached fold is worth to the next who opens it.
type cachedFold struct {
	size    int64 // of the file; 0: there is none
	behind  int64 // bytes of the log that it does not know
	entries int64 // and entries
}

// openLog is readLog by way of the cached fold. A fold that is opened light can
// be read and not written.
func openLog(l layout, light bool) (*fold, cachedFold, error) {
	log := logDir{fs: osFS{}, layout: l}
	// The cache first: then the log is at least as long as it says.
	state, cached := readFold(l, log, light)
	versions, err := delta.Versions(log)
	if err != nil {
		return nil, cachedFold{}, plain(err)
	}
	if state == nil || state.table.Version >= int64(len(versions)) {
		state, cached = newFold(), cachedFold{}
	}
	known := state.table.Version
	cached.behind, err = state.advance(log, versions)
	cached.entries = state.table.Version - known
	return state, cached, err
}

// readFold answers nil for a cache that is missing, damaged, another version's
// or another log's.
func readFold(l layout, log logDir, light bool) (*fold, cachedFold) {
	data, err := readText(l.private(foldName))
	if err != nil {
		return nil, cachedFold{}
	}
	state, err := unsealFold(data, light)
	if err != nil {
		return nil, cachedFold{}
	}
	entry, err := log.Read(delta.EntryName(state.table.Version))
	if err != nil || sha256Hex(entry) != state.head {
		return nil, cachedFold{}
	}
	return state, cachedFold{size: int64(len(data))}
}

// readText reads a file into a string, in which the texts of the fold stay.
func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.Grow(int(info.Size()))
	_, err = io.Copy(&text, f)
	return text.String(), err
}

// sealFold is the cached fold as it lies on the disk.
func sealFold(s *fold, room int64) []byte {
	body := encodeFold(s, room)
	sum := xxh3.Hash128(body).Bytes()
	file := make([]byte, 0, foldHeader+len(body))
	file = append(file, foldMagic...)
	file = binary.LittleEndian.AppendUint32(file, foldFormat)
	file = append(file, sum[:]...)
	return append(file, body...)
}

func unsealFold(file string, light bool) (*fold, error) {
	if len(file) < foldHeader {
		return nil, errFoldCodec
	}
	header, body := file[:foldHeader], file[foldHeader:]
	sum := xxh3.HashString128(body).Bytes()
	if header != foldMagic+string(binary.LittleEndian.AppendUint32(nil, foldFormat))+string(sum[:]) {
		return nil, errFoldCodec
	}
	if light {
		if s, err := decodeFold(body, true); err == nil {
			return s, nil
		}
		// Why a file is odd follows from what was passed over.
	}
	return decodeFold(body, false)
}

// keepFold writes the cached fold once enough has been committed since.
func (w *Writer) keepFold() {
	if w.cached.behind > max(foldGrowth, w.cached.size/8) {
		w.writeFold()
	}
}

// leaveFold is keepFold for the last time.
func (w *Writer) leaveFold() {
	if w.lock != nil && (w.cached.behind > foldLagBytes || w.cached.entries > foldLagEntries) {
		w.writeFold()
	}
}

// writeFold writes the cached fold. That it cannot be written is nobody's
// failure: all it costs is the time of the next who opens the lake, and a
// commit that is in the log must not look as if it were not. It is not tried
// again before the log has grown by as much once more.
func (w *Writer) writeFold() {
	next := cachedFold{size: w.cached.size}
	if err := w.forgetSwept(); err == nil {
		data := sealFold(w.state, w.cached.size+w.cached.behind)
		if putFold(w.opts.FS, w.layout.private(foldName), data, w.layout.fileMode()) == nil {
			next.size = int64(len(data))
		}
	}
	w.cached = next
}

// forgetSwept takes the files that are deleted for good out of the fold: the
// next writer need not try. Their names must not come back when the power
// fails, so their directories are synced first.
func (w *Writer) forgetSwept() error {
	dirs := map[string]bool{}
	for rel := range w.swept {
		dirs[path.Dir(rel)] = true
	}
	var g errgroup.Group
	g.SetLimit(syncsAtOnce)
	for _, dir := range sortedKeys(dirs) {
		g.Go(func() error {
			if err := w.opts.FS.SyncDir(w.layout.path(dir)); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for rel := range w.swept {
		delete(w.state.removed, rel)
	}
	clear(w.swept)
	return nil
}

// putFold replaces the file without a sync: one that a power failure has torn
// is told by its checksum, and nothing else rests on it.
func putFold(fsys FS, path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(tmp, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		fsys.Remove(tmp) // it may hold the last free bytes of the disk
	}
	return err
}
