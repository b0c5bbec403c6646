package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"mdcalake/store/delta"
)

// The log as verify reads it: one bad entry does not hide the others. What can
// be folded is folded, and the chain of hashes is looked at link by link, also
// across entries that are no log entries any more.

// ledger is what the log says, as far as it can be read.
type ledger struct {
	state   *fold
	entries []ledgerEntry // those that are there, by version
	// lastHole is the last version that is missing or could not be folded in;
	// -1: there is none, and the state is the lake's.
	lastHole int64
	stopped  bool             // another program asks for more than we know, from here on
	commits  map[int64]string // `ingested` -> run
	unkept   int64            // pages whose body is not in the lake
	// checkpoints are the versions with a checkpoint that we read; strange, the
	// paths of those of another kind.
	checkpoints map[int64]bool
	strange     []string
}

// ledgerEntry is one link of the chain.
type ledgerEntry struct {
	version int64
	sum     string
	facts   bool // it is ours, and readable; else there is nothing to compare with
	// previous and ingested are from its facts.
	previous string
	ingested int64
}

func (g *ledger) whole() bool { return g.lastHole < 0 }

// version is that of the last entry; -1: there is none.
func (g *ledger) version() int64 {
	if len(g.entries) == 0 {
		return -1
	}
	return g.entries[len(g.entries)-1].version
}

// entry is the link of a version; nil if it is missing.
func (g *ledger) entry(version int64) *ledgerEntry {
	i, ok := slices.BinarySearchFunc(g.entries, version, func(e ledgerEntry, v int64) int { return cmp.Compare(e.version, v) })
	if !ok {
		return nil
	}
	return &g.entries[i]
}

func entryPath(version int64) string {
	return path.Join(activitiesDir, delta.Dir, delta.EntryName(version))
}

// readLedger reads every entry that is there. found may be nil.
func readLedger(l layout, found finding) (*ledger, error) {
	log := logDir{fs: osFS{}, layout: l}
	names, err := log.List()
	if err != nil {
		return nil, plain(err)
	}
	var versions []int64
	for _, name := range names {
		if v, ok := delta.ParseEntryName(name); ok {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	checkpoints := map[int64]bool{}
	for _, name := range names {
		if v, kind, ok := delta.ParseCheckpointName(name); ok && kind == delta.CheckpointClassic {
			checkpoints[v] = true
		}
	}
	if found == nil {
		found = func(string, string, ...any) {}
	}
	g := &ledger{state: newFold(), lastHole: -1, commits: map[int64]string{}, checkpoints: checkpoints}
	next := int64(0)
	for _, v := range versions {
		if v > next {
			g.gap(next, v, found)
		}
		g.read(log, v, found)
		next = v + 1
	}
	return g, nil
}

func (g *ledger) gap(from, to int64, found finding) {
	if from == to-1 {
		found(entryPath(from), "it is missing, though entry %d exists", to)
	} else {
		found(entryPath(from), "entries %d to %d are missing, though entry %d exists", from, to-1, to)
	}
	g.skip(to - 1)
}

// skip goes on behind an entry that could not be folded in.
func (g *ledger) skip(version int64) {
	g.lastHole = version
	g.state.table.Skip(version)
}

func (g *ledger) read(log logDir, version int64, found finding) {
	data, err := log.Read(delta.EntryName(version))
	if err != nil {
		found(entryPath(version), "it cannot be read: %v", plain(err))
		g.skip(version)
		return
	}
	e := ledgerEntry{version: version, sum: sha256Hex(data)}
	actions, err := delta.Decode(data)
	if err != nil {
		found(entryPath(version), "it is no log entry: %v", err)
		g.skip(version)
		g.entries = append(g.entries, e)
		return
	}
	facts, _ := ourFacts(actions)
	if facts != nil {
		e.facts, e.previous, e.ingested = true, facts.Previous, facts.Ingested
		g.take(facts)
	}
	g.entries = append(g.entries, e)
	g.fold(version, data, actions, found)
	g.compare(log, version, found)
}

// fold moves the state on, if it can.
func (g *ledger) fold(version int64, data []byte, actions []delta.Action, found finding) {
	if g.stopped {
		g.skip(version)
		return
	}
	err := g.state.apply(version, data, actions)
	if err == nil {
		return
	}
	var unsupported *delta.UnsupportedError
	if errors.As(err, &unsupported) {
		g.stopped = true
		found(entryPath(version), "%v: what the table holds from here on cannot be known; %s", err, unsupported.Hint())
	} else {
		found(entryPath(version), "%v", err)
	}
	g.skip(version)
}

// take notes what is compared with rows and files later.
func (g *ledger) take(f *facts) {
	g.commits[f.Ingested] = f.RunID
	for _, p := range f.Pages {
		if !p.Kept {
			g.unkept++
		}
	}
}

// readLog reads the entries and checks the chain.
func (v *verifier) readLog() error {
	log, err := readLedger(v.layout, v.problem)
	if err != nil {
		return err
	}
	v.log = log
	for _, e := range log.entries {
		v.sum(entryPath(e.version), e.sum)
	}
	v.result.Entries, v.result.Version = int64(len(log.entries)), log.version()
	if e := log.entry(log.version()); e != nil {
		v.result.Head = e.sum
	}
	v.seed = seedOf(v.result.Head)
	v.checkChain()
	for _, n := range log.state.foreign {
		if v.adopting {
			break
		}
		v.problem(entryPath(n), "written by another program, not by mdcalake")
	}
	return nil
}

func cut(hash string) string { return hash[:min(12, len(hash))] }

// checkChain compares what each entry says of the one before it with that.
func (v *verifier) checkChain() {
	places := map[string]int64{}
	for _, e := range v.log.entries {
		places[e.sum] = e.version
	}
	for _, e := range v.log.entries {
		if !e.facts {
			continue
		}
		before := v.log.entry(e.version - 1)
		if before == nil && e.version > 0 {
			continue // missing: that was said, and there is nothing to compare with
		}
		have := "" // of what comes before the first entry
		if before != nil {
			have = before.sum
		}
		place, elsewhere := places[e.previous]
		switch {
		case e.previous == have:
			if before != nil && before.facts && e.ingested <= before.ingested {
				v.problem(entryPath(e.version), "its `ingested` is %d, entry %d had %d already", e.ingested, before.version, before.ingested)
			}
		case e.previous == "":
			v.problem(entryPath(e.version), "it was written as the first entry and stands behind entry %d: the entries are out of order", e.version-1)
		case elsewhere && before == nil:
			v.problem(entryPath(e.version), "it was written after what is entry %d now and stands first: the entries are out of order", place)
		case elsewhere:
			v.problem(entryPath(e.version), "it was written after what is entry %d now and stands behind entry %d: the entries are out of order", place, before.version)
		case before == nil:
			v.problem(entryPath(e.version), "it was written after an entry with SHA-256 %s and stands first: what came before it was taken away", cut(e.previous))
		default:
			v.problem(entryPath(before.version), "its SHA-256 is %s, entry %d was written after %s: it was rewritten, or entry %d is another log's", cut(have), e.version, cut(e.previous), e.version)
		}
	}
}

// parseHead reads VERSION:SHA256.
func parseHead(text string) (version int64, sum string, ok bool) {
	number, sum, _ := strings.Cut(text, ":")
	version, err := strconv.ParseInt(number, 10, 64)
	isHex := len(sum) == 64 && strings.Trim(sum, "0123456789abcdef") == ""
	return version, sum, err == nil && version >= 0 && isHex
}

// notedHead is the text of _mdcalake/head; empty: there is none. It is derived
// and may be gone.
func (v *verifier) notedHead() string {
	rel := privateDir + "/" + headName
	data, err := os.ReadFile(v.layout.path(rel))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		v.problem(rel, "it cannot be read: %v", plain(err))
		return ""
	}
	text := strings.TrimSpace(string(data))
	if _, _, ok := parseHead(text); !ok {
		v.problem(rel, "it is not VERSION:SHA256")
		return ""
	}
	return text
}

// checkHeads compares the log with what was noted of it: by the last run in
// the lake itself, and by a person elsewhere.
func (v *verifier) checkHeads(noted string) {
	rel, end := privateDir+"/"+headName, "the log is empty"
	if last := v.log.version(); last >= 0 {
		end = fmt.Sprintf("the log ends at entry %d", last)
	}
	if version, sum, ok := parseHead(noted); ok {
		e := v.log.entry(version)
		switch {
		case version > v.log.version():
			v.problem(rel, "it names entry %d, %s: the log was shortened", version, end)
		case e != nil && e.sum != sum:
			v.problem(entryPath(version), "its SHA-256 is %s, %s says %s: it was rewritten", cut(e.sum), rel, cut(sum))
		case version < v.log.version():
			v.note("%s names entry %d, the log goes on to entry %d: a run under way, or one that was stopped behind its commit; the next one puts it right", rel, version, v.log.version())
		}
	}
	if v.o.ExpectHead == "" {
		return
	}
	version, sum, ok := parseHead(v.o.ExpectHead)
	e := v.log.entry(version)
	switch {
	case !ok:
		v.problem("", "the expected head %q is not VERSION:SHA256", v.o.ExpectHead)
	case version > v.log.version():
		v.problem(entryPath(version), "it is expected, %s: it was shortened, or this is another lake", end)
	case e != nil && e.sum != sum:
		v.problem(entryPath(version), "its SHA-256 is %s, expected %s", cut(e.sum), cut(sum))
	}
}
