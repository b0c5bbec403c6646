package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest/simulator"
	"mdcalake/ingest/simulator/tenant"
)

// The data, made from seeds: equal flags give equal bytes. It is made in a process
// of its own, since what makes records takes memory (process.go says why that
// matters), and either goes to a file or straight into an import.

// dataset says which records.
type dataset struct {
	kind     string // see simulate
	records  int
	days     int // of year and day
	services int // of year and day
	// since and until bound what is written; "" is all of it.
	since, until string
	clean        bool // of a year: nothing that only we know how to treat
	stories      bool // of a year: attacks and honest noise
}

const dataSeed = 6

func (d dataset) args() []string {
	args := []string{"data", "--kind", d.kind, "--records", strconv.Itoa(d.records)}
	if d.days > 0 {
		args = append(args, "--days", strconv.Itoa(d.days), "--services", strconv.Itoa(d.services))
	}
	if d.since != "" {
		args = append(args, "--since", d.since, "--until", d.until)
	}
	if d.clean {
		args = append(args, "--clean")
	}
	if d.stories {
		args = append(args, "--stories")
	}
	return args
}

// make writes a dataset to a file of the run.
func (b *bench) make(ctx context.Context, d dataset, name string) (path string, bytes int64, err error) {
	path = b.path(name)
	b.progress("making %s records (%s) in %s", count(d.records), d.kind, name)
	if _, err := b.must(ctx, b.child(append(d.args(), path)...)); err != nil {
		return "", 0, err
	}
	bytes, _, err = sizeOf(path)
	return path, bytes, err
}

// fill makes a lake of records that never lie in a file.
func (b *bench) fill(ctx context.Context, lake string, d dataset, flags ...string) error {
	b.progress("a lake of %s records (%s) %s", count(d.records), d.kind, d.since)
	feed := b.child(d.args()...)
	p := b.mdcalake(slices.Concat([]string{"import", "--quiet", "--lake", lake}, flags, []string{"-"})...)
	p.feed = &feed
	_, err := b.must(ctx, p)
	return err
}

// fillYear makes a lake of a year, 30 days at a time as tenant.Portions does; covered
// declares each of them complete.
func (b *bench) fillYear(ctx context.Context, lake string, d dataset, covered bool) error {
	for since := d.tenant().Start(); since.Before(tenant.End); since = since.AddDate(0, 0, 30) {
		until := since.AddDate(0, 0, 30)
		if until.After(tenant.End) {
			until = tenant.End
		}
		d.since, d.until = since.Format(time.DateOnly), until.Format(time.DateOnly)
		var flags []string
		if covered {
			flags = []string{"--covers", d.since + ".." + d.until, "--as-of", tenant.End.AddDate(0, 0, 1).Format(time.DateOnly)}
		}
		if err := b.fill(ctx, lake, d, flags...); err != nil {
			return err
		}
	}
	return nil
}

// shuffle puts the lines of a file into another order, and the file in its place.
func (b *bench) shuffle(ctx context.Context, path string) error {
	b.progress("shuffling %s", path)
	if _, err := b.must(ctx, b.child("shuffle", path, path+".shuffled")); err != nil {
		return err
	}
	return os.Rename(path+".shuffled", path)
}

func dataCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "data",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "kind"}, &cli.IntFlag{Name: "records"}, &cli.IntFlag{Name: "days"}, &cli.IntFlag{Name: "services"},
			&cli.StringFlag{Name: "since"}, &cli.StringFlag{Name: "until"}, &cli.BoolFlag{Name: "clean"}, &cli.BoolFlag{Name: "stories"},
		},
		Action: func(ctx *cli.Context) error {
			d := dataset{kind: ctx.String("kind"), records: ctx.Int("records"), days: ctx.Int("days"), services: ctx.Int("services"),
				since: ctx.String("since"), until: ctx.String("until"), clean: ctx.Bool("clean"), stories: ctx.Bool("stories")}
			if ctx.Args().Len() == 0 {
				w := bufio.NewWriterSize(c.out, 1<<20)
				if err := d.write(w); err != nil {
					return err
				}
				return w.Flush()
			}
			return writeFile(ctx.Args().First(), d.write)
		},
	}
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (d dataset) write(w io.Writer) error {
	var since, until time.Time
	for text, to := range map[*string]*time.Time{&d.since: &since, &d.until: &until} {
		if *text == "" {
			continue
		}
		var err error
		if *to, err = time.Parse(time.DateOnly, *text); err != nil {
			return err
		}
	}
	if d.kind == "small" {
		for i := range int64(d.records) {
			if err := tenant.WriteSmall(w, i, int64(d.records), 0, 0); err != nil {
				return err
			}
		}
		return nil
	}
	s, err := d.simulate()
	if err != nil {
		return err
	}
	return s.WriteNDJSON(w, since, until)
}

func (d dataset) tenant() tenant.Tenant {
	return tenant.Tenant{Days: d.days, Services: tenant.Services[:min(d.services, len(tenant.Services))], Records: d.records, Clean: d.clean, Stories: d.stories}
}

func (d dataset) simulate() (*simulator.Simulator, error) {
	o := simulator.Options{Seed: dataSeed, End: tenant.End, Count: d.records, Clock: func() time.Time { return tenant.End.AddDate(0, 1, 0) }}
	switch d.kind {
	case "month": // in the order of time, all services
		o.Start = tenant.End.AddDate(0, 0, -monthDays)
	case "cell": // one day of one service
		o.Start, o.Services = tenant.End.AddDate(0, 0, -1), tenant.Services[:1]
	case "year": // days and services as given, with a story for the questions
		return d.tenant().Simulate()
	default:
		return nil, fmt.Errorf("data of kind %q is unknown: there are month, year, cell, small", d.kind)
	}
	return simulator.New(o)
}

const monthDays = 30

// shuffleBucket is what is shuffled in memory at once.
const shuffleBucket = 256 << 20

func shuffleCommand() *cli.Command {
	return &cli.Command{
		Name: "shuffle",
		Action: func(ctx *cli.Context) error {
			return shuffleFile(ctx.Args().Get(0), ctx.Args().Get(1), shuffleBucket)
		},
	}
}

// shuffleFile deals the lines out to files by lot, and shuffles each of them: the
// whole is then in an order by lot, whatever its size. The input is removed as soon
// as it has been dealt out, so that no more than twice its size lies on the disk.
func shuffleFile(from, to string, bucket int64) error {
	bytes, _, err := sizeOf(from)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(dataSeed, 1))
	heaps := make([]string, bytes/bucket+1)
	for i := range heaps {
		heaps[i] = fmt.Sprintf("%s.%d", to, i)
		defer os.Remove(heaps[i])
	}
	if err := deal(from, heaps, r); err != nil {
		return err
	}
	if err := os.Remove(from); err != nil {
		return err
	}
	return writeFile(to, func(w io.Writer) error {
		for _, heap := range heaps {
			if err := shuffleHeap(w, heap, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func deal(from string, heaps []string, r *rand.Rand) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	var writers []*bufio.Writer
	for _, heap := range heaps {
		f, err := os.Create(heap)
		if err != nil {
			return err
		}
		defer f.Close()
		writers = append(writers, bufio.NewWriterSize(f, 256<<10))
	}
	if err := lines(in, func(line []byte) error {
		_, err := writers[r.IntN(len(writers))].Write(line)
		return err
	}); err != nil {
		return err
	}
	for _, w := range writers {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func shuffleHeap(w io.Writer, heap string, r *rand.Rand) error {
	f, err := os.Open(heap)
	if err != nil {
		return err
	}
	defer f.Close()
	var list [][]byte
	if err := lines(f, func(line []byte) error {
		list = append(list, append([]byte(nil), line...))
		return nil
	}); err != nil {
		return err
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, line := range list {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return os.Remove(heap)
}

// lines calls each with every line and its end.
func lines(in io.Reader, each func(line []byte) error) error {
	r := bufio.NewReaderSize(in, 1<<20)
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		switch err {
		case nil:
			if len(long) > 0 {
				part = append(long, part...)
				long = long[:0]
			}
			if err := each(part); err != nil {
				return err
			}
		case bufio.ErrBufferFull:
			long = append(long, part...)
		case io.EOF:
			return nil // every line has an end here
		default:
			return err
		}
	}
}
