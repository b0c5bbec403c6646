package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"mdcalake/store/delta"
)

// The lake as it was. The log says at every entry which runs there were, what
// was covered and how often bad bytes had come, so folding it up to the last
// entry of then gives those exactly. The files of then are gone, merged into
// others or written again; but no row is ever changed, and each says since
// which commit it is there (`ingested`) and, once it has left `activities`, up
// to which (`replaced` in `revisions`). So today's files hold the rows of then:
//
//	activities  of activities those with ingested <= T, and of revisions
//	            those with ingested <= T < replaced: current then, past since
//	revisions   those with replaced <= T
//	quarantine  those with first_seen <= T
//
// A payload that came late and older than the current one went to revisions at
// once: its ingested and replaced are the same, and it never was current. A row
// that moved to another cell stands in revisions with the day and the app that
// it had. Merging keeps all of these columns.
//
// What was erased or lost since cannot be had back, and is refused: rows that a
// purge took, rows that an adopted program took or brought. Quarantined bytes
// that were lifted since are rows now, and who saw them first is nowhere.

// ErrNoPast: what the lake held then cannot be told.
var ErrNoPast = errors.New("what the lake held then cannot be told")

// AsOf is the lake as its last commit up to t left it. The snapshot's Version,
// Head, runs, coverage and all else of the log are those of then; its files are
// today's, and hold later rows as well: see Snapshot.AsOf. With no commit behind
// t it is Snapshot. It reads the whole log. The error is ErrNoPast, with a hint,
// where there is no answer that is right.
func (l *Lake) AsOf(ctx context.Context, t time.Time) (*Snapshot, error) {
	p := &past{lake: l, at: t.UTC(), until: t.UnixMilli(), then: newFold()}
	s, err := p.snapshot(ctx)
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	var refused *noPast
	if errors.As(err, &refused) {
		return nil, &LakeError{Op: "go back in lake", Path: l.layout.root, Err: fmt.Errorf("%w: %s", ErrNoPast, refused.why), Advice: refused.hint}
	}
	return nil, &LakeError{Op: "go back in lake", Path: l.layout.root, Err: err}
}

// noPast is why there is no answer for a time, and what to do.
type noPast struct{ why, hint string }

func (e *noPast) Error() string { return e.why }

// past is the way back to a time.
type past struct {
	lake  *Lake
	at    time.Time
	until int64 // the same in ms, as `ingested` is
	then  *fold
	// between are other programs' entries behind the last of ours: whether they
	// belong to then, only the next entry of ours says.
	between []*parsedEntry
	// lifted: since then quarantined bytes have become rows.
	lifted bool
	first  int64 // ingested of the first commit; 0: there is none
}

func (p *past) snapshot(ctx context.Context) (*Snapshot, error) {
	now := p.lake.state
	if len(now.foreign) > 0 {
		return nil, &noPast{fmt.Sprintf("another program has written entry %d, and nobody has looked at it", now.foreign[0]), "run 'mdcalake adopt' first; it shows what came and what went before it changes anything"}
	}
	if err := p.fold(ctx); err != nil {
		return nil, err
	}
	switch {
	case p.first == 0:
		return nil, &noPast{"the lake has no commit yet", "'mdcalake ingest' or 'mdcalake import' makes the first one"}
	case p.then.table.Version < 0:
		return nil, &noPast{"the first commit of the lake is of " + stamp(p.first) + ", and " + p.at.Format(time.RFC3339Nano) + " is before it", "ask for a time at or behind it"}
	case p.then.table.Version == now.table.Version:
		return p.lake.snapshot, nil
	}
	if err := p.lost(); err != nil {
		return nil, err
	}
	s, err := p.then.snapshot(p.lake.layout.root)
	if err != nil {
		return nil, err
	}
	s.AsOf = time.UnixMilli(p.then.ingested).UTC()
	s.QuarantineLifted = p.lifted
	today := p.lake.snapshot
	s.Files, s.Revisions, s.Quarantine = begunBy(today.Files, p.then.ingested), begunBy(today.Revisions, p.then.ingested), slices.Clip(today.Quarantine)
	return s, nil
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// begunBy leaves out the files whose rows all came later. Of a file without
// statistics nothing is known.
func begunBy(files []File, ingested int64) []File {
	var kept []File
	for _, f := range files {
		if r := f.Stats.Ingested; r.Min > r.Max || r.Min <= ingested {
			kept = append(kept, f)
		}
	}
	return kept
}

// fold reads the log, takes in what belongs to then, and of the rest notes what
// matters.
func (p *past) fold(ctx context.Context) error {
	log := logDir{fs: osFS{}, layout: p.lake.layout}
	versions, err := delta.Versions(log)
	if err != nil {
		return plain(err)
	}
	// Not further than the lake was opened: entries that came since are not its.
	end, _ := slices.BinarySearch(versions, p.lake.state.table.Version+1)
	behind := false
	for block := range slices.Chunk(versions[:end], entriesAtOnce) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, e := range parseEntries(log, block) {
			if e.err != nil {
				return e.err
			}
			if e.facts != nil {
				if p.first == 0 {
					p.first = e.facts.Ingested
				}
				behind = behind || e.facts.Ingested > p.until
			}
			if behind {
				p.since(e)
				continue
			}
			if err := p.take(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// take folds an entry in that is not behind then, as far as is known.
func (p *past) take(e *parsedEntry) error {
	if e.facts == nil {
		p.between = append(p.between, e)
		return nil
	}
	for _, foreign := range p.between {
		if err := p.then.applyParsed(foreign); err != nil {
			return err
		}
	}
	p.between = nil
	return p.then.applyParsed(e)
}

// since looks at an entry that came later. A merge takes files out of the
// quarantine as well, and puts all of their rows into another.
func (p *past) since(e *parsedEntry) {
	if e.facts != nil && e.facts.Quarantine != nil && len(e.facts.Quarantine.Remove) > 0 && entryInfo(e.actions).Operation != mergeOperation {
		p.lifted = true
	}
}

// entryInfo is what Delta's own commitInfo says of an entry; zero, if nothing
// that can be read.
func entryInfo(actions []delta.Action) (info struct {
	Timestamp int64  `json:"timestamp"`
	Operation string `json:"operation"`
}) {
	for _, a := range actions {
		if len(a.CommitInfo) > 0 && json.Unmarshal(a.CommitInfo, &info) == nil {
			return info
		}
	}
	return info
}

// lost says why the rows of then are not in today's files; nil: they are.
func (p *past) lost() error {
	version, now := p.then.table.Version, p.lake.state
	for _, u := range now.purges {
		if u.Version > version && u.Rows+u.Revisions+u.Quarantine > 0 {
			return &noPast{fmt.Sprintf("it is before the purge that entry %d of the log has made, and what a purge erases is gone", u.Version),
				"ask for a time behind that purge; 'mdcalake status' lists the purges"}
		}
	}
	for _, a := range now.adoptions {
		switch {
		case a.Version <= version:
		case !a.Reverted && a.Lost+a.Came+a.Unseen > 0:
			return &noPast{"it is before a change that was not the lake's own: " + a.Text(), "ask for a time behind that entry; 'mdcalake status' has when it was"}
		case a.Reverted && p.stood(a):
			return &noPast{"the table was another program's then: " + a.Text(), "ask for a time before the first of them, or behind the entry that undid them"}
		}
	}
	return nil
}

// stood says whether another program's entries, undone since, stood in the log
// then. Where one does not say when it was written, it may have.
func (p *past) stood(a Adoption) bool {
	for _, e := range p.between {
		if slices.Contains(a.Versions, e.version) {
			if at := entryInfo(e.actions).Timestamp; at == 0 || at <= p.until {
				return true
			}
		}
	}
	return false
}
