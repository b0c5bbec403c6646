package indicators

import (
	"fmt"
	"strings"
)

// readList reads one indicator a line. Behind " #" or " ;" stands a comment, which
// goes with it; a line of a comment alone is none of an indicator.
func (s *Set) readList(name, text string) {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		comment := ""
		if line == "" || line[0] == '#' || line[0] == ';' || strings.HasPrefix(line, "//") {
			continue
		}
		// A user agent has semicolons of its own, with nothing before them.
		for _, mark := range []string{" #", "\t#", " ;", "\t;"} {
			if i := strings.Index(line, mark); i >= 0 {
				line, comment = strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+2:])
			}
		}
		if len(line) > 1 && line[0] == '"' && line[len(line)-1] == '"' {
			line = line[1 : len(line)-1]
		}
		s.add(finding{text: line, place: fmt.Sprintf("%s:%d", name, n), comment: comment})
	}
}
