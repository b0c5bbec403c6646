package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mdcalake/store"
)

// The blocks of an input are lifted by as many workers as there are processors.

// intake is an input at work. Between two parts of it nobody is reading.
type intake struct {
	name   string
	in     io.Reader
	limits importLimits
	total  *atomic.Int64
	short  *Shortfall

	text   *text
	cutter cutter
	next   int64  // number of the line or record that comes next, from 1
	sha256 string // once it is read to its end

	fileBefore, textBefore int64 // bytes in the parts before
}

// open sees what the input is. What is wrong with it goes to short.Err.
func (r *intake) open() bool {
	text, shape, err := newText(r.name, r.in, r.total)
	r.text = text
	if err != nil {
		r.short.Err = err
		return false
	}
	f := newFeed(text, r.limits, r.short.add)
	if shape == shapeLines {
		r.cutter = newLineCutter(f)
	} else {
		r.cutter = newValueCutter(f)
	}
	return true
}

// part sends the blocks of about so much text, or until full says so, in the
// memory of used ones if there are any, and says whether there may be more.
func (r *intake) part(ctx context.Context, full func() bool, blocks chan<- block, used <-chan block) (more bool, err error) {
	if r.cutter == nil && !r.open() {
		return false, nil
	}
	for limit := r.text.size + r.limits.commit; r.text.size < limit && !full(); {
		var b block
		select {
		case b = <-used:
		default:
		}
		b, err := r.cutter.next(b)
		if err == io.EOF {
			r.sha256 = r.text.hash(ctx)
			return false, ctx.Err()
		}
		if err != nil {
			return false, err
		}
		r.next = b.first + b.numbers()
		select {
		case blocks <- b:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return true, nil
}

// numbers is how many lines or records a block has.
func (b *block) numbers() int64 {
	if b.spans != nil {
		return int64(len(b.spans))
	}
	n := int64(bytes.Count(b.data, []byte{'\n'}))
	if len(b.data) > 0 && b.data[len(b.data)-1] != '\n' {
		n++
	}
	return n
}

// takePart imports blocks until the input ends or a commit is due.
func (i *importer) takePart(ctx context.Context, r *intake) (more bool, err error) {
	for len(i.workers) < runtime.GOMAXPROCS(0) {
		i.workers = append(i.workers, newWorker())
	}
	blocks := make(chan block, len(i.workers))
	used := make(chan block, 2*len(i.workers)+1)
	g, gctx := errgroup.WithContext(ctx)
	for _, w := range i.workers {
		g.Go(func() error {
			for {
				select {
				case <-gctx.Done():
					return gctx.Err()
				case b, ok := <-blocks:
					if !ok {
						return nil
					}
					if err := i.lift(gctx, w, b); err != nil {
						return err
					}
					if cap(b.data) > 4*i.o.limits.block {
						continue // one giant record is not to be paid for in every block
					}
					select {
					case used <- b:
					default:
					}
				}
			}
		})
	}
	// The reader stands outside of the group: nothing but its input can wake it.
	var read struct { // the workers see blocks closed after it is written
		more bool
		err  error
	}
	go func() {
		defer close(blocks)
		read.more, read.err = r.part(gctx, i.append.Full, blocks, used)
	}()
	if err := g.Wait(); err != nil {
		return false, err
	}
	return read.more, read.err
}

// lift lifts the records of a block. A row's page is the number of its line or
// record, counted through all sources of the run, so that it leads to the source
// too.
func (i *importer) lift(ctx context.Context, w *worker, b block) error {
	h := newHarvest()
	number := i.numbersBefore + b.first
	for _, s := range b.spans {
		if err := i.liftOne(ctx, w, b.data[s.start:s.end], number, &h); err != nil {
			return err
		}
		number++
	}
	if b.spans == nil {
		for line := range bytes.Lines(b.data) {
			record := bytes.Trim(line, blanks)
			if bytes.HasPrefix(record, byteOrderMark) { // of a file that was put behind another one
				record = bytes.TrimLeft(record[len(byteOrderMark):], blanks)
			}
			if len(record) > 0 {
				if err := i.liftOne(ctx, w, record, number, &h); err != nil {
					return err
				}
			}
			number++
		}
	}
	i.part.Lock()
	i.part.merge(h)
	i.part.Unlock()
	i.tell(0, false, false)
	return nil
}

// liftOne lifts a record; or the records of an answer of the API that stands in
// its place, among lines or in an array of answers.
func (i *importer) liftOne(ctx context.Context, w *worker, record []byte, number int64, h *harvest) error {
	err := w.decoder.Decode(record, &w.row)
	if err == nil {
		w.row.Page = pageNumber(number)
		h.see(&w.row, i.o.Covers)
		return i.append.Add(ctx, &w.row)
	}
	return i.liftOther(ctx, w, record, number, h, err)
}

// liftOther takes what is no record by itself.
func (i *importer) liftOther(ctx context.Context, w *worker, record []byte, number int64, h *harvest, err error) error {
	var unusable *Unusable
	if !errors.As(err, &unusable) {
		return err
	}
	var answer Page
	if !isAnswer(record) || ParsePage(record, &answer) != nil {
		h.records++
		return i.append.Quarantine(ctx, store.Quarantined{Bytes: record, Reason: unusable.Reason, Page: pageNumber(number)})
	}
	for position, record := range answer.Records {
		lifted, err := w.lift(ctx, i.append, record, pageNumber(number), int32(position))
		if err != nil {
			return err
		}
		if lifted {
			h.see(&w.row, i.o.Covers)
		} else {
			h.records++
		}
	}
	return nil
}

// harvest is what the records of a part showed beside going into the lake.
type harvest struct {
	records     int64
	first, last int64 // timestamps in ms
	evidence
}

func newHarvest() harvest { return harvest{first: math.MaxInt64, last: math.MinInt64} }

// see looks at a row.
func (h *harvest) see(row *store.Row, d *Declaration) {
	h.records++
	at := row.Numbers[store.Timestamp]
	h.first, h.last = min(h.first, at), max(h.last, at)
	if d == nil || at < d.Since.UnixMilli() || at >= d.Until.UnixMilli() {
		return
	}
	if len(d.Services) > 0 && !slices.Contains(d.Services, row.Partition().Service) {
		return
	}
	h.evidence.records++
	if row.HasNumber(store.Created) {
		h.created = max(h.created, row.Numbers[store.Created])
	}
}

func (h *harvest) merge(other harvest) {
	h.records += other.records
	h.first, h.last = min(h.first, other.first), max(h.last, other.last)
	h.evidence.add(other.evidence)
}
