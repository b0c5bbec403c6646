package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"
)

// revisionCheck compares `revisions` with itself and with `activities`: no
// payload of an id stands twice, in whatever spelling, and the current one is
// the last in the order of DESIGN decision 7.
//
// Facts of revisions are held in memory, as many as it is given for, while the
// rows of activities go by; further slices of the hash space cost a pass over
// both tables each.
type revisionCheck struct {
	v     *verifier
	facts *hashSlice[revisionFact]
	files []File        // whose rows the facts are
	met   []atomic.Bool // of each fact: a current row has its id
}

// revisionFact is what is compared of a payload.
type revisionFact struct {
	id                      xxh3.Uint128
	created, ingested, hash int64
	text                    [16]byte // of the SHA-256 of the canonical text; zero: none
	path                    string
	row                     int64
}

func compareFacts(a, b revisionFact) int {
	return cmp.Or(cmp.Compare(a.id.Hi, b.id.Hi), cmp.Compare(a.id.Lo, b.id.Lo), cmp.Compare(a.hash, b.hash), cmp.Compare(a.path, b.path), cmp.Compare(a.row, b.row))
}

func (v *verifier) newRevisionCheck(expected int64) *revisionCheck {
	return &revisionCheck{v: v, facts: newHashSlice(v.o.limits.revisions, expected, func(f revisionFact) uint64 { return f.id.Hi }, compareFacts)}
}

func (c *revisionCheck) fact(f File, r *Row, row int64) revisionFact {
	return revisionFact{
		id:      c.v.hashID(r.Bytes(r.Strings[ActivityID])),
		created: createdKey(r), ingested: r.Ingested, hash: r.ContentHash, text: spelling(r), path: f.Path, row: row,
	}
}

// spelling stands for the canonical text of a payload; zero where it has none,
// see sameRecord.
func spelling(r *Row) (sum [16]byte) {
	if r.Original != nil {
		return sum
	}
	if text, err := canonical(r.Raw()); err == nil {
		full := sha256.Sum256(text)
		copy(sum[:], full[:])
	}
	return sum
}

// rows checks a file of revisions and collects the first facts.
func (c *revisionCheck) rows(ctx context.Context, f File, found finding) error {
	check := c.v.newRowCheck(f, found)
	err := readRows(ctx, c.v.layout.path(f.Path), func(r *Row, index int64) error {
		check.row(r, index)
		c.facts.add([]revisionFact{c.fact(f, r, index)})
		return nil
	})
	c.v.count(func(n *Verified) { n.Revisions += check.rows })
	if err != nil {
		return err
	}
	check.end()
	return c.replacements(ctx, f, found)
}

// replacements checks what a revision says of the payload that came in its
// place.
func (c *revisionCheck) replacements(ctx context.Context, f File, found finding) error {
	row := int64(0)
	return readColumns(ctx, c.v.layout.path(f.Path), []string{"ingested", "content_hash", "replaced", "replaced_by_run", "replaced_by_hash"}, func(b arrow.RecordBatch) error {
		ingested, ok1 := b.Column(0).(*array.Timestamp)
		hash, ok2 := b.Column(1).(*array.Int64)
		replaced, ok3 := b.Column(2).(*array.Timestamp)
		run, ok4 := b.Column(3).(*array.String)
		by, ok5 := b.Column(4).(*array.Int64)
		if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
			return errors.New("its columns have other types than ours")
		}
		for i := range int(b.NumRows()) {
			at := int64(replaced.Value(i))
			_, committed := c.v.log.commits[at/1000]
			_, known := c.v.log.state.runs[run.Value(i)]
			switch {
			case replaced.IsNull(i) || run.IsNull(i) || by.IsNull(i):
				found(f.Path, "row %d: it does not say by what it was replaced", row)
			case by.Value(i) == hash.Value(i):
				found(f.Path, "row %d: it was replaced by itself (replaced_by_hash)", row)
			case at < int64(ingested.Value(i)):
				found(f.Path, "row %d: it was replaced before it came (replaced)", row)
			case c.v.log.whole() && (!committed || at%1000 != 0):
				found(f.Path, "row %d: the log has no commit at the time it was replaced (replaced)", row)
			case c.v.log.whole() && !known:
				found(f.Path, "row %d: the log has no run %q (replaced_by_run)", row, run.Value(i))
			}
			row++
		}
		return nil
	})
}

// from begins with the facts that were collected from these files.
func (c *revisionCheck) from(files []File) {
	c.files = files
	c.sift()
}

// sift puts the facts in order and looks for payloads that stand twice.
func (c *revisionCheck) sift() {
	c.facts.sort()
	c.met = make([]atomic.Bool, len(c.facts.items))
	var again []int
	for i := 1; i < len(c.facts.items); i++ {
		if a, b := &c.facts.items[i-1], &c.facts.items[i]; a.id == b.id && a.hash == b.hash {
			again = append(again, i)
		}
	}
	for _, i := range c.byPlace(again) {
		a, b := &c.facts.items[i-1], &c.facts.items[i]
		c.v.problem(b.path, "row %d: its payload stands in revisions twice, as row %d of %s too", b.row, a.row, a.path)
	}
}

// byPlace puts facts in the order in which a person looks for them.
func (c *revisionCheck) byPlace(facts []int) []int {
	slices.SortFunc(facts, func(i, j int) int {
		a, b := &c.facts.items[i], &c.facts.items[j]
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.row, b.row))
	})
	return facts
}

// against compares a current row with the revisions of its id.
func (c *revisionCheck) against(f File, r *Row, row int64, id xxh3.Uint128, found finding) {
	facts := c.facts.items
	i, ok := slices.BinarySearchFunc(facts, id, func(f revisionFact, id xxh3.Uint128) int {
		return cmp.Or(cmp.Compare(f.id.Hi, id.Hi), cmp.Compare(f.id.Lo, id.Lo))
	})
	if !ok {
		return
	}
	current := c.fact(f, r, row)
	for ; i < len(facts) && facts[i].id == id; i++ {
		c.met[i].Store(true)
		old := &facts[i]
		switch {
		case old.hash == current.hash:
			found(old.path, "row %d: its payload is also the current one, row %d of %s", old.row, row, f.Path)
		case old.text == current.text && old.text != [16]byte{}:
			found(old.path, "row %d: the current payload, row %d of %s, is the same record in another spelling", old.row, row, f.Path)
		case cmp.Or(cmp.Compare(old.created, current.created), cmp.Compare(old.ingested, current.ingested), cmp.Compare(old.hash, current.hash)) > 0:
			found(old.path, "row %d: it is newer than the current payload, row %d of %s", old.row, row, f.Path)
		}
	}
}

// rest ends the slice that went along with the rows of activities, and goes
// over what is left of the hash space. complete says that all current rows
// could be read.
func (c *revisionCheck) rest(ctx context.Context, activities []File, complete bool) error {
	for {
		c.orphans(complete)
		if !c.facts.next() {
			return nil
		}
		err := c.pass(ctx, revisionsDir, c.files, func(f File, r *Row, row int64, _ finding) {
			c.facts.add([]revisionFact{c.fact(f, r, row)})
		})
		if err != nil {
			return err
		}
		c.sift()
		err = c.pass(ctx, activitiesDir, activities, func(f File, r *Row, row int64, found finding) {
			c.against(f, r, row, c.v.hashID(r.Bytes(r.Strings[ActivityID])), found)
		})
		if err != nil {
			return err
		}
	}
}

func (c *revisionCheck) pass(ctx context.Context, step string, files []File, each func(f File, r *Row, row int64, found finding)) error {
	return c.v.inOrder(ctx, step, len(files), func(i int) int64 { return files[i].Size }, func(ctx context.Context, i int, found finding) error {
		f := files[i]
		err := readRows(ctx, c.v.layout.path(f.Path), func(r *Row, row int64) error {
			each(f, r, row, found)
			return nil
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			found(f.Path, "%v", err)
		}
		return nil
	})
}

// orphans names revisions of which no payload is current. What erases rows of
// activities for good has to account for them here.
func (c *revisionCheck) orphans(complete bool) {
	if !complete || !c.v.log.whole() {
		return // the row may be in what could not be read
	}
	var alone []int
	for i := range c.met {
		if !c.met[i].Load() {
			alone = append(alone, i)
		}
	}
	for _, i := range c.byPlace(alone) {
		c.v.problem(c.facts.items[i].path, "row %d: activities has no row of its activity_id", c.facts.items[i].row)
	}
}
