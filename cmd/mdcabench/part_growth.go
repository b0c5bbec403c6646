package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// Growth: a lake that gets some records a few times a day, for a year. What does the
// next import cost, how long does it take to find the files of a day, what does
// compact rewrite? And beside it what grows with commits and ids, by the benchmarks
// of store.

func growthFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "per-day", Value: 2_000, Usage: "records of a day"},
		&cli.IntFlag{Name: "imports", Value: 4, Usage: "of a day"},
		&cli.StringFlag{Name: "marks", Value: "10,100,365", Usage: "days after which is measured"},
		&cli.StringFlag{Name: "commits", Value: "100,5000,50000", Usage: "of lakes that are opened; \"\": none"},
		&cli.StringFlag{Name: "ids", Value: "1000000,10000000,50000000", Usage: "of indexes that are asked for 200,000; \"\": none"},
	}
}

func (b *bench) growthPart(ctx *cli.Context) (section, error) {
	s := newSection("growth", "Growth")
	if err := b.grow(ctx, &s); err != nil {
		return s, err
	}
	if err := b.openings(ctx.Context, ctx.String("commits"), &s); err != nil {
		return s, err
	}
	return s, b.idChecks(ctx.Context, ctx.String("ids"), &s)
}

// growing is a lake between two marks.
type growing struct {
	imports          []cost
	records, bytes   int64 // imported since the last mark; bytes of all since the beginning
	wrote, compacted int64 // since the beginning, by imports and by compact
}

func (b *bench) grow(ctx *cli.Context, s *section) error {
	marks, err := numbers(ctx.String("marks"))
	if err != nil {
		return err
	}
	days, each := ctx.Int("days"), max(ctx.Int("imports"), 1)
	// The story of a tenant has some records of its own.
	d := dataset{kind: "year", records: days*(ctx.Int("per-day")+ctx.Int("services")) + 200, days: days, services: ctx.Int("services")}
	lake, file := b.path("lake"), b.path("next.jsonl")
	defer remove(lake, file)
	var g growing
	text := "| days | imports so far | records/s of an import | CPU per 1,000 records | peak memory | planning one day (`query --explain`) | compact | its peak memory | lake | written by imports: times the lake | and by compact | files |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"
	done := 0
	for day := range days {
		d.since = d.tenant().Start().AddDate(0, 0, day).Format(time.DateOnly)
		d.until = d.tenant().Start().AddDate(0, 0, day+1).Format(time.DateOnly)
		if err := b.oneDayMore(ctx.Context, &g, d, lake, file, each); err != nil {
			return err
		}
		done += each
		if !contains(marks, day+1) {
			continue
		}
		row, err := b.mark(ctx.Context, &g, lake, d.since, day+1, done)
		if err != nil {
			return err
		}
		text += row
		g.imports, g.records = nil, 0
	}
	if err := b.verify(ctx.Context, lake); err != nil {
		return err
	}
	s.say("### A lake that gets %s records a day in %d imports\n\nOf the imports since the row before: medians. *Written* is what the processes gave the file system, files that are gone again\n"+
		"included, since the beginning; `mdcalake compact` runs at each row only, and imports merge by themselves. %s.\n\n%s", count(ctx.Int("per-day")), each, strings.ToUpper(b.warmth()[:1])+b.warmth()[1:], text)
	return nil
}

func contains(list []int, n int) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

func numbers(text string) (list []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("%q: %q is no number", text, word)
		}
		list = append(list, n)
	}
	return list, nil
}

// oneDayMore imports a day in parts, as they come.
func (b *bench) oneDayMore(ctx context.Context, g *growing, d dataset, lake, file string, parts int) error {
	if _, err := b.must(ctx, b.child(append(d.args(), file)...)); err != nil {
		return err
	}
	names, err := split(file, parts)
	if err != nil {
		return err
	}
	for _, part := range names {
		bytes, _, err := sizeOf(part.name)
		if err != nil {
			return err
		}
		k, err := b.must(ctx, b.mdcalake("import", "--quiet", "--lake", lake, part.name))
		if err != nil {
			return err
		}
		k.rows = part.records
		g.imports = append(g.imports, k)
		g.wrote += k.wrote
		g.bytes += bytes
		if err := remove(part.name); err != nil {
			return err
		}
	}
	return nil
}

// filePart is a part of a file.
type filePart struct {
	name    string
	records int64
}

// split cuts a file of lines into so many of as many lines.
func split(path string, parts int) (list []filePart, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines = lines[:len(lines)-1] // behind the last end is nothing
	for n := range parts {
		some := lines[len(lines)*n/parts : len(lines)*(n+1)/parts]
		p := filePart{name: fmt.Sprintf("%s.%d", path, n), records: int64(len(some))}
		if err := os.WriteFile(p.name, []byte(strings.Join(some, "")), 0o600); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func (b *bench) mark(ctx context.Context, g *growing, lake, day string, days, done int) (string, error) {
	var rate, perThousand, peaks series
	for _, k := range g.imports {
		rate = append(rate, float64(k.rows)/k.wall.Seconds())
		perThousand = append(perThousand, k.cpu.Seconds()/float64(k.rows)*1000)
		peaks = append(peaks, float64(k.peak))
	}
	planning := &contestant{name: "query --explain", run: b.mdcalake("query", "--lake", lake, "--explain", "select count(*) from activities where date = '"+day+"'").run}
	if err := b.interleave(ctx, b.rounds, []*contestant{planning}); err != nil {
		return "", err
	}
	k, err := b.must(ctx, b.mdcalake("compact", "--quiet", "--lake", lake))
	if err != nil {
		return "", err
	}
	g.compacted += k.wrote
	files, bytes, err := filesIn(lake)
	if err != nil {
		return "", err
	}
	rates := func(x float64) string { return count(int64(x)) }
	return fmt.Sprintf("| %d | %s | %s | %s | %s | %s | %s | %s | %s of %s | %s | %s | %s |\n", days, count(done), rate.show(rates), perThousand.show(duration), peaks.show(memory),
		planning.series(wall).show(duration), duration(wall(k)), memory(peak(k)), size(bytes), size(g.bytes), times(float64(g.wrote)/float64(bytes)), times(float64(g.compacted)/float64(bytes)), count(files)), nil
}

// goTest runs benchmarks of a room, and answers what each measured.
func (b *bench) goTest(ctx context.Context, room, benchmark string, args ...string) (map[string]map[string]float64, error) {
	program, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	p := b.process(program, append([]string{"test", "./" + room, "-run", "^$", "-bench", "^" + benchmark + "$", "-benchtime", "3x", "-count", strconv.Itoa(min(b.rounds, 3)), "-timeout", "2h"}, args...)...)
	p.dir = filepath.Join(b.testdata, "..")
	b.progress("%s", p)
	k, err := b.must(ctx, p)
	if err != nil {
		return nil, err
	}
	return parseBenchmarks(k.out), nil
}

var benchmarkLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// parseBenchmarks reads what go test says: of several runs the median counts.
func parseBenchmarks(text string) map[string]map[string]float64 {
	all := map[string]map[string]series{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		found := benchmarkLine.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		if all[found[1]] == nil {
			all[found[1]] = map[string]series{}
		}
		words := strings.Fields(found[2])
		for i := 0; i+1 < len(words); i += 2 {
			if x, err := strconv.ParseFloat(words[i], 64); err == nil {
				all[found[1]][words[i+1]] = append(all[found[1]][words[i+1]], x)
			}
		}
	}
	medians := map[string]map[string]float64{}
	for name, figures := range all {
		medians[name] = map[string]float64{}
		for unit, s := range figures {
			medians[name][unit] = s.median()
		}
	}
	return medians
}

func (b *bench) openings(ctx context.Context, commits string, s *section) error {
	if commits == "" {
		return nil
	}
	found, err := b.goTest(ctx, "store", "BenchmarkOpenCommits", "-open.commits="+commits)
	if err != nil {
		return b.passedOver(ctx, "opening long logs", err, s)
	}
	text := "| commits | to read | to read, without the cached fold | to write |\n|---|---|---|---|\n"
	for n := range strings.SplitSeq(commits, ",") {
		of := func(what string) float64 { return found["OpenCommits/commits="+n+"/"+what]["ns/op"] / 1e9 }
		cached := of("with_a_cached_fold")
		if cached == 0 {
			return fmt.Errorf("go test said nothing of opening %s commits: %v", n, found)
		}
		text += fmt.Sprintf("| %s | %s | %s | %s |\n", count(number(n)), duration(cached), duration(of("without_a_cached_fold")), duration(of("for_writing")))
		s.facts["growth.open."+n] = cached
	}
	s.say("### Opening a lake of many commits\n\n`go test ./store -bench BenchmarkOpenCommits`, warm files.\n\n%s", text)
	return nil
}

func (b *bench) idChecks(ctx context.Context, ids string, s *section) error {
	if ids == "" {
		return nil
	}
	found, err := b.goTest(ctx, "store/index", "BenchmarkLookup", "-index.entries="+ids)
	if err != nil {
		return b.passedOver(ctx, "id checks", err, s)
	}
	text := "| ids in the index | 200,000 that are there | 200,000 that are not | one | memory of the process |\n|---|---|---|---|---|\n"
	for n := range strings.SplitSeq(ids, ",") {
		of := func(what string) map[string]float64 { return found["Lookup/ids="+n+"/"+what] }
		present, absent := of("present"), of("absent")
		if present == nil || absent == nil {
			return fmt.Errorf("go test said nothing of %s ids: %v", n, found)
		}
		resident := max(present["RssAnon-MiB"]+present["RssFile-MiB"], absent["RssAnon-MiB"]+absent["RssFile-MiB"]) * mebibyte
		text += fmt.Sprintf("| %s | %s | %s | %s | %s |\n", count(number(n)), duration(present["ns/op"]/1e9), duration(absent["ns/op"]/1e9), duration(of("one")["ns/op"]/1e9), memory(resident))
		s.facts["growth.ids."+n] = max(present["ns/op"], absent["ns/op"]) / 1e9
		s.facts["growth.ids."+n+".memory"] = resident
	}
	s.say("### Are these ids there?\n\n`go test ./store/index -bench BenchmarkLookup`, warm files.\n\n%s", text)
	return nil
}

// passedOver says what could not be measured; without Go or the sources there is
// nothing to run.
func (b *bench) passedOver(ctx context.Context, what string, err error, s *section) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.progress("passed over: %s: %v", what, err)
	s.say("Passed over: %s (%s).", what, short(err))
	return nil
}
