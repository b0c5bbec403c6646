package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"mdcalake/store/delta"
)

// VerifyOptions say how far verify looks.
type VerifyOptions struct {
	// Lift makes a row from a record's verbatim bytes, as ingest does; verify
	// compares its columns with those on disk. nil: not compared.
	Lift func(record []byte, row *Row) error
	// Quick checks the log and the files' hashes and does not read rows.
	Quick bool
	// ExpectHead is a head noted earlier, VERSION:SHA256. Without it, entries
	// taken off the end of the log cannot be noticed.
	ExpectHead string
}

// Problem is one thing that is not as it was written. Path is relative to the
// lake and may be empty.
type Problem struct {
	Path string
	What string
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.What
	}
	return p.Path + ": " + p.What
}

// Verified is what verify looked at.
type Verified struct {
	Problems   int
	Entries    int64
	Files      int
	Rows       int64
	Revisions  int64
	Quarantine int64
	InFlight   int // files of a run under way, or left by a crash for the next writer to remove
	Head       string
	Version    int64
	Notes      []string // what it cannot know
}

// Verify re-reads the lake in dir and reports each problem. It changes
// nothing. The error is for what kept it from looking, not for damage.
func Verify(ctx context.Context, dir string, o VerifyOptions, report func(Problem)) (*Verified, error) {
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	readers := lockShared(l.private(readersName))
	defer readers.Close()
	v := &verifier{layout: l, o: o, result: &Verified{Version: -1}, report: report, ids: map[xxh3.Uint128]bool{}}
	v.log()
	if v.state == nil {
		return v.result, nil
	}
	if err := v.files(ctx); err != nil {
		return nil, err
	}
	if err := v.extras(); err != nil {
		return nil, &LakeError{Op: "verify lake", Path: dir, Err: plain(err)}
	}
	return v.result, nil
}

type verifier struct {
	layout layout
	o      VerifyOptions
	result *Verified
	report func(Problem)
	state  *fold
	whole  bool // the log could be read to its end
	ids    map[xxh3.Uint128]bool
}

func (v *verifier) problem(path, format string, args ...any) {
	v.result.Problems++
	v.report(Problem{Path: path, What: fmt.Sprintf(format, args...)})
}

func entryPath(version int64) string {
	return path.Join(activitiesDir, delta.Dir, delta.EntryName(version))
}

// log reads the entries as far as they go and checks the chain.
func (v *verifier) log() {
	heads := map[int64]string{}
	state, err := readLog(v.layout, func(version int64, entry []byte, _ []delta.Action, f *facts) {
		v.result.Entries++
		heads[version] = sha256Hex(entry)
	})
	if state == nil {
		v.problem(path.Join(activitiesDir, delta.Dir), "%v", err)
		return
	}
	if err != nil {
		v.problem(path.Join(activitiesDir, delta.Dir), "%v; nothing after entry %d could be read", err, state.table.Version)
	}
	v.state, v.whole = state, err == nil
	v.result.Version, v.result.Head = state.table.Version, state.head
	for _, b := range state.broken {
		v.problem(entryPath(b.version-1), "its SHA-256 is %s, entry %d was written after %s: rewritten or out of order", cut(b.have), b.version, cut(b.want))
	}
	for _, n := range state.foreign {
		v.problem(entryPath(n), "written by another program, not by mdcalake")
	}
	v.expectHead(heads)
}

func cut(hash string) string { return hash[:min(12, len(hash))] }

func (v *verifier) expectHead(heads map[int64]string) {
	if v.o.ExpectHead == "" {
		v.result.Notes = append(v.result.Notes, "without --expect-head, entries taken off the end of the log cannot be noticed")
		return
	}
	var version int64
	var hash string
	if _, err := fmt.Sscanf(strings.Replace(v.o.ExpectHead, ":", " ", 1), "%d %s", &version, &hash); err != nil {
		v.problem("", "the expected head %q is not VERSION:SHA256", v.o.ExpectHead)
		return
	}
	have, ok := heads[version]
	switch {
	case !ok:
		v.problem(entryPath(version), "the log ends at entry %d: it was shortened, or this is another lake", v.result.Version)
	case have != hash:
		v.problem(entryPath(version), "its SHA-256 is %s, expected %s", cut(have), cut(hash))
	}
}

// files checks every file that the log names.
func (v *verifier) files(ctx context.Context) error {
	for _, path := range sortedKeys(v.state.odd) {
		v.problem("", "%v", v.state.odd[path])
	}
	for _, file := range sortedFiles(v.state.files) {
		if err := v.file(ctx, file, v.activityRows); err != nil {
			return err
		}
	}
	for _, f := range sortedFiles(v.state.revisions) {
		if err := v.file(ctx, f, v.revisionRows); err != nil {
			return err
		}
	}
	for _, f := range sortedFiles(v.state.quarantine) {
		if err := v.file(ctx, f, v.quarantineRows); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) file(ctx context.Context, f File, rows func(context.Context, File) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.result.Files++
	sum, size, err := hashFile(v.layout.path(f.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.problem(f.Path, "it is missing; entry %d names it", f.Version)
		return nil
	case err != nil:
		v.problem(f.Path, "it cannot be read: %v", plain(err))
		return nil
	case size != f.Size:
		v.problem(f.Path, "it has %d bytes, entry %d says %d", size, f.Version, f.Size)
		return nil
	case f.SHA256 != "" && sum != f.SHA256:
		v.problem(f.Path, "its bytes have changed: SHA-256 is %s, entry %d says %s", cut(sum), f.Version, cut(f.SHA256))
		return nil
	}
	if v.o.Quick {
		return nil
	}
	err = rows(ctx, f)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.problem(f.Path, "%v", err)
	}
	return nil
}

func hashFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

func (v *verifier) activityRows(ctx context.Context, f File) error {
	stats, n := emptyStats(), int64(0)
	last := int64(-1 << 63)
	err := readRows(ctx, v.layout.path(f.Path), func(r *Row, index int64) error {
		stats.add(r)
		n++
		v.row(f, r, index)
		if r.Partition() != f.Partition {
			v.problem(f.Path, "row %d belongs to %s", index, r.Partition())
		}
		if r.Numbers[Timestamp] < last {
			v.problem(f.Path, "row %d is out of the order of time", index)
		}
		last = r.Numbers[Timestamp]
		id := xxh3.Hash128(r.Bytes(r.Strings[ActivityID]))
		if v.ids[id] {
			v.problem(f.Path, "row %d: its activity_id stands in activities twice: %q", index, r.Bytes(r.Strings[ActivityID]))
		}
		v.ids[id] = true
		return nil
	})
	v.result.Rows += n
	if err == nil {
		v.compareStats(f, n, stats)
	}
	return err
}

func (v *verifier) compareStats(f File, n int64, stats Stats) {
	// Another writer may have left the number out.
	if f.Rows != n && (f.Rows >= 0 || f.SHA256 != "") {
		v.problem(f.Path, "it has %d rows, entry %d says %d", n, f.Version, f.Rows)
	}
	if stats != f.Stats && f.SHA256 != "" {
		v.problem(f.Path, "the statistics of entry %d do not fit its rows", f.Version)
	}
}

// row checks one row against its own bytes.
func (v *verifier) row(f File, r *Row, index int64) {
	verbatim := r.Verbatim()
	if int64(xxh3.Hash(verbatim)) != r.ContentHash {
		v.problem(f.Path, "row %d: content_hash does not follow from its bytes", index)
	}
	if v.o.Lift == nil {
		return
	}
	var want Row
	if err := v.o.Lift(slices.Clone(verbatim), &want); err != nil {
		v.problem(f.Path, "row %d: its bytes are no record: %v", index, err)
		return
	}
	if column := differs(r, &want); column != "" {
		v.problem(f.Path, "row %d: column %s does not follow from its bytes", index, column)
	}
}

func (v *verifier) revisionRows(ctx context.Context, f File) error {
	stats, n := emptyStats(), int64(0)
	err := readRows(ctx, v.layout.path(f.Path), func(r *Row, index int64) error {
		stats.add(r)
		n++
		v.row(f, r, index)
		return nil
	})
	v.result.Revisions += n
	if err == nil {
		v.compareStats(f, n, stats)
	}
	return err
}

func (v *verifier) quarantineRows(ctx context.Context, f File) error {
	n := int64(0)
	err := readColumns(ctx, v.layout.path(f.Path), []string{"bytes", "content_hash"}, func(b arrow.RecordBatch) error {
		data, ok1 := b.Column(0).(*array.Binary)
		hash, ok2 := b.Column(1).(*array.String)
		if !ok1 || !ok2 {
			return errors.New("its columns have other types than ours")
		}
		for i := range data.Len() {
			if sha256Hex(data.Value(i)) != hash.Value(i) {
				v.problem(f.Path, "row %d: content_hash does not follow from its bytes", n)
			}
			n++
		}
		return nil
	})
	v.result.Quarantine += n
	if err == nil && n != f.Rows {
		v.problem(f.Path, "it has %d rows, entry %d says %d", n, f.Version, f.Rows)
	}
	return err
}

// differs names the first column in which two rows differ; "" if none.
func differs(a, b *Row) string {
	for _, c := range Columns {
		f, same := fields[c.Name], true
		switch f.kind {
		case kindString:
			same = sameText(a, a.Strings[f.index], b, b.Strings[f.index])
		case kindMillis, kindLong, kindInteger, kindBoolean, kindDouble:
			same = a.HasNumber(f.index) == b.HasNumber(f.index) && (!a.HasNumber(f.index) || a.Numbers[f.index] == b.Numbers[f.index])
		case kindStrings:
			x, y := &a.Lists[f.index], &b.Lists[f.index]
			same = x.Valid == y.Valid && slices.EqualFunc(x.Items, y.Items, func(s, t Span) bool { return sameText(a, s, b, t) })
		case kindObjects:
			same = a.HasObjects == b.HasObjects && slices.EqualFunc(a.Objects, b.Objects, func(o, p Object) bool { return sameObject(a, &o, b, &p) })
		case kindRaw:
			same = bytes.Equal(a.Raw(), b.Raw())
		case kindOriginal:
			same = (a.Original == nil) == (b.Original == nil) && bytes.Equal(a.Original, b.Original)
		}
		if !same {
			return c.Name
		}
	}
	return ""
}

func sameText(a *Row, s Span, b *Row, t Span) bool {
	return s.IsNull() == t.IsNull() && bytes.Equal(a.Bytes(s), b.Bytes(t))
}

func sameObject(a *Row, o *Object, b *Row, p *Object) bool {
	return o.Null == p.Null && o.Set == p.Set && o.Type == p.Type && o.Role == p.Role && o.AppID == p.AppID && o.InstanceID == p.InstanceID &&
		(o.Null || sameText(a, o.ID, b, p.ID) && sameText(a, o.Name, b, p.Name) && sameText(a, o.Value, b, p.Value) &&
			sameText(a, o.ServiceObjectType, b, p.ServiceObjectType))
}

// extras looks for files that the log does not name. Those of a run under way
// and those that wait for the next writer to remove them are no damage.
func (v *verifier) extras() error {
	if !v.whole {
		v.result.Notes = append(v.result.Notes, "the log could not be read to its end, so files that it does not name cannot be told")
		return nil
	}
	var strangers []string
	for _, dir := range []string{activitiesDir, revisionsDir, quarantineDir} {
		err := filepath.WalkDir(v.layout.path(dir), func(abs string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if d != nil && d.IsDir() && d.Name() == delta.Dir && err == nil {
					return filepath.SkipDir
				}
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			rel, err := filepath.Rel(v.layout.root, abs)
			if err != nil {
				return err
			}
			if rel = filepath.ToSlash(rel); !v.state.names(rel) {
				strangers = append(strangers, rel)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return v.strangers(strangers)
}

// strangers judges files that the log, as it was read at the beginning, does
// not name. A run may be at work meanwhile. It notes a name before it makes the
// file, and lets the note go only after the commit: so whoever looks at the
// notes first and at the log then finds every file of a run in one of them.
func (v *verifier) strangers(files []string) error {
	if len(files) == 0 {
		return nil
	}
	pending, err := v.pendingNames()
	if err != nil {
		return err
	}
	now, err := readLog(v.layout, nil)
	if err != nil {
		return err
	}
	for _, rel := range files {
		_, err := os.Lstat(v.layout.path(rel))
		switch {
		case pending[rel] || now.removed[rel] || now.names(rel):
			v.result.InFlight++
		case !errors.Is(err, fs.ErrNotExist):
			v.problem(rel, "the log does not name it: it is not part of the lake")
		}
	}
	return nil
}

func (v *verifier) pendingNames() (map[string]bool, error) {
	names := map[string]bool{}
	entries, err := os.ReadDir(filepath.Join(v.layout.root, privateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return names, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), pendingPrefix) {
			continue
		}
		data, err := os.ReadFile(v.layout.private(e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for line := range bytes.Lines(data) {
			rel := strings.TrimSuffix(string(line), "\n")
			names[rel], names[tempName(rel)] = true, true
		}
	}
	return names, nil
}
