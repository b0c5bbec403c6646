package index_test

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mdcalake/store/index"
)

var benchEntries = flag.String("index.entries", "1000000,10000000", "ids in the indexes of BenchmarkLookup, such as 1000000,50000000")

// id is the n-th id of the benchmarks.
func id(n int64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	return index.Hash(index.ActivityID, b[:])
}

// buildIDs makes an index of n ids over a year's 7,300 cells, in the given
// number of equal runs.
func buildIDs(tb testing.TB, dir string, n int64, runs int) {
	tb.Helper()
	w := index.Writer{Dir: dir}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range int64(runs) {
		b := w.Build(0)
		for k := n * i / int64(runs); k < n*(i+1)/int64(runs); k++ {
			cell := index.Cell{Day: 20000 + int32(r.IntN(365)), Service: int64(r.IntN(20))}
			if err := b.Add(index.ActivityID, id(k), cell); err != nil {
				tb.Fatal(err)
			}
		}
		if _, err := b.Commit(context.Background(), index.Span{From: i, To: i}); err != nil {
			tb.Fatal(err)
		}
	}
}

func open(tb testing.TB, dir string) *index.Index {
	tb.Helper()
	ix, err := index.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ix.Close() })
	return ix
}

// memory is resident memory in MiB: of the heap and so on, and of mapped files.
func memory() (anon, file float64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "RssAnon: %f kB", &kib); err == nil {
			anon = kib / 1024
		}
		if _, err := fmt.Sscanf(line, "RssFile: %f kB", &kib); err == nil {
			file = kib / 1024
		}
	}
	return anon, file
}

func sizes(tb testing.TB) (sizes []int64) {
	tb.Helper()
	for text := range strings.SplitSeq(*benchEntries, ",") {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// BenchmarkLookup asks for 200,000 ids at once, as dedupe does.
func BenchmarkLookup(b *testing.B) {
	const asked = 200_000
	for _, n := range sizes(b) {
		dir := b.TempDir()
		start := b.Elapsed()
		buildIDs(b, dir, n, 1)
		b.Logf("%d ids built in %v", n, b.Elapsed()-start)
		ix := open(b, dir)
		present, absent := make([]uint64, asked), make([]uint64, asked)
		r := rand.New(rand.NewPCG(3, 4))
		for i := range present {
			present[i] = id(r.Int64N(n))
			absent[i] = id(n + int64(i))
		}
		slices.Sort(present)
		slices.Sort(absent)
		for _, c := range []struct {
			name   string
			hashes []uint64
			found  bool
		}{{"present", present, true}, {"absent", absent, false}} {
			b.Run(fmt.Sprintf("ids=%d/%s", n, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					found := 0
					if err := ix.Lookup(index.ActivityID, c.hashes, func(int, index.Cell) { found++ }); err != nil {
						b.Fatal(err)
					}
					if (found >= asked) != c.found || !c.found && found > 0 {
						b.Fatalf("found %d", found)
					}
				}
				anon, file := memory()
				b.ReportMetric(anon, "RssAnon-MiB")
				b.ReportMetric(file, "RssFile-MiB")
			})
		}
		b.Run(fmt.Sprintf("ids=%d/one", n), func(b *testing.B) {
			b.ReportAllocs()
			var cells []index.Cell
			i := 0
			for b.Loop() {
				var err error
				cells, err = ix.Cells(cells[:0], index.ActivityID, present[i%asked])
				if err != nil || len(cells) == 0 {
					b.Fatal(cells, err)
				}
				i += 7919
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int64{1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("ids=%d", n), func(b *testing.B) {
			for b.Loop() {
				buildIDs(b, b.TempDir(), n, 1)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(n)/float64(b.N), "ns/id")
		})
	}
}

func BenchmarkHash(b *testing.B) {
	for _, value := range []string{"alice.bloggs@contoso.example", "älice.bloggs@straße.example"} {
		b.Run(value, func(b *testing.B) {
			b.ReportAllocs()
			value := []byte(value)
			for b.Loop() {
				index.Hash(index.UserName, value)
			}
		})
	}
}
