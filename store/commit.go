package store

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Making a batch true: what still waits is written, the directories are synced,
// and one entry of the log names everything. FORMAT.md argues the order.

// Commit is what is known of a batch beside its records.
type Commit struct {
	// Run replaces the facts of the run so far, except for the counts of
	// records, which the store keeps itself.
	Run Run
	// Pages are those that came since the last commit. Every page that was kept
	// must be among them; Kept is the store's to say.
	Pages    []PageFact
	Coverage []Rectangle
	Cursors  []Cursor
}

// Receipt says what a commit did.
type Receipt struct {
	Version int64
	Head    string // SHA-256 of the entry, in hex
	Run     Run    // the run so far
	Files   int    // data files that came
}

// Commit writes what still waits and makes the batch true. After an error only
// Abort may follow. The lake is then as it was before the batch, also after a
// context that ended; unless the error is a *CommittedError.
func (a *Append) Commit(ctx context.Context, c Commit) (Receipt, error) {
	if a.err != nil {
		return Receipt{}, a.err
	}
	receipt, err := a.commit(ctx, c)
	return receipt, a.fail(err)
}

func (a *Append) commit(ctx context.Context, c Commit) (Receipt, error) {
	a.startBatch()
	if err := a.prepare(); err != nil {
		return Receipt{}, err
	}
	pages, err := a.tx.markKept(c.Pages)
	if err != nil {
		return Receipt{}, err
	}
	if err := a.drain(ctx); err != nil {
		return Receipt{}, err
	}
	if err := a.settle(ctx); err != nil {
		return Receipt{}, err
	}
	if err := a.writeRevisions(a.batch.revisions.take()); err != nil {
		return Receipt{}, err
	}
	if err := a.writeQuarantine(a.batch.quarantine.take()); err != nil {
		return Receipt{}, err
	}
	a.takeFacts(c.Run)
	run := a.run.clone()
	f := &facts{
		Ingested: a.ingested, RunID: run.RunID, Run: &run, Tenant: a.tenantChange(), Pages: pages,
		Coverage: c.Coverage, Cursors: c.Cursors, Seen: a.batch.seen,
	}
	changed := a.tx.change
	receipt, err := a.tx.commit(ctx, entryText{operation: "WRITE", dataChange: true, facts: f})
	if receipt.Head != "" {
		a.endBatch(changed)
	}
	return receipt, err
}

// Leave ends a run that cannot go on: the batch under way is dropped, and if the
// lake has commits of the run, one more entry says how it ended. The counts of
// run are those that were committed.
func (a *Append) Leave(ctx context.Context, run Run) (Receipt, error) {
	a.Abort()
	w := a.w
	committed := w.state.runs[a.run.RunID]
	if committed == nil {
		return Receipt{}, nil
	}
	a.run = committed.clone()
	a.takeFacts(run)
	ended := a.run.clone()
	f := &facts{Ingested: w.nextIngested(), RunID: ended.RunID, Run: &ended}
	t := w.begin(ended.RunID)
	receipt, err := t.commit(ctx, entryText{operation: "WRITE", dataChange: true, facts: f})
	if receipt.Head == "" {
		t.abandon()
	}
	return receipt, w.fault("write to lake", err)
}

// takeFacts takes over what the caller knows of the run; the counts of records
// stay ours.
func (a *Append) takeFacts(r Run) {
	own := a.run
	a.run = r
	a.run.RunID = own.RunID
	a.run.Records, a.run.Added, a.run.Duplicates, a.run.Revisions = own.Records, own.Added, own.Duplicates, own.Revisions
	a.run.Quarantined, a.run.Erased, a.run.Bytes, a.run.Drift = own.Quarantined, own.Erased, own.Bytes, own.Drift
}

func (a *Append) tenantChange() *Tenant {
	t := a.w.state.tenant
	t.IDs = slices.Clone(t.IDs)
	changed := false
	if a.w.state.table.Version < 0 && a.w.opts.SeveralTenants {
		t.Several, changed = true, true
	}
	if t.Host == "" && a.run.Host != "" {
		t.Host, changed = a.run.Host, true
	}
	for _, id := range sortedKeys(a.batch.tenants) {
		if !slices.Contains(t.IDs, id) {
			t.IDs, changed = append(t.IDs, id), true
		}
	}
	if !changed {
		return nil
	}
	return &t
}

// drain writes all that waits. Most of the time of a small file is its sync,
// and a disk takes many at once; so more files are under way than may be
// encoded (Append.encoders).
func (a *Append) drain(ctx context.Context) error {
	var cells []*cell
	for _, c := range a.cells {
		if len(c.rows) > 0 || len(c.spilled) > 0 {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(x, y *cell) int { return x.partition.compare(y.partition) })
	names := make([]func(int) string, len(cells))
	for i, c := range cells {
		names[i] = func(n int) string { return dataName(c.partition, a.run.RunID, n) }
	}
	reserved, err := a.tx.reserve(names...)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(syncsAtOnce)
	for i, c := range cells {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			a.mu.Lock()
			t := a.takeFrom(c, true)
			a.mu.Unlock()
			return a.putAs(ctx, c, t, true, reserved[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	a.cells = map[Partition]*cell{}
	return nil
}

// endBatch makes room for the next one, after a commit.
func (a *Append) endBatch(changed change) {
	a.dedupe.committed(changed, a.batch.bad, a.batch.released)
	a.newBatch()
	a.spill.Close()
	a.spill = nil
}
