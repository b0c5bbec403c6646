package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mdcalake/store"
)

// Import takes records from saved data, a record a line, the same way as a
// scan does: same decoder, same dedupe, same quarantine.

// importLimits are the sizes that an import works with.
type importLimits struct {
	block int // bytes of lines that go to a worker at once
	// commit is how much of a file goes into one commit: enough that a partition
	// becomes one file and not forty.
	commit int64
	// line bounds the memory for one record; at least a block. The API's records
	// are far smaller.
	line int
}

var productLimits = importLimits{block: 1 << 20, commit: 4 << 30, line: 256 << 20}

// ImportOptions say what to import and where to put it.
type ImportOptions struct {
	Writer *store.Writer
	Clock  Clock // nil: the system's

	ToolVersion, Operator, CaseID string

	// Progress is told how far the import is, by several goroutines at once; it
	// must return soon.
	Progress func(Progress)

	limits importLimits // zero: the product's; tests set small ones
}

// Source is one input: a name for messages and its bytes.
type Source struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// ImportError says in which input and where.
type ImportError struct {
	Name   string
	Line   int64 // 0: not about a line
	Err    error
	advice string
}

func (e *ImportError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("import %q, line %d: %v", e.Name, e.Line, e.Err)
	}
	return fmt.Sprintf("import %q: %v", e.Name, e.Err)
}

func (e *ImportError) Unwrap() error { return e.Err }

// Hint tells the person what to do.
func (e *ImportError) Hint() string { return e.advice }

// Import appends all records of the sources, NDJSON, to the lake: one commit a
// source, or more where it is large. After an error, or when ctx ends, the lake
// is as the last commit left it: the sources before are in it, of the one at
// work only what was committed on the way; if anything of the run is in it, the
// ledger says how the run ended. A read that waits for ever, of a
// terminal say, is left behind. The Summary is never nil.
func Import(ctx context.Context, o ImportOptions, sources []Source) (*Summary, error) {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.limits == (importLimits{}) {
		o.limits = productLimits
	}
	started := o.Clock.Now()
	i := &importer{o: o, started: started, summary: &Summary{Windows: len(sources)}}
	err := i.do(ctx, sources)
	i.summary.Elapsed = o.Clock.Now().Sub(started)
	return i.summary, err
}

type importer struct {
	o       ImportOptions
	summary *Summary
	started time.Time
	append  *store.Append
	facts   store.Run

	linesBefore int64 // of the sources before

	mu          sync.Mutex
	first, last int64 // timestamps since the last commit
	records     int64
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
		if err = i.source(ctx, s, n, n == len(sources)-1); err != nil {
			return err
		}
		i.summary.Finished++
	}
	return nil
}

// stop ends the run early. The part at work is dropped; of what was committed
// before, the ledger says that the run did not come to its end.
func (i *importer) stop(ctx context.Context, err error) error {
	outcome := OutcomeFailed
	if ctx.Err() != nil {
		outcome = OutcomeInterrupted
	}
	i.ended(outcome)
	receipt, cerr := i.append.Leave(context.WithoutCancel(ctx), i.facts)
	if receipt.Head != "" {
		i.committed(receipt)
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

func (i *importer) newBatch() { i.first, i.last, i.records = math.MaxInt64, math.MinInt64, 0 }

// source imports one input.
func (i *importer) source(ctx context.Context, s Source, n int, last bool) error {
	in, err := s.Open()
	if err != nil {
		return &ImportError{Name: s.Name, Err: err, advice: "check the path; - is the standard input"}
	}
	defer in.Close()
	lines := newLineReader(s.Name, in, i.o.limits)
	var before int64 // bytes in the commits before
	for {
		firstLine := i.linesBefore + lines.line
		more, err := i.part(ctx, lines)
		if err != nil {
			return err
		}
		if !more && last {
			i.ended(OutcomeComplete)
		}
		page := store.PageFact{Page: int64(n + 1), FirstLine: firstLine, Bytes: lines.consumed - before, Records: i.records, Fetched: i.o.Clock.Now().UTC()}
		before = lines.consumed
		if !more {
			page.SHA256 = hex.EncodeToString(lines.sum.Sum(nil)) // of the whole input
		}
		if err := i.commit(ctx, page); err != nil {
			return err
		}
		i.o.Progress(Progress{WindowNumber: n + 1, Windows: i.summary.Windows, Run: i.append.Run(), Elapsed: i.o.Clock.Now().Sub(i.started), Committed: true, WindowFinished: !more})
		if !more {
			i.linesBefore += lines.line - 1
			return nil
		}
	}
}

func (i *importer) commit(ctx context.Context, page store.PageFact) error {
	c := store.Commit{Run: i.facts, Pages: []store.PageFact{page}}
	if i.first <= i.last {
		c.Coverage = []store.Rectangle{{
			Since: time.UnixMilli(i.first).UTC(), Until: time.UnixMilli(i.last + 1).UTC(), State: StateImported, RunID: i.facts.RunID, Records: i.records,
		}}
	}
	receipt, err := i.append.Commit(ctx, c)
	var committed *store.CommittedError
	switch {
	case errors.As(err, &committed):
		receipt = committed.Receipt
	case err != nil:
		return err
	}
	i.newBatch()
	i.committed(receipt)
	return err
}

func (i *importer) committed(r store.Receipt) {
	i.summary.Version, i.summary.Head = r.Version, fmt.Sprintf("%d:%s", r.Version, r.Head)
}

// part imports blocks of lines until the input ends or a commit is due.
func (i *importer) part(ctx context.Context, lines *lineReader) (more bool, err error) {
	workers := runtime.GOMAXPROCS(0)
	blocks := make(chan block, workers)
	free := make(chan []byte, 2*workers+1)
	g, gctx := errgroup.WithContext(ctx)
	for range workers {
		w := newWorker()
		g.Go(func() error {
			for {
				select {
				case <-gctx.Done():
					return gctx.Err()
				case b, ok := <-blocks:
					if !ok {
						return nil
					}
					if err := i.block(gctx, w, b); err != nil {
						return err
					}
					if cap(b.data) > 4*i.o.limits.block {
						continue // one giant line is not to be paid for in every block
					}
					select {
					case free <- b.data:
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
		read.more, read.err = lines.part(gctx, i.o.limits.commit, i.append.Full, blocks, free)
	}()
	if err := g.Wait(); err != nil {
		return false, err
	}
	return read.more, read.err
}

// block lifts the lines of one block. A row's page is its line, counted through
// all sources of the run, so that it leads to the source too.
func (i *importer) block(ctx context.Context, w *worker, b block) error {
	first, last, n := int64(math.MaxInt64), int64(math.MinInt64), int64(0)
	line := b.firstLine
	for text := range bytes.Lines(b.data) {
		record := bytes.Trim(text, blanks)
		if len(record) > 0 {
			lifted, err := w.lift(ctx, i.append, record, pageNumber(i.linesBefore+line), 0)
			if err != nil {
				return err
			}
			n++
			if lifted {
				first, last = min(first, w.row.Numbers[store.Timestamp]), max(last, w.row.Numbers[store.Timestamp])
			}
		}
		line++
	}
	i.mu.Lock()
	i.first, i.last, i.records = min(i.first, first), max(i.last, last), i.records+n
	i.mu.Unlock()
	i.o.Progress(Progress{Run: i.append.Run(), Elapsed: i.o.Clock.Now().Sub(i.started)})
	return nil
}

// block is a run of whole lines.
type block struct {
	data      []byte
	firstLine int64 // from 1
}

// lineReader cuts an input into blocks of whole lines.
type lineReader struct {
	name     string
	in       io.Reader
	limits   importLimits
	sum      hash.Hash
	rest     []byte // read, behind the last line feed of the block before
	line     int64
	consumed int64
	eof      bool
}

func newLineReader(name string, in io.Reader, limits importLimits) *lineReader {
	return &lineReader{name: name, in: in, limits: limits, sum: sha256.New(), line: 1}
}

// part sends the blocks of about so many bytes, or until full says so, in
// buffers from free if there are any, and says whether there may be more.
func (l *lineReader) part(ctx context.Context, size int64, full func() bool, blocks chan<- block, free <-chan []byte) (more bool, err error) {
	if l.consumed == 0 {
		if err := l.sniff(); err != nil {
			return false, err
		}
	}
	for limit := l.consumed + size; l.consumed < limit && !full(); {
		var buf []byte
		select {
		case buf = <-free:
		default:
		}
		b, err := l.next(buf)
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		select {
		case blocks <- b:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return true, nil
}

// sniff looks at the beginning and refuses what is no NDJSON at all, which
// would end in quarantine line by line.
func (l *lineReader) sniff() error {
	head := make([]byte, 4096)
	n, err := io.ReadFull(l, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return l.fault(err, head[:n])
	}
	head = bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf"))
	refuse := func(what, advice string) error {
		return &ImportError{Name: l.name, Err: errors.New(what), advice: advice}
	}
	text := bytes.TrimLeft(head, blanks)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return refuse("it is compressed with gzip", "unpack it on the way: gunzip -c FILE | mdcalake import -")
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return refuse("it is compressed with zstd", "unpack it on the way: zstd -dc FILE | mdcalake import -")
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return refuse("it is UTF-16", "turn it into UTF-8 on the way: iconv -f UTF-16 -t UTF-8 FILE | mdcalake import -")
	case bytes.HasPrefix(text, []byte{'['}) && !arrayAmongLines(text):
		return refuse("it is a JSON array; import takes a record a line (NDJSON)", "turn it into lines: jq -c '.[]' FILE | mdcalake import -")
	case savedPage.Match(text):
		return refuse("it is an answer of the API; import takes a record a line (NDJSON)", "take the records out: jq -c '.data[]' FILE | mdcalake import -")
	case bytes.Equal(bytes.TrimRight(firstLine(text), blanks), []byte{'{'}):
		return refuse("its records stand on several lines; import takes a record a line (NDJSON)", "put each on one line: jq -c . FILE | mdcalake import -")
	case !perhapsLines(text):
		return refuse("it does not begin with records; import takes a JSON object a line (NDJSON)", "is it the right file?")
	}
	l.rest = head
	return nil
}

// arrayAmongLines tells lines, the first of which is an array and no record,
// from an array of records.
func arrayAmongLines(text []byte) bool {
	line, rest, _ := bytes.Cut(text, []byte{'\n'})
	return json.Valid(line) && len(bytes.TrimLeft(rest, blanks)) > 0
}

const blanks = " \t\r\n" // what may stand around a record

var savedPage = regexp.MustCompile(`^\{\s*"data"\s*:\s*\[`)

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return line
}

// perhapsLines says no where whole lines have been seen, none of which begins an
// object, and the first of which is no JSON at all: CSV, say.
func perhapsLines(text []byte) bool {
	if json.Valid(firstLine(text)) || !bytes.Contains(text, []byte{'\n'}) {
		return true
	}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(bytes.TrimLeft(line, blanks), []byte{'{'}) {
			return true
		}
	}
	return false
}

// fault is an error of the input behind the bytes read.
func (l *lineReader) fault(err error, read []byte) error {
	line := l.line + int64(bytes.Count(read, []byte{'\n'}))
	return &ImportError{Name: l.name, Line: line, Err: fmt.Errorf("read: %w", err), advice: "what was committed before is kept; run the same import again once the input can be read"}
}

// next reads the next block into buf, as far as its capacity serves. io.EOF
// comes alone, after the last block.
func (l *lineReader) next(buf []byte) (block, error) {
	if cap(buf) < l.limits.block {
		buf = make([]byte, 0, l.limits.block)
	}
	buf = append(buf[:0], l.rest...)
	l.rest = l.rest[:0]
	for searched := 0; ; {
		if len(buf) >= l.limits.block {
			if end := bytes.LastIndexByte(buf[searched:], '\n'); end >= 0 {
				return l.cut(buf, searched+end+1), nil
			}
			searched = len(buf)
		}
		if len(buf) > l.limits.line { // one line, and not its end
			return block{}, &ImportError{Name: l.name, Line: l.line, Err: fmt.Errorf("the line is longer than %d bytes", l.limits.line), advice: "is the file NDJSON, with a record a line?"}
		}
		if l.eof {
			break
		}
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(len(buf), l.limits.line+1-len(buf)))
		}
		n, err := l.Read(buf[len(buf):min(cap(buf), l.limits.line+1)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			l.eof = true
		} else if err != nil {
			return block{}, l.fault(err, buf)
		}
	}
	if len(buf) == 0 {
		return block{}, io.EOF
	}
	return l.cut(buf, len(buf)), nil
}

// Read reads the input, and counts what came.
func (l *lineReader) Read(p []byte) (int, error) {
	for range maxIdleReads {
		n, err := l.in.Read(p)
		l.sum.Write(p[:n])
		l.consumed += int64(n)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// maxIdleReads is how often in a row an input may give nothing.
const maxIdleReads = 100

// cut makes a block of the first end bytes and keeps the rest.
func (l *lineReader) cut(buf []byte, end int) block {
	b := block{data: buf[:end], firstLine: l.line}
	l.rest = append(l.rest[:0], buf[end:]...)
	l.line += int64(bytes.Count(b.data, []byte{'\n'}))
	if end > 0 && b.data[end-1] != '\n' {
		l.line++ // the last line, without its end
	}
	return b
}
