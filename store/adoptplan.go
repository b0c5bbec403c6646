package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mdcalake/store/delta"
)

// Another program has written to the table: what did it do, and can it stay?
//
// Everything is told by comparing two states of the table: as our last entry
// left it, and as it is now. Rows that are in files taken out and in files
// brought in were written again; the others came or were lost. Then the whole
// lake is held to what verify holds it to, as if the other program's files were
// ours: each row in its cell and made of its bytes, brought by a run that the
// log knows, no id twice, revisions in order. If that holds, the rows can be
// taken over; if not, the only way on is back.

// AdoptOptions say how a plan is made.
type AdoptOptions struct {
	// Lift is that of VerifyOptions. nil: columns are not compared with bytes.
	Lift func(record []byte, row *Row) error
	// Revert plans to undo what other programs did, instead of taking it over.
	Revert bool
	// Progress, if given, is told now and then how far a step has come.
	Progress func(step string, done, total int64)

	limits verifyLimits
}

// AdoptionPlan is what is to be done about other programs' entries. Making it
// changes nothing.
type AdoptionPlan struct {
	Adoption // what the entry will say
	Entries  []ForeignEntry
	// TakenOut and BroughtIn are files of the table, as those entries left it.
	TakenOut, BroughtIn Extent
	// Rewrite are files whose rows are written again into files of ours; Restore,
	// files that become part of the table again as they are.
	Rewrite, Restore Extent
	// Properties are those of the table that are set back, sorted.
	Properties []string
	// Problems counts what was reported: with any, the plan cannot be carried out.
	Problems int

	version int64  // of the log that was looked at
	head    string // and its last entry's hash
	rewrite []File
	restore []delta.File
	remove  []delta.File
	again   []delta.Action // protocol and metaData, where they have to be said again
}

// Extent is so many files with so many rows and bytes; Rows is -1 where
// somebody left them out.
type Extent struct{ Files, Rows, Bytes int64 }

func (e *Extent) add(f File) {
	e.Files++
	e.Bytes += f.Size
	if f.Rows < 0 || e.Rows < 0 {
		e.Rows = -1
		return
	}
	e.Rows += f.Rows
}

// ForeignEntry is an entry of another program, in its own words.
type ForeignEntry struct {
	Version           int64
	Operation, Engine string // may be empty
}

// Empty says that no other program's entry waits.
func (p *AdoptionPlan) Empty() bool { return len(p.Versions) == 0 }

// Doubtful says that a person must decide: rows were lost or came, or nobody can
// know.
func (p *AdoptionPlan) Doubtful() bool { return p.Reverted || p.Lost+p.Came+p.Unseen > 0 }

// PlanAdoption looks at what other programs' entries did to the lake in dir and
// reports each thing that keeps the plan from being carried out. It reads the
// whole lake and changes nothing.
func PlanAdoption(ctx context.Context, dir string, o AdoptOptions, report func(Problem)) (*AdoptionPlan, error) {
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	readers := lockShared(l.private(readersName))
	defer readers.Close()
	v := &verifier{
		layout: l, report: report, result: &Verified{Version: -1}, adopting: true, sums: map[string]string{},
		o: VerifyOptions{Lift: o.Lift, Progress: o.Progress, limits: o.limits.orDefaults()},
	}
	p, err := v.planAdoption(ctx, o.Revert)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &LakeError{Op: "plan an adoption of lake", Path: dir, Err: err}
	}
	return p, nil
}

func (v *verifier) planAdoption(ctx context.Context, revert bool) (*AdoptionPlan, error) {
	// What cannot be read at all is an error here, as for every other verb.
	now, _, err := openLog(v.layout, false)
	if err != nil {
		return nil, err
	}
	if err := now.table.CanWrite(); err != nil {
		return nil, err
	}
	p := &AdoptionPlan{Adoption: Adoption{Versions: slices.Clone(now.foreign), Files: map[string]string{}, Reverted: revert}, version: now.table.Version, head: now.head}
	if p.Empty() {
		return p, nil
	}
	c, err := v.foreignChange(now)
	if err != nil {
		return nil, err
	}
	p.Entries = c.entries
	for _, f := range c.taken {
		p.TakenOut.add(c.before.files[tablePath(f)])
	}
	for _, f := range c.brought {
		p.BroughtIn.add(now.fileOf(f))
	}
	if revert {
		err = v.planRevert(p, c)
	} else {
		err = v.planTakeOver(ctx, p, c)
	}
	p.Problems = v.result.Problems
	return p, err
}

func tablePath(f delta.File) string { return activitiesDir + "/" + f.Name }

// fileOf is a file of the table as we see it, wherever it lies.
func (s *fold) fileOf(f delta.File) File {
	if file, ok := s.files[tablePath(f)]; ok {
		return file
	}
	return s.odd[tablePath(f)].File
}

// foreignChange is what entries of other programs did to the table.
type foreignChange struct {
	before, now *fold
	entries     []ForeignEntry
	// taken are files of the table before that are not in it now, or by another
	// action; brought, files of it now that were not in it before, or likewise.
	taken, brought []delta.File
}

func (v *verifier) foreignChange(now *fold) (*foreignChange, error) {
	first, last := now.foreign[0], now.table.Version
	switch {
	case first == 0:
		return nil, errors.New("its first entry is another program's: mdcalake did not make this table")
	case int64(len(now.foreign)) != last-first+1:
		return nil, fmt.Errorf("entry %d is another program's, and an entry of ours stands behind it", first)
	}
	c := &foreignChange{before: newFold(), now: now}
	log := logDir{fs: osFS{}, layout: v.layout}
	versions, err := delta.Versions(log)
	if err != nil {
		return nil, err
	}
	if _, err := c.before.advance(log, versions[:first]); err != nil {
		return nil, err
	}
	if _, err := c.before.snapshot(""); err != nil {
		return nil, fmt.Errorf("as it was before entry %d: %w", first, err)
	}
	for _, version := range now.foreign {
		e, err := foreignEntry(log, version)
		if err != nil {
			return nil, err
		}
		c.entries = append(c.entries, e)
	}
	was := map[string]delta.File{}
	for _, f := range c.before.table.Files() {
		was[f.Name] = f
	}
	for _, f := range now.table.Files() {
		if old, ok := was[f.Name]; !ok || old.Version != f.Version {
			c.brought = append(c.brought, f)
		} else {
			delete(was, f.Name)
		}
	}
	for _, name := range sortedKeys(was) {
		c.taken = append(c.taken, was[name])
	}
	return c, nil
}

func foreignEntry(log logDir, version int64) (ForeignEntry, error) {
	e := ForeignEntry{Version: version}
	_, actions, err := delta.ReadEntry(log, version)
	for _, a := range actions {
		var info struct{ Operation, EngineInfo string }
		if json.Unmarshal(a.CommitInfo, &info) == nil {
			e.Operation, e.Engine = printable(info.Operation), printable(info.EngineInfo)
		}
	}
	return e, err
}

// planTakeOver sees whether what was done can stay.
func (v *verifier) planTakeOver(ctx context.Context, p *AdoptionPlan, c *foreignChange) error {
	if err := v.readLog(); err != nil {
		return err
	}
	if v.result.Version != p.version {
		return errors.New("another program is writing to it at this moment")
	}
	v.tableShape(c)
	if err := v.dataFiles(ctx); err != nil {
		return err
	}
	taken, brought := c.filesOf(p, v.sums)
	there := taken[:0]
	for _, f := range taken {
		if sum, _, err := hashFile(v.layout.path(f.Path)); err == nil && sum == f.SHA256 {
			there = append(there, f)
		} else {
			p.Unseen += f.Rows
		}
	}
	lost, came, err := v.compareRows(ctx, there, brought)
	if err != nil {
		return err
	}
	// Rows that came may be those of the files that are gone.
	p.Lost, p.Came = lost+max(0, p.Unseen-came), max(0, came-p.Unseen)
	p.again, p.Properties = c.custody()
	return nil
}

// filesOf answers the files whose rows have to be compared, and notes in the
// plan what becomes of those brought in: a file of ours that was only named
// again, as programs do that collect statistics, gets our own words back.
func (c *foreignChange) filesOf(p *AdoptionPlan, sums map[string]string) (taken, brought []File) {
	named := map[string]bool{}
	was := map[string]delta.File{}
	for _, f := range c.taken {
		was[f.Name] = f
	}
	for _, f := range c.brought {
		path, file := tablePath(f), c.now.fileOf(f)
		p.Files[path] = sums[path]
		if old := c.before.files[path]; old.SHA256 != "" && old.SHA256 == sums[path] {
			named[path] = true
			p.restore = append(p.restore, was[f.Name])
			p.Restore.add(old)
			delete(p.Files, path)
			continue
		}
		p.rewrite = append(p.rewrite, file)
		p.Rewrite.add(file)
		brought = append(brought, file)
	}
	for _, f := range c.taken {
		if path := tablePath(f); !named[path] {
			taken = append(taken, c.before.files[path])
		}
	}
	return taken, brought
}

// tableShape says what makes the table another one than ours.
func (v *verifier) tableShape(c *foreignChange) {
	was, is := c.before.table.MetaData, c.now.table.MetaData
	changed := func(what string) {
		v.problem("", "the table's %s was changed by another program: that cannot be adopted", what)
	}
	if was.ID != is.ID {
		changed("id")
	}
	if !sameJSONText(was.SchemaString, is.SchemaString) {
		changed("schema")
	}
	if !slices.Equal(was.PartitionColumns, is.PartitionColumns) {
		changed("partitioning")
	}
	if was.Format.Provider != is.Format.Provider || !maps.Equal(was.Format.Options, is.Format.Options) {
		changed("file format")
	}
	// Then rows must never be replaced, and ours are.
	const appendOnly = "delta.appendOnly"
	if strings.EqualFold(is.Configuration[appendOnly], "true") {
		changed("property " + appendOnly)
	}
}

func sameJSONText(a, b string) bool {
	var x, y any
	return a == b || json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && sameJSON(x, y)
}

// custody are the actions that set the properties back on which the chain of
// custody rests, and the names of those. Other properties stay as they are.
func (c *foreignChange) custody() (again []delta.Action, names []string) {
	is := *c.now.table.MetaData
	config := maps.Clone(is.Configuration)
	if config == nil {
		config = map[string]string{}
	}
	for name, value := range tableProperties() {
		if have, ok := config[name]; !ok || have != value {
			names = append(names, name)
			config[name] = value
		}
	}
	slices.Sort(names)
	if !sameJSON(c.before.table.Protocol, c.now.table.Protocol) {
		again = append(again, delta.Action{Protocol: &c.before.table.Protocol})
	}
	if len(names) > 0 {
		is.Configuration = config
		again = append(again, delta.Action{MetaData: &is})
	}
	return again, names
}

// planRevert sees whether the table can become again what it was.
func (v *verifier) planRevert(p *AdoptionPlan, c *foreignChange) error {
	for _, f := range c.taken {
		file := c.before.files[tablePath(f)]
		sum, _, err := hashFile(v.layout.path(file.Path))
		switch {
		case err != nil:
			v.problem(file.Path, "it was taken out of the table and cannot be put back: %v", plain(err))
		case sum != file.SHA256:
			v.problem(file.Path, "it was taken out of the table and cannot be put back: its bytes have changed")
		}
		p.restore = append(p.restore, f)
		p.Restore.add(file)
	}
	for _, f := range c.brought {
		path := tablePath(f)
		if c.before.table.Has(f.Name) {
			continue // named again: our own words replace the other program's
		}
		sum, _, _ := hashFile(v.layout.path(path))
		p.Files[path] = sum // empty: it is gone already
		p.remove = append(p.remove, f)
	}
	if !sameJSON(c.before.table.Protocol, c.now.table.Protocol) {
		p.again = append(p.again, delta.Action{Protocol: &c.before.table.Protocol})
	}
	if !sameJSON(c.before.table.MetaData, c.now.table.MetaData) {
		p.again = append(p.again, delta.Action{MetaData: c.before.table.MetaData})
		for name := range c.before.table.MetaData.Configuration {
			if c.before.table.MetaData.Configuration[name] != c.now.table.MetaData.Configuration[name] {
				p.Properties = append(p.Properties, name)
			}
		}
		slices.Sort(p.Properties)
	}
	return nil
}

// sameJSON says whether two values are the same in JSON, where the order of
// members does not count.
func sameJSON(a, b any) bool {
	x, err := encodeJSON(a)
	if err != nil {
		return false
	}
	y, err := encodeJSON(b)
	return err == nil && bytes.Equal(x, y)
}
