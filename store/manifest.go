package store

import (
	"bufio"
	"fmt"
	"path"
	"strings"

	"mdcalake/store/delta"
)

// A manifest is a line for each file of the lake, sorted by path, as sha256sum
// writes it; `sha256sum -c` in the lake's directory accepts it. It has the
// hashes as they were found, also where they are not those of the log.

// manifestName writes a path as sha256sum does: with escapes where it would
// break the line, and then marked.
var manifestName = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

func manifestLine(sum, rel string) string {
	name := manifestName.Replace(rel)
	if name != rel {
		return `\` + sum + "  " + name + "\n"
	}
	return sum + "  " + rel + "\n"
}

// checkpoints are what other readers may take in place of the entries. We do
// not, and they hold nothing of the chain.
func (v *verifier) checkpoints() error {
	names, err := logDir{fs: osFS{}, layout: v.layout}.List()
	if err != nil {
		return plain(err)
	}
	n := 0
	for _, name := range names {
		if !isCheckpoint(name) {
			continue
		}
		n++
		rel := path.Join(activitiesDir, delta.Dir, name)
		sum, _, err := hashFile(v.layout.path(rel))
		if err != nil {
			v.problem(rel, "it cannot be read: %v", plain(err))
			continue
		}
		v.sum(rel, sum)
	}
	if n > 0 {
		v.note("%d files of checkpoints, which other programs read in place of the log's entries, were not compared with them", n)
	}
	return nil
}

func isCheckpoint(name string) bool {
	return name == "_last_checkpoint" || strings.Contains(name, ".checkpoint.") && strings.HasSuffix(name, ".parquet")
}

func (v *verifier) writeManifest() error {
	if v.o.Manifest == nil {
		return nil
	}
	w := bufio.NewWriter(v.o.Manifest)
	for _, rel := range sortedKeys(v.sums) {
		w.WriteString(manifestLine(v.sums[rel], rel))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	return nil
}
