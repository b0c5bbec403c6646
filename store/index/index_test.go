package index_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"mdcalake/store/index"
)

var ctx = context.Background()

// randomEntries has values in many cells, shared hashes between kinds, and
// hashes at the ends of the range.
func randomEntries(r *rand.Rand, n int) []index.Entry {
	entries := make([]index.Entry, n)
	for i := range entries {
		e := &entries[i]
		e.Kind = index.Kind(1 + r.IntN(5))
		e.Cell = index.Cell{Day: int32(r.IntN(900) - 100), Service: r.Int64N(40) - 3}
		switch r.IntN(8) {
		case 0:
			e.Hash = 42
		case 1:
			e.Hash = []uint64{0, 1, ^uint64(0), ^uint64(0) - 1}[r.IntN(4)]
		case 2:
			e.Hash = 1<<40 + r.Uint64N(300)
		default:
			e.Hash = r.Uint64()
		}
	}
	return entries
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestNoIndexCoversNothing(t *testing.T) {
	ix := open(t, filepath.Join(t.TempDir(), "none"))
	if to, _ := ix.Covered(); to != -1 {
		t.Errorf("it covers %d", to)
	}
	if cells, err := ix.Cells(nil, index.IP, 7); err != nil || len(cells) > 0 {
		t.Error(cells, err)
	}
}

func TestAnEmptyRunCovers(t *testing.T) {
	dir := t.TempDir()
	must[index.Info](t)(writer(t, dir).Append(ctx, span(0, 4), nil))
	truth{nil, nil, nil, nil, nil}.mustHold(t, dir)
}

func TestHashesMustBeSorted(t *testing.T) {
	if err := open(t, t.TempDir()).Lookup(index.IP, []uint64{2, 1}, nil); err == nil {
		t.Error("no error")
	}
}

func TestWhatABuilderRefuses(t *testing.T) {
	w := writer(t, t.TempDir())
	if _, err := w.Build(0).Commit(ctx, index.Span{From: 3, To: 2}); err == nil {
		t.Error("versions that run backwards are taken")
	}
	b := w.Build(0)
	for _, kind := range []index.Kind{0, 64, 255} {
		if b.Add(kind, 1, index.Cell{}) == nil {
			t.Errorf("kind %d is taken", kind)
		}
	}
	must[index.Info](t)(b.Commit(ctx, span(0, 0)))
	if b.Add(index.IP, 1, index.Cell{}) == nil {
		t.Error("an entry is taken after the commit")
	}
}

// What comes out depends on the set of entries alone: not on their order, nor
// on how much memory there was, nor on how often runs were merged.
func TestRunsOfTheSameEntriesAreTheSameBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	entries := randomEntries(r, 30_000)
	var want []byte
	bytesOf := func(dir string) []byte {
		t.Helper()
		list := must[[]string](t)(filepath.Glob(filepath.Join(dir, "*")))
		if len(list) != 1 {
			t.Fatalf("files %q, want one", list)
		}
		return must[[]byte](t)(os.ReadFile(list[0]))
	}
	for _, memory := range []int{0, 32 * 5000, 32 * 400} { // the last one joins spilled parts
		dir := t.TempDir()
		b := writer(t, dir).Build(memory)
		for range 2 {
			for _, n := range r.Perm(len(entries)) {
				if err := b.Add(entries[n].Kind, entries[n].Hash, entries[n].Cell); err != nil {
					t.Fatal(err)
				}
			}
		}
		must[index.Info](t)(b.Commit(ctx, span(0, 9)))
		if want == nil {
			want = bytesOf(dir)
		} else if !bytes.Equal(bytesOf(dir), want) {
			t.Errorf("with %d bytes of memory the run is another", memory)
		}
	}
	dir := t.TempDir()
	w := writer(t, dir)
	for v := range int64(10) {
		must[index.Info](t)(w.Append(ctx, span(v, v), entries[v*3000:(v+1)*3000]))
	}
	must[index.Info](t)(w.Merge(ctx, index.PlanMergeAll(open(t, dir).Runs())))
	if err := w.RemoveStray(open(t, dir)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytesOf(dir), want) {
		t.Error("merged, the run is another")
	}
}

func TestARunOfAnotherLogDoesNotFit(t *testing.T) {
	dir := t.TempDir()
	w := writer(t, dir)
	must[index.Info](t)(w.Append(ctx, span(0, 3), nil))
	other := span(4, 5)
	other.Before = digest(99)
	must[index.Info](t)(w.Append(ctx, other, nil))
	ix := open(t, dir)
	if to, _ := ix.Covered(); to != 3 {
		t.Errorf("it covers %d, want 3", to)
	}
	if len(ix.Stray()) != 1 {
		t.Errorf("stray %q", ix.Stray())
	}
}

func TestTheOrderOfSteps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	d := newDisk(t, -1)
	w := index.Writer{Dir: dir, FS: index.Using(d)}
	e := []index.Entry{{Kind: index.IP, Hash: 1}}
	must[index.Info](t)(w.Append(ctx, span(0, 0), e))
	must[index.Info](t)(w.Append(ctx, span(1, 1), e))
	must[index.Info](t)(w.Merge(ctx, index.PlanMergeAll(open(t, dir).Runs())))
	if err := w.RemoveStray(open(t, dir)); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(strings.Join(d.steps, "\n"), "0000000000000000000", "")
	got = strings.ReplaceAll(got, filepath.Base(filepath.Dir(dir)), "PARENT")
	want := `create .run-0-0.idx.tmp
mkdir index
sync dir PARENT
create .run-0-0.idx.tmp
write
write
write
write
sync
close
rename .run-0-0.idx.tmp run-0-0.idx
sync dir index
create .run-1-1.idx.tmp
write
write
write
write
sync
close
rename .run-1-1.idx.tmp run-1-1.idx
sync dir index
create .run-0-1.idx.tmp
write
write
write
write
sync
close
rename .run-0-1.idx.tmp run-0-1.idx
sync dir index
remove run-0-0.idx
remove run-1-1.idx`
	if got != want {
		t.Errorf("steps:\n%s\nwant:\n%s", got, want)
	}
}

// Every step may be the last one; whatever of the unsynced then remains, the
// index holds what was acknowledged, tells no lies, and can go on.
func TestACrashAtEveryStepForgetsNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	tr := make(truth, 4)
	for v := range tr {
		tr[v] = randomEntries(r, 40+v*200)
	}
	// story does everything that writes, and returns the last version that
	// was acknowledged.
	story := func(w index.Writer, dir string) (done int64, err error) {
		done = -1
		for v := range tr.latest() + 1 {
			if _, err := w.Append(ctx, span(v, v), tr[v]); err != nil {
				return done, err
			}
			done = v
			ix, err := index.Open(dir)
			if err != nil {
				return done, err
			}
			plan := index.PlanMerge(ix.Runs())
			if v%3 == 2 {
				plan = index.PlanMergeAll(ix.Runs())
			}
			ix.Close()
			if _, err := w.Merge(ctx, plan); err != nil {
				return done, err
			}
			if ix, err = index.Open(dir); err != nil {
				return done, err
			}
			ix.Close()
			if err := w.RemoveStray(ix); err != nil {
				return done, err
			}
		}
		// A rebuild over what is there.
		b := w.Build(32 * 500)
		defer b.Close()
		for _, e := range tr.upTo(0, done) {
			if err := b.Add(e.Kind, e.Hash, e.Cell); err != nil {
				return done, err
			}
		}
		_, err = b.Commit(ctx, span(0, done))
		return done, err
	}
	all := newDisk(t, -1)
	dir := filepath.Join(t.TempDir(), "index")
	if _, err := story(index.Writer{Dir: dir, FS: index.Using(all)}, dir); err != nil {
		t.Fatal(err)
	}
	tr.mustHold(t, dir)
	for stop := range all.steps {
		for _, lost := range []string{"nothing", "bytes", "bytes and names"} {
			if lost == "nothing" && stop%4 != 0 {
				continue // the kindest case
			}
			where := fmt.Sprintf("stopped before step %d (%s), lost %s", stop, all.steps[stop], lost)
			dir := filepath.Join(t.TempDir(), "index")
			d := newDisk(t, stop)
			done, err := story(index.Writer{Dir: dir, FS: index.Using(d)}, dir)
			if !errors.Is(err, errStopped) && err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			if lost != "nothing" {
				d.lose(t, lost == "bytes and names")
			}
			ix := open(t, dir)
			if err := ix.Check(ctx); err != nil {
				t.Fatalf("%s: check: %v", where, err)
			}
			to, err := tr.check(t, ix)
			if err != nil || to < done {
				t.Fatalf("%s: it covers %d (%v), but %d was acknowledged", where, to, err, done)
			}
			w := writer(t, dir)
			if to < tr.latest() {
				must[index.Info](t)(w.Append(ctx, span(to+1, tr.latest()), tr.upTo(to+1, tr.latest())))
			}
			if err := w.RemoveStray(open(t, dir)); err != nil {
				t.Fatal(err)
			}
			tr.mustHold(t, dir)
			for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
				if strings.HasPrefix(e.Name(), ".") {
					t.Fatalf("%s: %s is left", where, e.Name())
				}
			}
		}
	}
	t.Logf("%d steps", len(all.steps))
}

// The index against a slice of slices, with everything that can happen to it.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "index")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		d := &disk{stopAt: -1, kept: filepath.Join(dir, "none"), dirty: map[string]string{}}
		w := index.Writer{Dir: dir, FS: index.Using(d)}
		var tr truth
		entry := rapid.Custom(func(t *rapid.T) index.Entry {
			return index.Entry{
				Kind: index.Kind(rapid.IntRange(1, 3).Draw(t, "kind")),
				Hash: rapid.Uint64Range(0, 20).Draw(t, "hash") * 0x0ccccccccccccccc,
				Cell: index.Cell{Day: rapid.Int32Range(-1, 3).Draw(t, "day"), Service: rapid.Int64Range(0, 3).Draw(t, "service")},
			}
		})
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		covered := func() (*index.Index, int64) {
			ix, err := index.Open(dir)
			ok(err)
			to, _ := ix.Covered()
			return ix, to
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				ix, to := covered()
				defer ix.Close()
				_, err := tr.check(t, ix)
				ok(err)
				if to != tr.latest() {
					t.Fatalf("it covers %d, want %d", to, tr.latest())
				}
				ok(ix.Check(ctx))
			},
			"append": func(t *rapid.T) {
				from := int64(len(tr))
				for range rapid.IntRange(1, 3).Draw(t, "versions") {
					tr = append(tr, rapid.SliceOfN(entry, 0, 30).Draw(t, "entries"))
				}
				// Enough for several blocks now and then.
				if rapid.IntRange(0, 19).Draw(t, "many") == 0 {
					r := rand.New(rand.NewPCG(uint64(from), 1))
					for _, e := range randomEntries(r, 500) {
						e.Kind = 2
						tr[from] = append(tr[from], e)
					}
				}
				_, err := w.Append(ctx, span(from, tr.latest()), tr.upTo(from, tr.latest()))
				ok(err)
			},
			"merge": func(t *rapid.T) {
				ix, _ := covered()
				defer ix.Close()
				plan := index.PlanMerge(ix.Runs())
				if rapid.Bool().Draw(t, "all") {
					plan = index.PlanMergeAll(ix.Runs())
				}
				_, err := w.Merge(ctx, plan)
				ok(err)
			},
			"tidy up": func(t *rapid.T) {
				ix, _ := covered()
				defer ix.Close()
				ok(w.RemoveStray(ix))
			},
			"damage, then repair": func(t *rapid.T) {
				ix, _ := covered()
				runs := ix.Runs()
				ix.Close()
				if len(runs) == 0 {
					t.Skip()
				}
				run := rapid.SampledFrom(runs).Draw(t, "run")
				path := filepath.Join(dir, run.Name)
				data, err := os.ReadFile(path)
				ok(err)
				switch rapid.IntRange(0, 2).Draw(t, "how") {
				case 0:
					data[rapid.IntRange(0, len(data)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				case 1:
					data = data[:rapid.IntRange(0, len(data)-1).Draw(t, "length")]
				case 2:
					data = nil
				}
				ok(os.Remove(path))
				if data != nil {
					ok(os.WriteFile(path, data, 0o600))
				}
				ix, to := covered()
				defer ix.Close()
				_, lookErr := tr.check(t, ix) // what it says without an error is true
				checkErr := ix.Check(ctx)
				if lookErr != nil && checkErr == nil {
					t.Fatalf("Check sees nothing, but a lookup: %v", lookErr)
				}
				// The stray, older runs may cover what the damaged one did.
				if checkErr == nil && to == tr.latest() {
					return
				}
				if checkErr != nil && !errors.Is(checkErr, index.ErrDamaged) && !errors.Is(checkErr, index.ErrUnknownVersion) {
					t.Fatalf("check: %v", checkErr)
				}
				_, err = w.Append(ctx, span(0, tr.latest()), tr.upTo(0, tr.latest()))
				ok(err)
				again, _ := covered()
				defer again.Close()
				ok(w.RemoveStray(again))
			},
		})
	})
}

// Readers come and go while a writer appends, merges and removes.
func TestReadersBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	const versions = 120
	tr := make(truth, versions)
	r := rand.New(rand.NewPCG(9, 9))
	for v := range tr {
		tr[v] = randomEntries(r, 20)
	}
	var over atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for last := false; !last; {
				last = over.Load()
				ix, err := index.Open(dir)
				if err != nil {
					t.Error(err)
					return
				}
				to, err := tr.check(t, ix)
				if err == nil {
					err = ix.Check(ctx)
				}
				if err != nil || last && to != tr.latest() {
					t.Errorf("it covers %d: %v", to, err)
				}
				ix.Close()
			}
		})
	}
	func() {
		defer readers.Wait()
		defer over.Store(true)
		w := writer(t, dir)
		for v := range tr.latest() + 1 {
			must[index.Info](t)(w.Append(ctx, span(v, v), tr[v]))
			must[index.Info](t)(w.Merge(ctx, index.PlanMerge(open(t, dir).Runs())))
			if err := w.RemoveStray(open(t, dir)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
}

func TestOneIndexServesManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	tr := truth{randomEntries(rand.New(rand.NewPCG(1, 1)), 5000)}
	must[index.Info](t)(writer(t, dir).Append(ctx, span(0, 0), tr[0]))
	ix := open(t, dir)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := tr.check(t, ix); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestACancelledMergeChangesNothing(t *testing.T) {
	dir := t.TempDir()
	w := writer(t, dir)
	for v := range int64(2) {
		must[index.Info](t)(w.Append(ctx, span(v, v), randomEntries(rand.New(rand.NewPCG(1, 1)), 10)))
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.Merge(cancelled, index.PlanMergeAll(open(t, dir).Runs())); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if list := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(list) != 2 {
		t.Errorf("%d files", len(list))
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool forgets at random")
	}
	dir := t.TempDir()
	entries := randomEntries(rand.New(rand.NewPCG(1, 1)), 5000)
	must[index.Info](t)(writer(t, dir).Append(ctx, span(0, 0), entries))
	ix := open(t, dir)
	cells := make([]index.Cell, 0, 5000)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ix.Cells(cells, index.Kind(2), 42); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("Cells allocates %v times", n)
	}
	hashes := []uint64{0, 42, 43, 1 << 40, ^uint64(0)}
	found := 0
	visit := func(int, index.Cell) { found++ }
	if n := testing.AllocsPerRun(100, func() {
		if err := ix.Lookup(index.Kind(2), hashes, visit); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 || found == 0 {
		t.Errorf("Lookup allocates %v times, found %d", n, found)
	}
	value := []byte("Älice@contoso.example")
	if n := testing.AllocsPerRun(100, func() { index.Hash(index.UserName, value) }); n >= 1 {
		t.Errorf("Hash allocates %v times", n)
	}
}
