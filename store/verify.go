package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"mdcalake/store/index"
)

// Verify reads everything again, in this order, which is also the order of what
// it reports:
//
//	log         every entry, the chain of their hashes, the head (verify_log.go)
//	revisions   each file against the log, each row against its bytes (verify_files.go, verify_rows.go)
//	activities  likewise, and each row against the revisions of its id (verify_revisions.go)
//	quarantine  likewise
//	ids         none stands twice (verify_ids.go)
//	pages       the bodies that were kept (verify_pages.go)
//	extras      what lies in the lake and is none of it (verify_extras.go)
//
// Files are read on all processors; what is found comes out in the order of
// their paths. Memory does not grow with the rows: what has to be compared over
// the whole lake is looked at in slices of a hash space (hashslice.go).

// VerifyOptions say how far verify looks.
type VerifyOptions struct {
	// Lift makes a row from a record's verbatim bytes, as ingest does, and keeps
	// no reference to them; verify compares its columns with those on disk. It is
	// called from several goroutines at once. nil: not compared.
	Lift func(record []byte, row *Row) error
	// Quick checks the log and the files' hashes and does not read rows.
	Quick bool
	// ExpectHead is a head noted earlier, VERSION:SHA256. Without it, entries
	// taken off the end of the log cannot be noticed.
	ExpectHead string
	// Manifest, if given, gets the SHA-256 of every file of the lake as it was
	// found, in the form that 'sha256sum -c' reads, after everything was read.
	Manifest io.Writer
	// Progress, if given, is told now and then how far a step has come.
	Progress func(step string, done, total int64)

	limits verifyLimits
}

// verifyLimits bound what is compared at once; tests set small ones. 0: the
// product's.
type verifyLimits struct {
	ids       int // of all rows, 8 bytes each
	repeated  int // of ids that seem to stand twice, about 100 bytes each
	revisions int // about 70 bytes each
	changed   int // rows of files that another program has written again, 24 bytes each
}

func (l verifyLimits) orDefaults() verifyLimits {
	return verifyLimits{
		ids: cmp.Or(l.ids, verifyIDs), repeated: cmp.Or(l.repeated, verifyRepeated), revisions: cmp.Or(l.revisions, verifyRevisions),
		changed: cmp.Or(l.changed, verifyChanged),
	}
}

// Problem is one thing that is not as it was written. Path is relative to the
// lake and may be empty.
type Problem struct {
	Path string
	What string
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.What
	}
	// A name is whatever somebody chose; a problem is one line.
	return printable(p.Path) + ": " + p.What
}

// Verified is what verify looked at.
type Verified struct {
	Problems   int
	Entries    int64
	Files      int
	Rows       int64
	Revisions  int64
	Quarantine int64
	Pages      int64  // kept bodies
	InFlight   int    // files of a run under way, or left by a crash for the next writer to remove
	Head       string // SHA-256 of the last entry
	Version    int64
	Notes      []string // what is no damage, and what it cannot know
}

// Verify re-reads the lake in dir and reports each problem. It changes
// nothing. The error is for what kept it from looking, not for damage.
func Verify(ctx context.Context, dir string, o VerifyOptions, report func(Problem)) (*Verified, error) {
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	readers := lockShared(l.private(readersName))
	defer readers.Close()
	o.limits = o.limits.orDefaults()
	v := &verifier{layout: l, o: o, result: &Verified{Version: -1}, report: report}
	if o.Manifest != nil {
		v.sums = map[string]string{}
	}
	err = v.run(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &LakeError{Op: "verify lake", Path: dir, Err: err}
	}
	return v.result, nil
}

type verifier struct {
	layout layout
	o      VerifyOptions
	report func(Problem)
	log    *ledger
	seed   uint64 // of the hashes of ids
	erased erasures
	// adopting: entries of other programs are no problem, and their rows are held
	// to what ours are held to.
	adopting bool
	// takenOut counts files that those entries took out and that are still there.
	takenOut int
	// index is the value index, if it knows the log up to version indexed.
	index   *index.Index
	indexed int64

	mu     sync.Mutex
	result *Verified
	sums   map[string]string // of the manifest, by path; nil: not wanted
}

// finding is how a step says what it has found.
type finding func(path, format string, args ...any)

func (v *verifier) problem(path, format string, args ...any) {
	v.result.Problems++
	v.report(Problem{Path: path, What: fmt.Sprintf(format, args...)})
}

func (v *verifier) note(format string, args ...any) {
	v.result.Notes = append(v.result.Notes, fmt.Sprintf(format, args...))
}

func (v *verifier) run(ctx context.Context) error {
	// A run writes its entry first and the head behind it: read the other way
	// round, the head cannot be ahead of a log that is whole.
	noted := v.notedHead()
	if err := v.readLog(); err != nil {
		return err
	}
	v.checkHeads(noted)
	if err := v.cachedFold(); err != nil {
		return err
	}
	if !v.o.Quick {
		v.openIndex(ctx)
		defer v.closeIndex()
	}
	if err := v.dataFiles(ctx); err != nil {
		return err
	}
	if err := v.keptPages(ctx); err != nil {
		return err
	}
	if err := v.checkpoints(); err != nil {
		return err
	}
	if err := v.extras(); err != nil {
		return err
	}
	v.limitsOfKnowledge()
	return v.writeManifest()
}

// limitsOfKnowledge says what no reading of the lake can show.
func (v *verifier) limitsOfKnowledge() {
	if v.o.Quick {
		v.note("--quick: rows were not read, only the hashes of their files")
	}
	for _, p := range v.log.state.purges {
		v.note("altered by purge %d on purpose (%s): %d rows, %d revisions, %d records in quarantine, %d kept pages", p.Version, cmp.Or(p.Reason, p.Kind), p.Rows, p.Revisions, p.Quarantine, len(p.Pages))
	}
	for _, a := range v.log.state.adoptions {
		v.note("%s", a.Text())
	}
	if n := v.takenOut; n > 0 {
		v.note("files that another program took out of the table and that are still there: %d; who reads the directory without the log sees their rows", n)
	}
	if n := v.log.unkept; n > 0 {
		v.note("pages that are not in the lake (answers of the service, imported files): %d; their hashes are on record and cannot be compared", n)
	}
	if v.o.ExpectHead == "" {
		v.note("without --expect-head, entries taken off the end of the log cannot be noticed")
		v.note("whoever can rewrite the whole lake can rewrite its whole chain: only a head noted elsewhere shows that")
	} else if version, _, ok := parseHead(v.o.ExpectHead); ok && version < v.result.Version {
		v.note("whoever can rewrite the whole lake can rewrite what came after the expected head, entries %d to %d", version+1, v.result.Version)
	}
}

// heldProblems is how many problems of a file wait for their turn; whoever
// finds more of them waits with them.
const heldProblems = 1000

// inOrder does work for 0..n-1 on all processors and passes on what is found
// in the order of the numbers. weigh is what a number counts for in progress.
func (v *verifier) inOrder(ctx context.Context, step string, n int, weigh func(i int) int64, work func(ctx context.Context, i int, found finding) error) error {
	var done, total int64
	for i := range n {
		total += weigh(i)
	}
	at := runtime.GOMAXPROCS(0)
	outputs := make(chan chan Problem, at) // of those under way, the first one first
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(outputs)
		w, ctx := errgroup.WithContext(ctx)
		w.SetLimit(at)
		for i := range n {
			out := make(chan Problem, heldProblems)
			select {
			case outputs <- out:
			case <-ctx.Done():
				return errors.Join(w.Wait(), ctx.Err())
			}
			w.Go(func() error {
				defer close(out)
				return work(ctx, i, func(path, format string, args ...any) {
					select {
					case out <- Problem{Path: path, What: fmt.Sprintf(format, args...)}:
					case <-ctx.Done():
					}
				})
			})
		}
		return w.Wait()
	})
	i := 0
	for out := range outputs {
		for p := range out {
			v.problem(p.Path, "%s", p.What)
		}
		done += weigh(i)
		v.progress(step, done, total)
		i++
	}
	return g.Wait()
}

func (v *verifier) progress(step string, done, total int64) {
	if v.o.Progress != nil {
		v.o.Progress(step, done, total)
	}
}

// count adds to the result, from any goroutine.
func (v *verifier) count(add func(*Verified)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	add(v.result)
}

// sum remembers the SHA-256 of a file for the manifest, if one is wanted.
func (v *verifier) sum(path, sum string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sums != nil {
		v.sums[path] = sum
	}
}

// seedOf makes the seed of the hashes of ids from the head: the same lake is
// read in the same order every time, and whoever chooses ids cannot know it.
func seedOf(head string) uint64 {
	seed, _ := strconv.ParseUint(head[:min(16, len(head))], 16, 64)
	return seed
}
