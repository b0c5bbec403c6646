package store

import (
	"cmp"
	"context"
	"strconv"

	"mdcalake/store/delta"
)

// Small limits, so that a few rows meet all of them.
func (o WriterOptions) WithLimits(buffer int, idleRows, fileRaw int64, side int) WriterOptions {
	o.limits = limits{buffer: buffer, idleRows: idleRows, fileRaw: fileRaw, side: side, contested: min(buffer, 1), piece: min(buffer, 1), indexed: 3}
	return o
}

// WithCheckpoints makes checkpoints frequent.
func (o WriterOptions) WithCheckpoints(every int64) WriterOptions {
	o.limits.checkpoint = every
	return o
}

// WriteWaiting writes what waits as a commit does, and does not commit.
func (a *Append) WriteWaiting(ctx context.Context) error {
	if err := a.prepare(); err != nil {
		return err
	}
	return a.drain(ctx)
}

// KeptKeys is how many rows the indexes hold that are kept between batches, by
// the count and in truth.
func (a *Append) KeptKeys() (count, truth int) {
	for _, idx := range a.dedupe.cells {
		truth += len(idx.rows)
	}
	return a.dedupe.kept, truth
}

// Canonical is the canonical text of a record.
func Canonical(raw []byte) ([]byte, error) { return canonical(raw) }

// Storage is a log directory of a lake.
func Storage(dir string) (delta.Storage, error) {
	l, err := newLayout(dir)
	return logDir{fs: osFS{}, layout: l}, err
}

// StorageOn is a log directory of a lake on a disk of the test's.
func StorageOn(dir string, fs FS) (delta.Storage, error) {
	l, err := newLayout(dir)
	return logDir{fs: fs, layout: l}, err
}

// RewriteRows writes a data file anew, its rows changed on the way, and
// answers its size, hash and statistics for a log entry.
func RewriteRows(path string, out string, change func(*Row)) (size int64, hash, stats string, err error) {
	return rewriteRows(path, out, change, (*tableWriter).append)
}

// RewriteRowsOff does so with timestamps that are a microsecond late.
func RewriteRowsOff(path string, out string) (size int64, hash, stats string, err error) {
	return rewriteRows(path, out, func(*Row) {}, func(t *tableWriter, r *Row, rep *replacement) error {
		for i, c := range t.kind.columns {
			leaves := t.w.Leaves[t.kind.first[i]:]
			if c.Name == "timestamp" {
				leaves[0].Int(0, r.Numbers[Timestamp]*1000+1)
			} else {
				t.fill(leaves, &c, t.kind.fields[i], r, rep)
			}
		}
		t.w.EndRow()
		t.stats.add(r)
		t.rows++
		return nil
	})
}

func rewriteRows(path string, out string, change func(*Row), add func(*tableWriter, *Row, *replacement) error) (size int64, hash, stats string, err error) {
	f, err := osFS{}.Create(out, 0o600)
	if err != nil {
		return 0, "", "", err
	}
	defer f.Close()
	t, err := newTableWriter(f, Columns, false, "test", quick)
	if err != nil {
		return 0, "", "", err
	}
	err = readRows(context.Background(), path, func(r *Row, _ int64) error {
		change(r)
		return add(t, r, nil)
	})
	if err == nil {
		err = t.close()
	}
	if err != nil {
		return 0, "", "", err
	}
	stats, err = t.stats.encode(t.rows)
	return t.sink.size, t.sink.hex(), stats, err
}

// WriteRows writes rows as a data file of activities.
func WriteRows(out string, rows []*Row) error {
	f, err := osFS{}.Create(out, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := newTableWriter(f, Columns, false, "test", quick)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := t.append(r, nil); err != nil {
			return err
		}
	}
	return t.close()
}

// EncodeDecode sends a row through the form in which it waits.
func EncodeDecode(r *Row, into *Row) error {
	_, err := decodeRow(appendRow(nil, r), into)
	return err
}

// Differs is what verify compares rows with.
func Differs(a, b *Row) string { return differs(a, b) }

// WithLimits are small limits, so that a few rows need several passes.
func (o VerifyOptions) WithLimits(ids, repeated, revisions int) VerifyOptions {
	o.limits = verifyLimits{ids: ids, repeated: repeated, revisions: revisions}
	return o
}

// FindRepeats looks for ids that stand in files of activities twice, as verify
// does. The files are named by their number.
func FindRepeats(dir string, files [][]string, ids, repeated int) ([]string, error) {
	var problems []string
	v := &verifier{
		layout: layout{root: dir}, result: &Verified{}, o: VerifyOptions{limits: verifyLimits{ids: ids, repeated: repeated}},
		report: func(p Problem) { problems = append(problems, p.String()) },
	}
	r := v.newRepeats("activity_id", 0, strconv.Quote)
	var table []File
	for i, ids := range files {
		var rows []*Row
		for _, id := range ids {
			row := &Row{}
			row.Reset()
			row.Strings[ActivityID] = row.addText(id)
			rows = append(rows, row)
			r.hashes.add([]uint64{r.hash(id)})
		}
		f := File{Path: strconv.Itoa(i), Rows: int64(len(ids))}
		if err := WriteRows(v.layout.path(f.Path), rows); err != nil {
			return nil, err
		}
		table = append(table, f)
	}
	err := r.name(context.Background(), table)
	return problems, err
}

// Slices are the slices in which hashes are looked at.
func Slices(limit int, hashes []uint64) (slices [][]uint64) {
	s := newHashSlice(limit, 0, func(h uint64) uint64 { return h }, cmp.Compare[uint64])
	for {
		s.add(hashes)
		s.sort()
		slices = append(slices, append([]uint64{}, s.items...))
		if !s.next() {
			return slices
		}
	}
}

// RewriteRevisions writes a file of revisions anew, all of its rows replaced
// at that time, by that run and that payload.
func RewriteRevisions(path, out string, at int64, run string, hash int64) error {
	f, err := osFS{}.Create(out, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := newTableWriter(f, RevisionColumns, true, "test", quick)
	if err != nil {
		return err
	}
	err = readRows(context.Background(), path, func(r *Row, _ int64) error {
		err := t.append(r, &replacement{at: at, run: run, hash: hash})
		r.Text = nil
		return err
	})
	if err != nil {
		return err
	}
	return t.close()
}

// WriteQuarantine writes a file of quarantine.
func WriteQuarantine(out string, run string, ingested int64, bytes ...string) error {
	f, err := osFS{}.Create(out, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var rows []Quarantined
	for _, b := range bytes {
		rows = append(rows, Quarantined{Bytes: []byte(b), Reason: "test"})
	}
	return writeQuarantineFile(newHashingWriter(f), firstSeen(rows, run, ingested))
}

// ManifestLine is a part of the format.
func ManifestLine(sum, rel string) string { return manifestLine(sum, rel) }

// WithChanged makes it a few rows that are compared at once.
func (o AdoptOptions) WithChanged(rows int) AdoptOptions {
	o.limits.changed = rows
	return o
}

// ForgeFold leaves a cached fold of another lake.
func ForgeFold(dir string) error {
	l, err := newLayout(dir)
	if err != nil {
		return err
	}
	s, _, err := openLog(l, false)
	if err != nil {
		return err
	}
	s.tenant.Host = "elsewhere.example"
	return putFold(osFS{}, l.private(foldName), sealFold(s, 0), 0o600)
}

// JoinedCoverage is the ledger that the fold makes of rectangles.
func JoinedCoverage(ledger []Rectangle) []Rectangle {
	s := newFold()
	for _, r := range ledger {
		s.addCoverage([]Rectangle{r})
	}
	return s.coverage
}
