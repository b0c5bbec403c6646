package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/parquet/schema"
)

// dataFiles checks every file that the log names, table by table. What purges
// have erased and what was revised come first: rows of activities are compared
// with them.
func (v *verifier) dataFiles(ctx context.Context) error {
	revisions, quarantine := sortedFiles(v.log.state.revisions), sortedFiles(v.log.state.quarantine)
	activities := v.activities()
	erased := sortedFiles(v.log.state.erased)
	v.result.Files = len(revisions) + len(quarantine) + len(activities) + len(erased)

	v.erased = erasures{before: v.log.state.erasedBefore(), hashes: map[erasedHash]bool{}}
	if _, err := v.table(ctx, erasedDir, erased, v.erasedRows); err != nil {
		return err
	}
	superseded := v.newRevisionCheck(rowsOf(revisions))
	sound, err := v.table(ctx, revisionsDir, revisions, superseded.rows)
	if err != nil {
		return err
	}
	superseded.from(sound)
	ids := v.newRepeats("activity_id", rowsOf(activities), func(id string) string {
		return fmt.Sprintf("its activity_id stands in activities twice: %q", id)
	})
	sound, err = v.table(ctx, activitiesDir, activities, func(ctx context.Context, f File, found finding) error {
		return v.activityRows(ctx, f, found, ids, superseded)
	})
	if err != nil {
		return err
	}
	if err := superseded.rest(ctx, sound, len(sound) == len(activities)); err != nil {
		return err
	}
	if err := ids.name(ctx, sound); err != nil {
		return err
	}
	bad := v.newRepeats("content_hash", rowsOf(quarantine), func(string) string { return "its bytes stand in quarantine twice" })
	sound, err = v.table(ctx, quarantineDir, quarantine, func(ctx context.Context, f File, found finding) error {
		return v.quarantineRows(ctx, f, found, bad)
	})
	if err != nil {
		return err
	}
	return bad.name(ctx, sound)
}

func rowsOf(files []File) int64 {
	var n int64
	for _, f := range files {
		n += max(f.Rows, 0)
	}
	return n
}

// activities are the files of the Delta table.
func (v *verifier) activities() []File {
	state := v.log.state
	files := sortedFiles(state.files)
	for _, path := range sortedKeys(state.odd) {
		v.problem(path, "%v", state.odd[path].err)
		files = append(files, state.odd[path].File)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// ours says whether an entry of ours added the file.
func (v *verifier) ours(f File) bool {
	return !slices.Contains(v.log.state.foreign, f.Version)
}

// table checks the files of a table against the log, and with rows what is in
// them. It answers the files that were read to their end.
func (v *verifier) table(ctx context.Context, name string, files []File, rows func(context.Context, File, finding) error) ([]File, error) {
	sound := make([]bool, len(files))
	err := v.inOrder(ctx, name, len(files), func(i int) int64 { return files[i].Size }, func(ctx context.Context, i int, found finding) error {
		f := files[i]
		if !v.fileBytes(f, found) || v.o.Quick || !v.fileShape(name, f, found) {
			return ctx.Err()
		}
		err := rows(ctx, f, found)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			found(f.Path, "%v", err)
		}
		sound[i] = err == nil
		return nil
	})
	var read []File
	for i, f := range files {
		if sound[i] {
			read = append(read, f)
		}
	}
	return read, err
}

// fileBytes compares a file with what the log says of it.
func (v *verifier) fileBytes(f File, found finding) bool {
	sum, size, err := hashFile(v.layout.path(f.Path))
	if err == nil {
		v.sum(f.Path, sum)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && v.log.lastHole > f.Version:
		found(f.Path, "it is missing; entry %d names it, unless an entry that cannot be read took it out", f.Version)
	case errors.Is(err, fs.ErrNotExist):
		found(f.Path, "it is missing; entry %d names it", f.Version)
	case err != nil:
		found(f.Path, "it cannot be read: %v", plain(err))
	case size != f.Size:
		found(f.Path, "it has %d bytes, entry %d says %d", size, f.Version, f.Size)
	case f.SHA256 == "" && v.ours(f):
		found(f.Path, "entry %d has no SHA-256 of it", f.Version)
		return true
	case f.SHA256 != "" && sum != f.SHA256:
		found(f.Path, "its bytes have changed: SHA-256 is %s, entry %d says %s", cut(sum), f.Version, cut(f.SHA256))
	default:
		return true
	}
	return false
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

// fileShape compares a file's schema with the one we write. false: its rows
// cannot be read by this version.
func (v *verifier) fileShape(table string, f File, found finding) bool {
	if !v.ours(f) && !v.adopting {
		return true
	}
	shape, version, err := readShape(v.layout.path(f.Path))
	if err != nil {
		found(f.Path, "%v", err)
		return false
	}
	if !v.ours(f) {
		return knownColumns(f, shape, found)
	}
	if want := fmt.Sprint(SchemaVersion); (table == activitiesDir || table == revisionsDir) && version != want {
		found(f.Path, "its schema version is %q, this version of mdcalake knows %s", version, want)
		return false
	}
	if fault := shapeFault(table, shape); fault != "" {
		found(f.Path, "its columns are not those of schema version %d: %s", SchemaVersion, fault)
	}
	return true
}

// knownColumns says whether a file of another program has only columns that we
// write, in whatever order and form: what else is in it would not survive.
func knownColumns(f File, shape *schema.Schema, found finding) bool {
	all := true
	for i := range shape.Root().NumFields() {
		if name := shape.Root().Field(i).Name(); !slices.ContainsFunc(Columns, func(c Column) bool { return c.Name == name }) {
			found(f.Path, "it has a column %q, which is none of ours", printable(name))
			all = false
		}
	}
	return all
}

// shapeFault says what is wrong with a schema; "": nothing.
func shapeFault(table string, have *schema.Schema) string {
	columns, withKeys := Columns, false
	switch table {
	case revisionsDir:
		columns, withKeys = RevisionColumns, true
	case quarantineDir:
		columns = QuarantineColumns[:len(QuarantineColumns)-2]
	case erasedDir:
		columns = ErasedColumns
	}
	root, _, err := fileSchema(columns, withKeys)
	if err != nil {
		return err.Error()
	}
	if have.Root().NumFields() != root.NumFields() {
		return fmt.Sprintf("there are %d, want %d", have.Root().NumFields(), root.NumFields())
	}
	for i := range root.NumFields() {
		if want, field := root.Field(i), have.Root().Field(i); !field.Equals(want) {
			return fmt.Sprintf("column %d is %q (%s), want %q (%s)", i+1, field.Name(), field.RepetitionType(), want.Name(), want.RepetitionType())
		}
	}
	return ""
}

// cellOf is the partition that a file's place stands for; false: its path
// names none, which was said when the log was read.
func cellOf(f File) (Partition, bool) {
	p, err := ParsePartition(path.Dir(strings.TrimPrefix(f.Path, activitiesDir+"/")))
	return p, err == nil
}
