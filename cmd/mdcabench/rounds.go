package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Contestants take turns: A B A B. A ratio is that of two runs of one round, and
// what is shown is the median of the rounds with the least and the most.

// contestant is one that is measured.
type contestant struct {
	name   string
	rounds int                             // at most so many; 0: all
	ready  func(ctx context.Context) error // before each run, not measured
	run    func(ctx context.Context) (cost, error)
	left   string // what lies there after a run is what it wrote
	glob   string // its Parquet files below that, if there are any

	costs  []cost
	failed error // it is asked no more
}

// must is one without which there is nothing to compare.
const must = 0

// interleave lets all of them run so many rounds. The first is ours: if it fails
// all is over; of another one the table says so.
func (b *bench) interleave(ctx context.Context, rounds int, list []*contestant) error {
	for round := range rounds {
		for n, c := range list {
			if c.failed != nil || c.rounds > 0 && round >= c.rounds {
				continue
			}
			k, err := b.once(ctx, c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				if n == must {
					return err
				}
				c.failed = err
				b.progress("  %s: %s", c.name, short(err))
				continue
			}
			c.costs = append(c.costs, k)
			b.progress("  round %d of %d, %-34s %s, %s of CPU, %s", round+1, rounds, c.name, duration(k.wall.Seconds()), duration(k.cpu.Seconds()), memory(float64(k.peak)))
		}
	}
	return nil
}

func (b *bench) once(ctx context.Context, c *contestant) (k cost, err error) {
	if c.ready != nil {
		if err := c.ready(ctx); err != nil {
			return k, err
		}
	}
	if err := b.forget(); err != nil {
		return k, err
	}
	if k, err = c.run(ctx); err == nil && c.left != "" {
		k.bytes, k.files, err = sizeOf(c.left)
	}
	return k, err
}

// sizeOf is what lies in a directory, or how long a file is.
func sizeOf(path string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		bytes, files = bytes+info.Size(), files+1
		return nil
	})
	return bytes, files, err
}

// series is one figure of all rounds.
type series []float64

func (c *contestant) series(of func(cost) float64) (s series) {
	for _, k := range c.costs {
		s = append(s, of(k))
	}
	return s
}

func wall(k cost) float64 { return k.wall.Seconds() }
func cpu(k cost) float64  { return k.cpu.Seconds() }
func peak(k cost) float64 { return float64(k.peak) }

// over is the ratio round by round.
func (s series) over(other series) (ratios series) {
	for i := range min(len(s), len(other)) {
		if other[i] > 0 {
			ratios = append(ratios, s[i]/other[i])
		}
	}
	return ratios
}

func (s series) less(other series) (differences series) {
	for i := range min(len(s), len(other)) {
		differences = append(differences, s[i]-other[i])
	}
	return differences
}

func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// show writes the median and, of several, the spread.
func (s series) show(write func(float64) string) string {
	switch len(s) {
	case 0:
		return "-"
	case 1:
		return write(s[0])
	}
	least, most, m := write(slices.Min(s)), write(slices.Max(s)), write(s.median())
	for _, unit := range []string{" ms", " s", " MiB", "x"} {
		if strings.HasSuffix(least, unit) && strings.HasSuffix(most, unit) {
			least = strings.TrimSuffix(least, unit)
		}
	}
	return fmt.Sprintf("%s (%s–%s)", m, least, most)
}

func times(x float64) string { return fmt.Sprintf("%.2fx", x) }

// costTable is how all of them did, beside the first.
func costTable(list []*contestant, records int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| contestant | wall | user + sys | peak memory | left on disk | records/s | wall: times ours | CPU: times ours |\n|---|---|---|---|---|---|---|---|\n")
	ours := list[0]
	for _, c := range list {
		if c.failed != nil {
			fmt.Fprintf(&b, "| %s | failed: %s | | | | | | |\n", c.name, short(c.failed))
			continue
		}
		w := c.series(wall)
		disk := "-"
		if c.left != "" {
			last := c.costs[len(c.costs)-1]
			disk = size(last.bytes) + " in " + things(int64(last.files), "file", "files")
		}
		wallRatio, cpuRatio := "", ""
		if c != ours {
			wallRatio, cpuRatio = w.over(ours.series(wall)).show(times), c.series(cpu).over(ours.series(cpu)).show(times)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", c.name, w.show(duration), c.series(cpu).show(duration), c.series(peak).show(memory), disk,
			count(int64(float64(records)/w.median())), wallRatio, cpuRatio)
	}
	return b.String()
}

// things writes a count and its noun.
func things(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}
