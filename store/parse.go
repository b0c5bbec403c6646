package store

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"mdcalake/store/delta"
)

// Parsing entries is nearly all of the work of folding a log, and none of them
// needs another for it: so it is done apart, by all processors.

// parsedEntry is what can be known of an entry without those before it.
type parsedEntry struct {
	version int64
	entry   []byte
	head    string
	actions []delta.Action
	facts   *facts       // nil: another program's entry
	files   []parsedFile // of activities, in the order of the actions
	err     error        // why it cannot be folded
}

// parsedFile is what an action says of a file of activities.
type parsedFile struct {
	path  string // in the lake
	added bool
	file  File
	odd   error // why an added file's path is no place of ours
}

func parseEntry(version int64, entry []byte, actions []delta.Action) *parsedEntry {
	p := &parsedEntry{version: version, entry: entry, head: sha256Hex(entry), actions: actions}
	p.facts, p.err = ourFacts(actions)
	if f := p.facts; f != nil {
		p.err = errors.Join(f.Revisions.check(revisionsDir), f.Quarantine.check(quarantineDir), f.Erased.check(erasedDir), f.Purge.check(), f.checkPages())
	}
	for _, a := range actions {
		if p.err == nil {
			p.err = p.parseFile(a)
		}
	}
	if p.err != nil {
		p.err = fmt.Errorf("log entry %d: %w", version, p.err)
	}
	return p
}

func (p *parsedEntry) parseFile(a delta.Action) error {
	encoded := ""
	switch {
	case a.Add != nil:
		encoded = a.Add.Path
	case a.Remove != nil:
		encoded = a.Remove.Path
	default:
		return nil
	}
	name, err := delta.FilePath(encoded)
	if err != nil {
		return err
	}
	f := parsedFile{path: activitiesDir + "/" + name, added: a.Add != nil}
	if f.added {
		f.file, f.odd = activitiesFile(p.version, name, a.Add)
	}
	p.files = append(p.files, f)
	return nil
}

func parseEntries(log logDir, versions []int64) []*parsedEntry {
	parsed := make([]*parsedEntry, len(versions))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(versions)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(versions)); i = next.Add(1) - 1 {
				parsed[i] = readEntry(log, versions[i])
			}
		})
	}
	workers.Wait()
	return parsed
}

// readEntry reads and parses one entry; without actions, it could not be read.
func readEntry(log logDir, version int64) *parsedEntry {
	entry, actions, err := delta.ReadEntry(log, version)
	if err != nil {
		return &parsedEntry{err: err}
	}
	return parseEntry(version, entry, actions)
}
