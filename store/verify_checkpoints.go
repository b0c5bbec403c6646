package store

import (
	"errors"
	"io/fs"
	"path"

	"mdcalake/store/delta"
)

// Checkpoints, as verify reads them. We take nothing from them, but other
// programs read them in place of the entries: one that lies shows those another
// table.

// compare holds the checkpoint of a version, if there is one, against what the
// entries up to it say.
func (g *ledger) compare(log logDir, version int64, found finding) {
	if !g.checkpoints[version] || !g.whole() {
		return
	}
	rel := checkpointPath(delta.CheckpointName(version))
	c, err := delta.ReadCheckpoint(log, version)
	var kind *delta.CheckpointKindError
	switch {
	case errors.As(err, &kind):
		g.strange = append(g.strange, rel)
	case err != nil:
		found(rel, "%v", err)
	default:
		if what := c.Diff(g.state.table); what != "" {
			found(rel, "it does not say what the entries up to %d say: %s", version, what)
		}
	}
}

func checkpointPath(name string) string { return path.Join(activitiesDir, delta.Dir, name) }

// checkpoints looks at what is left of them: those of kinds that we do not
// read, and the file that says where the last one is.
func (v *verifier) checkpoints() error {
	log := logDir{fs: osFS{}, layout: v.layout}
	names, err := log.List()
	if err != nil {
		return plain(err)
	}
	for _, name := range names {
		version, kind, ok := delta.ParseCheckpointName(name)
		if !ok && name != delta.LastCheckpointName {
			continue
		}
		rel := checkpointPath(name)
		sum, _, err := hashFile(v.layout.path(rel))
		if err != nil {
			v.problem(rel, "it cannot be read: %v", plain(err))
			continue
		}
		v.sum(rel, sum)
		switch {
		case ok && kind != delta.CheckpointClassic:
			v.log.strange = append(v.log.strange, rel)
		case ok && version > v.result.Version:
			v.problem(rel, "the log ends at entry %d: it was shortened, or this is another lake's", v.result.Version)
		}
	}
	for _, rel := range v.log.strange {
		v.note("%s is another program's, of a kind that this version does not read: it was not compared with the entries", printable(rel))
	}
	v.lastCheckpoint(log)
	return nil
}

func (v *verifier) lastCheckpoint(log logDir) {
	rel := checkpointPath(delta.LastCheckpointName)
	data, err := log.Read(delta.LastCheckpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		v.problem(rel, "it cannot be read: %v", plain(err))
		return
	}
	last, err := delta.DecodeLastCheckpoint(data)
	switch {
	case err != nil:
		v.problem(rel, "%v", err)
	case !v.log.checkpoints[last.Version] && len(v.log.strange) == 0:
		v.problem(rel, "it names checkpoint %d, which is not there", last.Version)
	}
}
