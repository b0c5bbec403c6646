package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mdcalake/store"
)

// Import takes records from saved data the same way as a scan does: same
// decoder, same dedupe, same quarantine.
//
//	source.go   opens an input: counts, hashes, unpacks (unpack.go), and sees
//	            what it is (shape.go)
//	cutter.go   cuts its text into blocks of whole lines (lines.go) or records
//	            (records.go); behind damage it looks for sound ones (salvage.go)
//	lifting.go  the workers that make rows of the blocks
//	declare.go  what the ledger says of the time that was imported
//	shortfall.go  what is said of an input that is not whole

// importLimits are the sizes that an import works with.
type importLimits struct {
	block int // bytes of text that go to a worker at once
	// commit is how much text goes into one commit: enough that a partition
	// becomes one file and not forty.
	commit int64
	// line bounds the memory for one record; at least a block. The API's records
	// are far smaller.
	line int
	// join: inputs smaller than this share a commit.
	join int64
}

var productLimits = importLimits{block: 1 << 20, commit: 4 << 30, line: 256 << 20, join: commitBytes}

// ImportOptions say what to import and where to put it.
type ImportOptions struct {
	Writer *store.Writer
	Clock  Clock // nil: the system's

	// Covers declares that the inputs hold all there was of an interval; nil:
	// nothing is declared.
	Covers *Declaration

	ToolVersion, Operator, CaseID string

	// Progress is told how far the import is, by several goroutines at once; it
	// must return soon.
	Progress func(Progress)
	// Warn is told in a sentence what the person should know but what does not
	// stop the run: of each input, or of the first ones, that is not whole.
	Warn func(text string)

	limits importLimits // zero: the product's; tests set small ones
}

// Import appends all records of the sources to the lake: JSON lines, arrays of
// records, answers of the API, single records, one after the other, plain or
// compressed with gzip or zstd; the content decides. Inputs are taken in order;
// small ones share a commit, and a large one is committed in parts.
//
// An input that is damaged, cut, or nothing that can be read takes no other one
// along: what is sound in it is taken, the Summary says in NotWhole what is not,
// and the run's outcome is "partial". Where nothing came of any input, the run
// has failed and nothing is committed; the error then is an *ImportError.
//
// Other errors are the lake's, or ctx ended: the lake is then as the last commit
// left it, and if anything of the run is in it, the ledger says how the run
// ended. A read that waits for ever, of a terminal say, is left behind. The
// Summary is never nil.
func Import(ctx context.Context, o ImportOptions, sources []Source) (*Summary, error) {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.limits == (importLimits{}) {
		o.limits = productLimits
	}
	started := o.Clock.Now()
	i := &importer{o: o, started: started, summary: &Summary{Windows: len(sources)}}
	for _, s := range sources {
		if s.Size < 0 {
			i.size = 0
			break
		}
		i.size += s.Size
	}
	err := o.Covers.Check(started)
	if err == nil {
		err = i.do(ctx, sources)
	}
	i.summary.Elapsed = o.Clock.Now().Sub(started)
	return i.summary, err
}

type importer struct {
	o       ImportOptions
	summary *Summary
	started time.Time
	append  *store.Append
	facts   store.Run
	workers []*worker
	size    int64        // of all sources, on the disk; 0: not known
	read    atomic.Int64 // of it

	numbersBefore int64 // lines and records of the sources before
	came          bool  // a record of any source, or one without records that is whole
	warned        int

	// batch is what the next commit says beside its records.
	batch struct {
		pages    []store.PageFact
		coverage []store.Rectangle
		text     int64 // bytes
		began    time.Time
	}
	part struct { // of the source at work, since the last commit; workers write
		sync.Mutex
		harvest
	}
	declared evidence // for Covers
}

func (i *importer) do(ctx context.Context, sources []Source) (err error) {
	i.facts = store.Run{
		RunID: store.NewRunID(i.started), Started: i.started.UTC().Truncate(time.Millisecond), Outcome: OutcomeRunning, Verb: "import",
		ToolVersion: i.o.ToolVersion, Operator: i.o.Operator, CaseID: i.o.CaseID,
	}
	if i.append, err = i.o.Writer.Begin(i.facts); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = i.stop(ctx, err)
		}
		i.summary.Run = i.append.Run()
		i.summary.Run.Outcome, i.summary.Run.Ended = i.facts.Outcome, i.facts.Ended
		i.append.Close()
	}()
	i.newBatch()
	for n, s := range sources {
		last := n == len(sources)-1
		if err = i.source(ctx, s, n+1); err != nil {
			return err
		}
		commit := i.due() && !last
		if commit {
			if err = i.commit(ctx); err != nil {
				return err
			}
		}
		i.tell(n+1, commit, true)
	}
	return i.finish(ctx)
}

// finish ends a run that has seen all its sources.
func (i *importer) finish(ctx context.Context) error {
	if !i.came && len(i.summary.NotWhole) > 0 {
		return nothingCame(i.summary.NotWhole, i.summary.Windows)
	}
	i.ended(OutcomeComplete)
	if len(i.summary.NotWhole) > 0 {
		i.ended(OutcomePartial)
	}
	i.declare()
	err := i.commit(ctx)
	i.tell(i.summary.Windows, i.summary.Head != "", false)
	return err
}

// stop ends the run early. The batch at work is dropped; of what was committed
// before, the ledger says that the run did not come to its end.
func (i *importer) stop(ctx context.Context, err error) error {
	outcome := OutcomeFailed
	if ctx.Err() != nil {
		outcome = OutcomeInterrupted
	}
	i.ended(outcome)
	var late *store.CommittedError
	if !errors.As(err, &late) {
		i.summary.Declared = nil
	}
	receipt, cerr := i.append.Leave(context.WithoutCancel(ctx), i.facts)
	if receipt.Head != "" {
		i.summary.committed(receipt, nil)
	}
	var lake *store.LakeError
	if cerr == nil || errors.As(err, &lake) { // then the lake's trouble has been told
		return err
	}
	return errors.Join(err, cerr)
}

// ended notes how the run came to its end.
func (i *importer) ended(outcome string) {
	i.facts.Outcome, i.facts.Ended = outcome, i.o.Clock.Now().UTC().Truncate(time.Millisecond)
}

func (i *importer) newBatch() {
	i.batch.pages, i.batch.coverage, i.batch.text, i.batch.began = nil, nil, 0, i.o.Clock.Now()
	i.part.harvest = newHarvest()
}

// due says that the batch is large or old enough for a commit of its own.
func (i *importer) due() bool {
	return i.append.Full() || i.batch.text >= i.o.limits.join || i.o.Clock.Now().Sub(i.batch.began) >= commitEvery
}

// source imports one input. The error is the lake's, or ctx has ended.
func (i *importer) source(ctx context.Context, s Source, n int) error {
	short := &Shortfall{Name: s.Name, Input: n, Size: max(0, s.Size)}
	in, err := s.Open()
	if err != nil {
		short.Err = &ImportError{Name: s.Name, Err: err, advice: "see whether it is there and may be read, and import it again; - is the standard input"}
		i.notWhole(short)
		return nil
	}
	defer in.Close()
	r := &intake{name: s.Name, in: in, limits: i.o.limits, total: &i.read, short: short, next: 1}
	for first, more := int64(1), true; more; first = r.next {
		if more, err = i.takePart(ctx, r); err != nil {
			return err
		}
		if short.Err != nil {
			i.notWhole(short)
			return nil // nothing was read of it
		}
		i.endPart(r, n, i.numbersBefore+first)
		if more {
			if err := i.commit(ctx); err != nil {
				return err
			}
			i.tell(n, true, false)
		}
	}
	i.numbersBefore += r.next - 1
	if len(short.Faults) > 0 {
		i.came = i.came || short.Records > 0
		short.Read = r.text.file.size
		i.notWhole(short)
		return nil
	}
	i.came = true
	i.summary.Finished++
	return nil
}

// endPart notes what came of an input, or a part of it.
func (i *importer) endPart(r *intake, n int, first int64) {
	i.batch.pages = append(i.batch.pages, store.PageFact{
		Page: int64(n), FirstLine: first, SHA256: r.sha256, Bytes: r.text.file.size - r.fileBefore, Records: i.part.records, Fetched: i.o.Clock.Now().UTC(),
	})
	i.batch.text += r.text.size - r.textBefore
	r.fileBefore, r.textBefore = r.text.file.size, r.text.size
	r.short.Records += i.part.records
	if i.part.first <= i.part.last {
		i.batch.coverage = append(i.batch.coverage, store.Rectangle{
			Since: time.UnixMilli(i.part.first).UTC(), Until: time.UnixMilli(i.part.last + 1).UTC(), State: StateImported, RunID: i.facts.RunID,
			Records: i.part.records, Reason: r.short.reason(),
		})
	}
	i.declared.add(i.part.evidence)
	i.part.harvest = newHarvest()
}

// notWhole notes that an input was not taken in whole.
func (i *importer) notWhole(short *Shortfall) {
	const mostWarnings = 20
	i.summary.NotWhole = append(i.summary.NotWhole, *short)
	switch i.warned++; {
	case i.summary.Windows == 1 && short.Err != nil: // it becomes the run's error
	case i.warned <= mostWarnings:
		i.o.Warn(short.String())
	case i.warned == mostWarnings+1:
		i.o.Warn("more inputs are not whole: --summary-json lists all of them")
	}
}

func (i *importer) commit(ctx context.Context) error {
	receipt, err := i.append.Commit(ctx, store.Commit{Run: i.facts, Pages: i.batch.pages, Coverage: mergedCoverage(i.batch.coverage)})
	if !i.summary.committed(receipt, err) {
		return err
	}
	i.newBatch()
	return err
}

// tell reports how far the run is.
func (i *importer) tell(n int, committed, finished bool) {
	p := Progress{
		WindowNumber: n, Windows: i.summary.Windows, Run: i.append.Run(), Elapsed: i.o.Clock.Now().Sub(i.started),
		Read: i.read.Load(), Size: i.size, Committed: committed, WindowFinished: finished,
	}
	if p.Size > 0 {
		p.Done = min(1, float64(p.Read)/float64(p.Size))
	}
	i.o.Progress(p)
}

// mergedCoverage makes one of rectangles that overlap or nearly touch: of a
// thousand saved pages of one day the ledger needs no thousand.
func mergedCoverage(all []store.Rectangle) []store.Rectangle {
	const near = time.Hour
	slices.SortStableFunc(all, func(a, b store.Rectangle) int { return a.Since.Compare(b.Since) })
	var out []store.Rectangle
	for _, r := range all {
		if n := len(out) - 1; n >= 0 && r.State == StateImported && out[n].State == r.State && out[n].Reason == r.Reason && !r.Since.After(out[n].Until.Add(near)) {
			out[n].Records += r.Records
			if r.Until.After(out[n].Until) {
				out[n].Until = r.Until
			}
			continue
		}
		out = append(out, r)
	}
	return out
}
