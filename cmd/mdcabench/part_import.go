package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mdcalake/store"
)

// Import: from files of records to Parquet in the same partitions, ours beside
// DuckDB's own COPY, a quick DuckDB that keeps no record, zstd as the floor, and what
// Python has. Ours does more: it compares each record with those of before, sorts
// each file, syncs all of it and commits.

func importFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "records", Value: 200_000, Usage: "of the month; 0: not, as with the others"},
		&cli.IntFlag{Name: "shuffled", Value: 200_000, Usage: "of the shuffled year"},
		&cli.IntFlag{Name: "more", Value: 2_000_000, Usage: "of the month once more"},
		&cli.IntFlag{Name: "more-shuffled", Value: 2_000_000, Usage: "of the shuffled year once more"},
		&cli.IntFlag{Name: "cell", Value: 430_000, Usage: "of one day and service, some 4.8 kB each"},
		&cli.IntFlag{Name: "small", Value: 5_000_000, Usage: "of a year of small ones"},
		&cli.BoolFlag{Name: "others", Value: true, Usage: "with polars, pyarrow, dlt and sqlite-utils, once, over the first month"},
	}
}

// importInput is what is imported.
type importInput struct {
	name, title string
	dataset
	shuffled bool
	few      bool // it is large: three rounds at most
	others   bool
}

func importInputs(ctx *cli.Context) (list []importInput) {
	days, services := ctx.Int("days"), ctx.Int("services")
	month := func(n int) dataset { return dataset{kind: "month", records: n} }
	year := func(n int) dataset {
		return dataset{kind: "year", records: n, days: days, services: services, clean: true}
	}
	cells := fmt.Sprintf("%d days x %d services", days, services)
	for _, in := range []importInput{
		{name: "month", title: "30 days in the order of time", dataset: month(ctx.Int("records")), others: ctx.Bool("others")},
		{name: "year", title: cells + ", shuffled", dataset: year(ctx.Int("shuffled")), shuffled: true},
		{name: "cell", title: "one day of one service", dataset: dataset{kind: "cell", records: ctx.Int("cell")}, few: true},
		{name: "month-more", title: "30 days in the order of time", dataset: month(ctx.Int("more")), few: true},
		{name: "year-more", title: cells + ", shuffled", dataset: year(ctx.Int("more-shuffled")), shuffled: true, few: true},
		{name: "small", title: "small records, a year of 20 services in the order of time", dataset: dataset{kind: "small", records: ctx.Int("small")}, few: true},
	} {
		if in.records > 0 {
			list = append(list, in)
		}
	}
	return list
}

func (b *bench) importPart(ctx *cli.Context) (section, error) {
	s := newSection("import", "Import")
	s.say("From one file of records to Parquet, `date=.../service=...`, zstd. Cold processes, %s. Each contestant's records were counted and every column\n"+
		"compared with ours (count of values, sum of hashes with the row's id), and `mdcalake verify` found nothing. Ours compares each record with those that\n"+
		"are there, sorts each file, syncs everything and commits; none of the others does. SQL and scripts: [testdata/bench](../bench).", b.warmth())
	others := b.noOthers
	if ctx.Bool("others") {
		others = b.pythons
	}
	for _, in := range importInputs(ctx) {
		if err := b.importOne(ctx.Context, in, others, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (b *bench) importOne(ctx context.Context, in importInput, others func(context.Context, string, *section) ([]*contestant, error), s *section) error {
	records, bytes, err := b.make(ctx, in.dataset, in.name+".jsonl")
	if err != nil {
		return err
	}
	defer remove(records)
	if in.shuffled {
		if err := b.shuffle(ctx, records); err != nil {
			return err
		}
	}
	if err := b.warm(records); err != nil {
		return err
	}
	lake := b.path("lake")
	list := []*contestant{{name: "**mdcalake import**", ready: fresh(lake), left: filepath.Join(lake, "activities"), run: b.mdcalake("import", "--quiet", "--lake", lake, records).run}}
	var outs []string
	for _, sql := range []struct{ name, file string }{{"DuckDB COPY, from_json, with raw", "activities.sql"}, {"DuckDB read_json, declared, without raw", "declared.sql"}} {
		out := b.path("out-" + strings.TrimSuffix(sql.file, ".sql"))
		statement, err := b.copySQL(sql.file, records, out)
		if err != nil {
			return err
		}
		list = append(list, &contestant{name: sql.name, ready: fresh(out), left: out, glob: partitioned, run: b.child("sql", statement).run})
		outs = append(outs, out)
	}
	floor := b.zstd(records, b.path("floor.zst"))
	list = append(list, floor)
	if in.others {
		more, err := others(ctx, records, s)
		if err != nil {
			return err
		}
		for _, c := range more {
			outs = append(outs, c.left)
		}
		list = append(list, more...)
	}
	defer func() { remove(append(outs, lake, floor.left)...) }()
	rounds := b.rounds
	if in.few {
		rounds = min(rounds, 3)
	}
	if err := b.interleave(ctx, rounds, list); err != nil {
		return err
	}
	s.say("### %s: %s records, %s\n\n%s", in.title, count(in.records), size(bytes), costTable(list, int64(in.records)))
	if err := b.sameRecords(ctx, lake, list, s); err != nil {
		return err
	}
	ours, duck := list[0], list[1]
	s.facts["import."+in.name+".peak"] = ours.series(peak).median()
	switch {
	case duck.failed != nil && strings.Contains(duck.failed.Error(), "failed to allocate"):
		s.facts["import."+in.name+".speed"+alone] = 1
	case duck.failed == nil:
		s.facts["import."+in.name+".speed"] = duck.series(wall).over(ours.series(wall)).median()
		s.facts["import."+in.name+".cpu"] = duck.series(cpu).over(ours.series(cpu)).median()
	}
	return b.compactOne(ctx, lake, in.name, floor.costs[len(floor.costs)-1].bytes, s)
}

// compactOne: what the lake takes beside zstd -3, after the import and merged.
func (b *bench) compactOne(ctx context.Context, lake, name string, floor int64, s *section) error {
	before, err := listed(lake)
	if err != nil {
		return err
	}
	k, err := b.must(ctx, b.mdcalake("compact", "--quiet", "--lake", lake))
	if err != nil {
		return err
	}
	if err := b.verify(ctx, lake); err != nil {
		return err
	}
	after, err := listed(lake)
	if err != nil {
		return err
	}
	s.say("On disk, in times of `zstd -3`: %s after the import, %s after `mdcalake compact`, which took %s, %s of CPU and %s.", times(float64(before)/float64(floor)), times(float64(after)/float64(floor)),
		duration(wall(k)), duration(cpu(k)), memory(peak(k)))
	s.facts["import."+name+".disk"] = float64(before) / float64(floor)
	s.facts["import."+name+".compacted"] = float64(after) / float64(floor)
	return nil
}

// sameRecords holds every contestant that wrote Parquet against ours. The baseline
// must have the very same; what the others lose is said.
func (b *bench) sameRecords(ctx context.Context, lake string, list []*contestant, s *section) error {
	if err := b.verify(ctx, lake); err != nil {
		return err
	}
	var said []string
	for _, c := range list[1:] {
		if c.failed != nil || c.glob == "" {
			continue
		}
		same, err := b.same(ctx, filepath.Join(lake, "activities", partitioned), filepath.Join(c.left, c.glob))
		if err != nil {
			return err
		}
		b.progress("  %s: %s", c.name, same)
		if len(same.Differ)+len(same.Types) > 0 && c == list[1] {
			return fmt.Errorf("%s and mdcalake hold other records: %s", c.name, same)
		}
		said = append(said, c.name+": "+same.String())
	}
	if len(said) == 0 {
		s.say("No other contestant ended, to be held against ours.")
		return nil
	}
	text := strings.Join(said, "; ")
	if strings.Contains(text, "DIFFERENT") {
		text += ". Where a record has a member twice the first counts for us and for DuckDB, for Python's json the last; the simulator has a few such sessions"
	}
	s.say("Held against ours: %s.", text)
	return nil
}

// partitioned is where the files are of those who divide by date and service.
const partitioned = "date=*/service=*/*.parquet"

// fresh removes what the round before left.
func fresh(path string) func(context.Context) error {
	return func(context.Context) error { return remove(path) }
}

// zstd is the floor: the bytes compressed and nothing else, by the system's program
// or else by the library we use.
func (b *bench) zstd(records, out string) *contestant {
	c := &contestant{name: "floor: zstd -3, one thread", ready: fresh(out), left: out, run: b.child("zstd", records, out).run}
	if program, err := exec.LookPath("zstd"); err == nil {
		c.run = b.process(program, "-3", "-T1", "-q", "-o", out, records).run
	} else {
		c.name = "floor: zstd level 3 of klauspost/compress, one thread"
	}
	return c
}

func (b *bench) noOthers(context.Context, string, *section) ([]*contestant, error) { return nil, nil }

// pythons are the contestants in Python, installed if a registry answers.
func (b *bench) pythons(ctx context.Context, records string, s *section) (list []*contestant, err error) {
	python, err := b.install(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		s.say("Passed over: polars, pyarrow, dlt and sqlite-utils (%s).", short(err))
		return nil, nil
	}
	var missing []string
	for _, c := range []struct{ module, name, script, out, glob string }{
		{"polars", "polars, json_decode, with raw", "with_polars.py", "out-polars", partitioned},
		{"pyarrow", "pyarrow, lifted in Python, with raw", "with_pyarrow.py", "out-pyarrow", partitioned},
		{"dlt", "dlt to Parquet files, lifted in Python, with raw", "with_dlt.py", "out-dlt", "lake/activities/*.parquet"},
		{"sqlite_utils", "sqlite-utils, lifted in Python, with raw", "with_sqlite_utils.py", "out.sqlite", ""},
	} {
		if _, err := b.must(ctx, b.process(python, "-c", "import "+c.module)); err != nil {
			missing = append(missing, c.module)
			continue
		}
		out := b.path(c.out)
		script, err := filepath.Abs(filepath.Join(b.testdata, "bench", c.script))
		if err != nil {
			return nil, err
		}
		p := b.process(python, "-B", script, records, out)
		p.dir = b.work
		list = append(list, &contestant{name: c.name, rounds: 1, ready: fresh(out), left: out, glob: c.glob, run: p.run})
	}
	if len(missing) > 0 {
		s.say("Passed over, since the registry did not give them: %s.", strings.Join(missing, ", "))
	}
	return list, ctx.Err()
}

// install makes the environment of the contestants in Python as testdata/interop
// does. Its error is for the table only.
func (b *bench) install(ctx context.Context) (python string, err error) {
	base, err := exec.LookPath("python3")
	if err != nil {
		return "", errors.New("there is no python3 here")
	}
	venv, err := filepath.Abs(b.venv)
	if err != nil {
		return "", err
	}
	python = filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		if _, err := b.must(ctx, b.process(base, "-m", "venv", venv)); err != nil {
			return "", err
		}
	}
	b.progress("installing what testdata/bench/requirements.txt names")
	k, err := b.must(ctx, b.process(python, "-B", filepath.Join(b.testdata, "interop", "install.py"), filepath.Join(b.testdata, "bench", "requirements.txt"), "bench"))
	if said := strings.TrimSpace(k.errs); said != "" {
		b.progress("%s", said)
	}
	return python, err
}

// listed is the size of the files of activities that the log names: those that were
// merged away stay on the disk until no reader can have them.
func listed(lake string) (bytes int64, err error) {
	l, err := store.Open(lake)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	for _, f := range l.Snapshot().Files {
		bytes += f.Size
	}
	return bytes, nil
}
