package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mdcalake/store/delta"
)

// Taking over what other programs have written. Their rows are written again
// into files of ours: in the order of time, with our statistics and hashes, in
// our schema, so that everything that holds for our files holds for all files,
// and nothing else in the store needs to know of adoptions. The other
// program's files leave the table in the same commit and are deleted like all
// that we replace; so are those that it had taken out. Then the directory holds
// the table again and nothing else.

// Adopt carries out a plan, either kind. The writer must have been opened with
// WriterOptions.Adopt. run tells the chain of custody who does it.
func (w *Writer) Adopt(ctx context.Context, p *AdoptionPlan, run Run) (Receipt, error) {
	receipt, err := w.adopt(ctx, p, run)
	return receipt, w.fault("adopt lake", err)
}

func (w *Writer) adopt(ctx context.Context, p *AdoptionPlan, run Run) (Receipt, error) {
	switch {
	case p.version != w.state.table.Version || p.head != w.state.head:
		return Receipt{}, errors.New("the lake has changed since this was planned: plan it again")
	case p.Problems > 0:
		return Receipt{}, fmt.Errorf("%d problems were found: nothing is changed", p.Problems)
	case p.Empty():
		return Receipt{}, nil
	}
	t := w.begin(run.RunID)
	defer t.abandon()
	if err := t.prepare(); err != nil {
		return Receipt{}, err
	}
	if err := t.takeOver(ctx, p); err != nil {
		return Receipt{}, err
	}
	adoption := p.Adoption
	e := entryText{operation: "ADOPT", again: p.again, facts: &facts{
		Ingested: max(w.opts.Clock().UnixMilli(), w.state.ingested+1), RunID: run.RunID, Run: &run, Adopted: &adoption,
	}}
	if p.Reverted {
		e.operation, e.dataChange = "RESTORE", true
	}
	now := w.opts.Clock().UnixMilli()
	for _, f := range p.remove {
		e.again = append(e.again, delta.Action{Remove: &delta.Remove{
			Path: f.Path, DeletionTimestamp: now, DataChange: e.dataChange, ExtendedMetadata: true, PartitionValues: f.PartitionValues, Size: f.Size,
		}})
	}
	for _, f := range p.restore {
		add := f.Add
		add.DataChange = e.dataChange
		e.again = append(e.again, delta.Action{Add: &add})
	}
	return t.commit(ctx, e)
}

// takeOver puts files of ours in the place of another program's.
func (t *transaction) takeOver(ctx context.Context, p *AdoptionPlan) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(openWriters)
	for _, f := range p.rewrite {
		g.Go(func() error {
			// It is another program's, and may not have stayed as it was looked at.
			if sum, _, err := hashFile(t.w.layout.path(f.Path)); err != nil || sum != p.Files[f.Path] {
				return &DamageError{Path: f.Path, What: "it has changed since this was planned"}
			}
			if err := t.inOrder(ctx, f); err != nil {
				return err
			}
			return t.remove(f.Path)
		})
	}
	return g.Wait()
}

// inOrder writes the rows of a file again, in the order of time: as many as can
// be sorted at once into each file.
func (t *transaction) inOrder(ctx context.Context, f File) error {
	var in tally
	var out []string
	var encoded []byte
	var werr error
	rows := &cell{partition: f.Partition}
	err := readWhole(ctx, t.w.layout.path(f.Path), func(r *Row, _ *replacement) error {
		in.row(r, nil)
		encoded = appendWhole(encoded[:0], r)
		rows.append(nil, newWaitingRow(r), encoded, len(r.Text))
		if rows.raw < min(sortedBytes, t.w.opts.limits.fileRaw) {
			return nil
		}
		out, werr = t.writeInOrder(rows, out)
		rows = &cell{partition: f.Partition}
		return werr
	})
	if werr != nil {
		return werr
	}
	if err != nil {
		return readFault(ctx, f.Path, err)
	}
	if len(rows.rows) > 0 {
		if out, err = t.writeInOrder(rows, out); err != nil {
			return err
		}
	}
	return checkMerge(ctx, t.w.layout, in, out, tallyTable)
}

// writeInOrder writes waiting rows as a file, and adds its path to those that
// were written before.
func (t *transaction) writeInOrder(rows *cell, out []string) ([]string, error) {
	waiting := rows.take(false)
	waiting.sort()
	name, err := t.reserveOne(t.dataName(rows.partition))
	if err != nil {
		return out, err
	}
	f, err := t.newData(rows.partition, name, quick)
	if err != nil {
		return out, err
	}
	var row Row
	for _, w := range waiting.rows {
		encoded, err := waiting.encoded(w)
		if err == nil {
			err = decodeWhole(encoded, &row)
		}
		if err != nil {
			return out, f.abandon(err)
		}
		if err := f.table.append(&row, nil); err != nil {
			return out, f.abandon(err)
		}
	}
	if err := f.table.close(); err != nil {
		return out, f.abandon(err)
	}
	return append(out, name), t.finish(f)
}

// decodeWhole reads what appendWhole has written.
func decodeWhole(b []byte, r *Row) error {
	rest, err := decodeRow(b, r)
	if err != nil {
		return err
	}
	d := &rowReader{b: rest}
	r.Ingested, r.RunID = d.varint(), string(d.bytes())
	if d.bad {
		return errRowCodec
	}
	return nil
}
