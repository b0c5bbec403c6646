package store

import (
	"bufio"
	"fmt"
	"strings"
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
