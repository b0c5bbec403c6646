package store_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store"
)

// Plans are made of snapshots that no disk has.

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// today is the day of noon.
const today = int32(20787)

// file is a file of a cell, whose rows came two weeks ago.
func file(day int32, name string, rows int64) store.File {
	p := store.Partition{Day: day, Service: 7}
	f := store.File{Path: "activities/" + p.Dir() + "/" + name, Partition: p, Rows: rows, Size: bytesOf(rows), SHA256: "00"}
	f.Stats.Ingested.Max = noon.Add(-14 * 24 * time.Hour).UnixMilli()
	return f
}

// bytesOf is about what a file of so many records takes.
func bytesOf(rows int64) int64 { return 20_000 + 600*rows }

func lately(f store.File) store.File {
	f.Stats.Ingested.Max = noon.UnixMilli()
	return f
}

func pressed(f store.File) store.File { f.Level = store.DenseLevel; return f }
func foreign(f store.File) store.File { f.SHA256 = ""; return f }
func large(f store.File) store.File   { f.Size = 32 << 20; return f }

// files are n files like the one that make makes.
func files(n int, make func(name string) store.File) (out []store.File) {
	for i := range n {
		out = append(out, make(fmt.Sprintf("part-%03d", i)))
	}
	return out
}

// planned is the plan in words: files and level of each merge.
func planned(p store.CompactionPlan) []string {
	out := []string{}
	for _, m := range p.Merges {
		var names []string
		for _, f := range m.Files {
			names = append(names, f.Path[strings.LastIndexByte(f.Path, '/')+1:])
		}
		out = append(out, fmt.Sprintf("%s %s level %d", m.Table, strings.Join(names, " "), m.Level))
	}
	return out
}

func TestAPlan(t *testing.T) {
	all := store.CompactOptions{All: true, Now: noon}
	after := store.CompactOptions{Budget: math.MaxInt64, Now: noon}
	old := func(name string) store.File { return file(today-20, name, 100) }
	for name, c := range map[string]struct {
		files []store.File
		o     store.CompactOptions
		want  []string
	}{
		"of an empty lake":                                        {nil, all, nil},
		"for all of it makes one file of two":                     {files(2, old), all, []string{"activities part-000 part-001 level 6"}},
		"for all of it makes a quick file dense":                  {files(1, old), all, []string{"activities part-000 level 6"}},
		"for all of it leaves one dense file alone":               {[]store.File{pressed(old("a"))}, all, nil},
		"for all of it takes today too":                           {files(2, func(n string) store.File { return lately(file(today, n, 9)) }), all, []string{"activities part-000 part-001 level 6"}},
		"for all of it leaves another writer's alone":             {[]store.File{foreign(old("a")), pressed(old("b"))}, all, nil},
		"for all of it leaves large files alone":                  {[]store.File{file(today-20, "a", 1000), pressed(old("b"))}, all.WithMaxFile(bytesOf(1000)), nil},
		"for all of it merges beside a large file":                {[]store.File{file(today-20, "a", 1000), old("b"), old("c")}, all.WithMaxFile(bytesOf(1000)), []string{"activities b c level 6"}},
		"after a run makes one file of a quiet cell":              {[]store.File{old("a"), file(today-20, "b", 9000)}, after, []string{"activities a b level 1"}},
		"after a run keeps a dense cell dense":                    {[]store.File{old("a"), pressed(old("b"))}, after, []string{"activities a b level 6"}},
		"after a run does not press quick files":                  {files(1, old), after, nil},
		"after a run waits while something comes in":              {[]store.File{lately(file(today-3, "a", 10)), file(today-3, "b", 11)}, after, nil},
		"after a run merges what doubles":                         {files(2, func(n string) store.File { return lately(file(today-3, n, 10)) }), after, []string{"activities part-000 part-001 level 1"}},
		"after a run leaves what does not double":                 {append(files(3, func(n string) store.File { return lately(file(today-3, n, 10)) }), lately(file(today-3, "z", 31))), after, []string{"activities part-000 part-001 part-002 level 1"}},
		"after a run leaves what does not quadruple":              {append(files(8, func(n string) store.File { return lately(file(today, n, 10)) }), lately(file(today, "z", 27))), after, []string{"activities part-000 part-001 part-002 part-003 part-004 part-005 part-006 part-007 level 1"}},
		"after a run leaves seven files of today":                 {files(7, func(n string) store.File { return lately(file(today, n, 10)) }), after, nil},
		"after a run leaves seven files of yesterday":             {files(7, func(n string) store.File { return lately(file(today-1, n, 10)) }), after, nil},
		"after a run merges eight files of today":                 {files(8, func(n string) store.File { return lately(file(today, n, 10)) }), after, []string{"activities part-000 part-001 part-002 part-003 part-004 part-005 part-006 part-007 level 1"}},
		"after a run takes what the budget allows":                {files(9, old), store.CompactOptions{Budget: 4 * bytesOf(100), Now: noon}, []string{"activities part-000 part-001 part-002 part-003 level 1"}},
		"after a run leaves large files while something comes in": {append(files(2, func(n string) store.File { return large(lately(file(today-3, n, 10))) }), lately(file(today-3, "y", 10)), lately(file(today-3, "z", 10))), after, []string{"activities y z level 1"}},
		"after a run merges large files of a quiet cell":          {files(2, func(n string) store.File { return large(old(n)) }), after, []string{"activities part-000 part-001 level 1"}},
		"for all of it merges large files":                        {files(2, func(n string) store.File { return large(lately(file(today-3, n, 10))) }), all, []string{"activities part-000 part-001 level 6"}},
		"after a run without a budget":                            {files(9, old), store.CompactOptions{Now: noon}, nil},
		"after a run takes the smallest for its bytes":            {[]store.File{file(today-20, "a", 1000), file(today-20, "b", 1000), file(today-19, "c", 10), file(today-19, "d", 10)}, store.CompactOptions{Budget: 2*bytesOf(1000) + bytesOf(10), Now: noon}, []string{"activities c d level 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				c.want = []string{}
			}
			s := &store.Snapshot{Files: c.files}
			if d := gocmp.Diff(c.want, planned(store.PlanCompaction(s, c.o))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSideTablesAreMergedWhenTheyHaveManyFiles(t *testing.T) {
	side := func(table string) func(string) store.File {
		return func(name string) store.File {
			return store.File{Path: table + "/" + name, Rows: 3, Size: bytesOf(3), SHA256: "00"}
		}
	}
	for _, all := range []bool{false, true} {
		o := store.CompactOptions{All: all, Budget: math.MaxInt64, Now: noon}
		few := &store.Snapshot{Revisions: files(7, side("revisions")), Quarantine: files(7, side("quarantine"))}
		if p := store.PlanCompaction(few, o); len(p.Merges) != 0 {
			t.Errorf("all %v: of few files: %v", all, planned(p))
		}
		many := &store.Snapshot{Revisions: files(8, side("revisions")), Quarantine: files(9, side("quarantine"))}
		p := store.PlanCompaction(many, o)
		if len(p.Merges) != 2 || len(p.Merges[0].Files)+len(p.Merges[1].Files) != 17 {
			t.Errorf("all %v: of many files: %v", all, planned(p))
		}
	}
}

func TestAPlanSaysWhatItCosts(t *testing.T) {
	s := &store.Snapshot{Files: append(files(10, func(n string) store.File { return file(today-20, n, 100) }), file(today-19, "a", 50), file(today-19, "b", 1000))}
	p := store.PlanCompaction(s, store.CompactOptions{All: true, Now: noon})
	total := 10*bytesOf(100) + bytesOf(50) + bytesOf(1000)
	want := store.CompactionTotals{FilesBefore: 12, FilesAfter: 2, Rows: 2050, Read: total, Written: total}
	if d := gocmp.Diff(want, p.Totals()); d != "" {
		t.Error(d)
	}
	say := "activities/date=2026-11-11/service=7: 2 files -> 1, 1050 rows, 670000 bytes read, at most 670000 written"
	if have := p.Merges[1].String(); have != say {
		t.Errorf("%s\nwant %s", have, say)
	}
	written := func(n int, rows int64) int64 {
		s := &store.Snapshot{Files: files(n, func(name string) store.File { return file(today-20, name, rows) })}
		return store.PlanCompaction(s, store.CompactOptions{All: true, Now: noon}).Totals().Written
	}
	// A day of slivers every quarter of an hour is small: all of it goes at once.
	if have, want := written(96, 50), 96*bytesOf(50); have != want {
		t.Errorf("96 small files: %d bytes written, want each once: %d", have, want)
	}
	// Nine that are full are more than memory has room for, so three of them go twice.
	if have, want := written(9, 50_000), 12*bytesOf(50_000); have != want {
		t.Errorf("9 large files: %d bytes written, want those of three twice: %d", have, want)
	}
	one := store.PlanCompaction(s, store.CompactOptions{Budget: 700_000, Now: noon})
	if len(one.Merges) != 1 || one.Deferred != 1 {
		t.Errorf("%v, %d deferred", planned(one), one.Deferred)
	}
}

// apply is the snapshot after a plan: a merge's output is cut where a file has
// maxFile bytes, or a little more.
func apply(s *store.Snapshot, p store.CompactionPlan, maxFile, more int64) {
	gone := map[string]bool{}
	var come []store.File
	for i, m := range p.Merges {
		total := m.Totals()
		f := m.Files[0]
		f.Level = m.Level
		for _, in := range m.Files {
			gone[in.Path] = true
			f.Stats.Ingested.Max = max(f.Stats.Ingested.Max, in.Stats.Ingested.Max)
		}
		rows, perRow := total.Rows, max(1, total.Read/total.Rows)
		for n := 0; rows > 0; n++ {
			f.Rows = min(rows, max(1, (maxFile+more+perRow-1)/perRow))
			rows -= f.Rows
			f.Size = f.Rows * perRow
			dir := m.Table
			if dir == "activities" {
				dir += "/" + m.Partition.Dir()
			}
			f.Path = fmt.Sprintf("%s/merged-%d-%s-%d", dir, i, m.Files[0].Path[strings.LastIndexByte(m.Files[0].Path, '/')+1:], n)
			come = append(come, f)
		}
	}
	change := func(files []store.File, table string) []store.File {
		files = slices.DeleteFunc(files, func(f store.File) bool { return gone[f.Path] })
		for _, f := range come {
			if strings.HasPrefix(f.Path, table+"/") {
				files = append(files, f)
			}
		}
		slices.SortFunc(files, func(a, b store.File) int { return cmp.Compare(a.Path, b.Path) })
		return files
	}
	s.Files, s.Revisions, s.Quarantine = change(s.Files, "activities"), change(s.Revisions, "revisions"), change(s.Quarantine, "quarantine")
}

// drawRows is a size of any order.
func drawRows(t *rapid.T) int64 {
	return int64(1)<<rapid.IntRange(0, 14).Draw(t, "order") + int64(rapid.IntRange(0, 9).Draw(t, "rows"))
}

func drawSnapshot(t *rapid.T) *store.Snapshot {
	s := &store.Snapshot{}
	for d := range int32(rapid.IntRange(1, 4).Draw(t, "days")) {
		for i := range rapid.IntRange(0, 30).Draw(t, "files") {
			f := file(today-d*4, fmt.Sprintf("part-%03d", i), drawRows(t))
			if rapid.Bool().Draw(t, "lately") {
				f = lately(f)
			}
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				f = pressed(f)
			case 1:
				f = foreign(f)
			}
			s.Files = append(s.Files, f)
		}
	}
	for i := range rapid.IntRange(0, 20).Draw(t, "revisions") {
		rows := drawRows(t)
		s.Revisions = append(s.Revisions, store.File{Path: fmt.Sprintf("revisions/part-%03d", i), Rows: rows, Size: bytesOf(rows), SHA256: "00"})
	}
	slices.SortFunc(s.Files, func(a, b store.File) int { return cmp.Compare(a.Path, b.Path) })
	return s
}

func TestAfterACompactionThereIsNothingToCompact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t)
		maxFile := int64(rapid.IntRange(100_000, 4_000_000).Draw(t, "max file"))
		o := store.CompactOptions{All: rapid.Bool().Draw(t, "all"), Budget: math.MaxInt64, Now: noon}.WithMaxFile(maxFile)
		more := int64(rapid.IntRange(0, 100_000).Draw(t, "more"))
		rounds := 1
		if !o.All { // where files are cut, what is left may be worth another merge
			rounds = 4
		}
		for range rounds {
			apply(s, store.PlanCompaction(s, o), maxFile, more)
		}
		if p := store.PlanCompaction(s, o); len(p.Merges) != 0 {
			t.Errorf("a second plan: %v", planned(p))
		}
		if o.All {
			for _, f := range s.Files {
				if f.SHA256 != "" && f.Size < maxFile && f.Level < store.DenseLevel {
					t.Errorf("%s is not dense", f.Path)
				}
			}
		}
	})
}

func TestAPlanHoldsItsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t)
		o := store.CompactOptions{All: rapid.Bool().Draw(t, "all"), Budget: int64(rapid.IntRange(0, 20_000_000).Draw(t, "budget")), Now: noon}
		p := store.PlanCompaction(s, o)
		used := map[string]bool{}
		for _, m := range p.Merges {
			var rows, largest int64
			quiet := true
			for _, f := range m.Files {
				if used[f.Path] || f.SHA256 == "" || m.Table == "activities" && f.Partition != m.Partition || f.Level > m.Level {
					t.Errorf("%s: %+v has no place in it", m, f)
				}
				used[f.Path] = true
				rows += f.Rows
				largest = max(largest, f.Rows)
			}
			for _, f := range s.Files {
				if f.Partition == m.Partition && f.Stats.Ingested.Max > noon.Add(-store.QuietTime).UnixMilli() {
					quiet = false
				}
			}
			quiet = quiet && m.Partition.Day < today-1 && m.Table == "activities"
			growth := int64(store.Growth)
			if m.Partition.Day < today-1 && m.Table == "activities" {
				growth = store.GrowthOver
			}
			if !o.All && !quiet && rows < growth*largest {
				t.Errorf("%s: its largest file has %d rows of %d", m, largest, rows)
			}
			for _, step := range m.Steps() {
				var memory int64
				for _, f := range step {
					memory += f.OpenMemory()
				}
				// Files of a side table are read one after the other.
				if m.Table == "activities" && (len(step) > store.MergeInputs || len(step) > 2 && memory > store.MergeMemory) {
					t.Errorf("%s: %d files at once, which take %d bytes", m, len(step), memory)
				}
			}
		}
		if !o.All && p.Totals().Written > o.Budget {
			t.Errorf("%d bytes are to be written, %d may", p.Totals().Written, o.Budget)
		}
		if d := gocmp.Diff(planned(p), planned(store.PlanCompaction(s, o))); d != "" {
			t.Errorf("the same plan is another: %s", d)
		}
	})
}

// filesOf is how many files a day has.
func filesOf(s *store.Snapshot, day int32) (n int) {
	for i := len(s.Files) - 1; i >= 0 && s.Files[i].Partition.Day >= day; i-- {
		if s.Files[i].Partition.Day == day {
			n++
		}
	}
	return n
}

// A year of commits every five minutes into the current day, of records that
// come late, and of a merge after each.
func TestAYearOfCommitsIsWrittenFewTimes(t *testing.T) {
	const days, commits = 366 / stride, 288
	random := rand.New(rand.NewPCG(1, 2))
	s := &store.Snapshot{}
	var rowsIn, rowsWritten, bytesIn, bytesWritten int64
	most, mostOver, deferred := 0, 0, 0
	put := func(f store.File) {
		i, _ := slices.BinarySearchFunc(s.Files, f, func(a, b store.File) int { return strings.Compare(a.Path, b.Path) })
		s.Files = slices.Insert(s.Files, i, f)
		rowsIn += f.Rows
		bytesIn += f.Size
	}
	start := noon.Truncate(24 * time.Hour)
	for i := range days * commits {
		now := start.Add(time.Duration(i) * 5 * time.Minute)
		before := bytesIn
		commit := func(day int32, rows int64) {
			f := file(day, fmt.Sprintf("part-%08d", i), rows)
			f.Stats.Ingested.Max = now.UnixMilli()
			put(f)
		}
		day := int32(now.Unix() / 86400)
		commit(day, 1+random.Int64N(200))
		if random.IntN(20) == 0 { // days late, the longer the rarer
			commit(day-1-int32(random.ExpFloat64()*1.5), 1+random.Int64N(10))
		}
		p := store.PlanCompaction(s, store.CompactOptions{Budget: store.CompactionBudget(bytesIn - before), Now: now})
		deferred = max(deferred, p.Deferred)
		for _, m := range p.Merges {
			rowsWritten += m.Totals().Rows
			bytesWritten += m.Totals().Written
		}
		if len(p.Merges) > 0 {
			apply(s, p, math.MaxInt64/4, 0)
		}
		most, mostOver = max(most, filesOf(s, day-1), filesOf(s, day)), max(mostOver, filesOf(s, day-2), filesOf(s, day-5))
	}
	rows, bytes := float64(rowsWritten)/float64(rowsIn), float64(bytesWritten)/float64(bytesIn)
	t.Logf("each row was written again %.2f times, each byte %.2f; the current day and the last had at most %d files, others %d; %d days have %d in the end; at most %d merges were deferred",
		rows, bytes, most, mostOver, days, len(s.Files), deferred)
	// log4 of a day's commits, and once when the cell has become quiet. What
	// comes late is little.
	bound := math.Log(commits)/math.Log(store.Growth) + 1
	if rows > bound || bytes > bound {
		t.Errorf("more than %.2f times", bound)
	}
	if most > 25 || mostOver > 10 || len(s.Files) > days+60 || deferred > 0 {
		t.Error("there are too many files")
	}
}
