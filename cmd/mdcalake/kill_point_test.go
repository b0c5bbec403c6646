package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mdcalake/store/delta"
)

// A point is a place in a writer's work, told from what the disk shows and not
// by a clock: so a slow machine is struck at the same places as a fast one, and
// the short steps of a commit as often as the long ones.
type point struct {
	commits int // of the run, before the step
	step    step
	nth     int // names, files, or requests
}

// step is one of those of FORMAT.md, "Order of writes", as far as another
// process can see them.
type step string

const (
	stepLocked  step = "the lock taken"
	stepSwept   step = "files of a dead run removed"
	stepAsked   step = "pages asked for"
	stepNoted   step = "names noted"
	stepBegun   step = "files begun"
	stepPlaced  step = "files in their place"
	stepLinked  step = "the entry linked"
	stepHeaded  step = "the head written"
	stepCleared step = "the note removed"
)

// commitSteps are those that every commit goes through.
var commitSteps = []step{stepLocked, stepAsked, stepNoted, stepBegun, stepPlaced, stepLinked, stepHeaded, stepCleared}

// drawPoint draws a point in a run of a verb with about so many commits.
func drawPoint(rng *rand.Rand, verb killedVerb, commits int) point {
	steps := slices.Clone(commitSteps)
	if !verb.asks {
		steps = slices.DeleteFunc(steps, func(s step) bool { return s == stepAsked })
	}
	return point{commits: rng.IntN(max(1, commits)), step: steps[rng.IntN(len(steps))], nth: 1 + rng.IntN(6)}
}

func (p point) String() string {
	switch p.step {
	case stepLocked:
		return string(p.step)
	case stepSwept, stepAsked:
		return fmt.Sprintf("%s: %d", p.step, p.nth)
	case stepNoted, stepBegun, stepPlaced:
		return fmt.Sprintf("%s: %d, after %d commits", p.step, p.nth, p.commits)
	}
	return fmt.Sprintf("%s, after %d commits", p.step, p.commits)
}

// sight is what the disk shows of a writer's work.
type sight struct {
	locked               bool
	asked                int64
	commits              int
	noted, begun, placed int // names of the run's files to come, files under either name, files under their own
	left                 int // files of dead runs that are still there
	head                 string
	heads                int  // commits, by the head
	pending              bool // the run has a note
}

// reached says whether the work has come to the point, or beyond it.
func (p point) reached(s sight) bool {
	beyond := s.commits > p.commits
	switch p.step {
	case stepLocked:
		return s.locked || beyond
	case stepSwept:
		return s.locked && s.left <= p.nth || beyond
	case stepAsked:
		return s.asked >= int64(p.nth) || beyond
	case stepNoted:
		return beyond || s.commits == p.commits && s.noted >= p.nth
	case stepBegun:
		return beyond || s.commits == p.commits && s.begun >= p.nth
	case stepPlaced:
		return beyond || s.commits == p.commits && s.placed >= p.nth
	case stepLinked:
		return beyond
	case stepHeaded:
		return s.heads > p.commits // by itself: the head must not come before its entry
	default:
		return s.commits > p.commits+1 || beyond && !s.pending
	}
}

// watcher looks at a lake that another process writes.
type watcher struct {
	lake    string
	pid     int
	asked   func() int64
	first   int             // entries when it began
	entries int             // now
	dead    map[string]bool // notes of runs that are dead already
	left    []string        // files that these name and the log does not
	oldHead string
}

// newWatcher looks at the lake before the writer begins.
func newWatcher(lake string, asked func() int64) (*watcher, error) {
	w := &watcher{lake: lake, asked: asked, dead: map[string]bool{}}
	w.countEntries()
	w.first, w.oldHead = w.entries, w.head()
	notes, err := w.notes()
	if err != nil {
		return nil, err
	}
	for note, names := range notes {
		w.dead[note] = true
		w.left = append(w.left, names...)
	}
	return w, nil
}

func (w *watcher) exists(rel string) bool {
	_, err := os.Lstat(filepath.Join(w.lake, filepath.FromSlash(rel)))
	return err == nil
}

func (w *watcher) countEntries() {
	for w.exists(path.Join("activities", delta.Dir, delta.EntryName(int64(w.entries)))) {
		w.entries++
	}
}

func (w *watcher) head() string {
	text, err := os.ReadFile(filepath.Join(w.lake, "_mdcalake", "head"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func headVersion(head string) int {
	version := -1
	_, _ = fmt.Sscanf(head, "%d:", &version) // none: -1
	return version
}

// notes are the pending files and the names in them.
func (w *watcher) notes() (map[string][]string, error) {
	dir := filepath.Join(w.lake, "_mdcalake")
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	notes := map[string][]string{}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), "pending-") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // it was removed just now
		}
		names := []string{}
		for line := range bytes.Lines(text) {
			names = append(names, strings.TrimSpace(string(line)))
		}
		notes[e.Name()] = names
	}
	return notes, nil
}

func underway(rel string) string { return path.Dir(rel) + "/." + path.Base(rel) + ".tmp" }

func (w *watcher) look() (sight, error) {
	s := sight{asked: w.asked()}
	text, _ := os.ReadFile(filepath.Join(w.lake, "_mdcalake", "lock"))
	s.locked = bytes.Contains(text, fmt.Appendf(nil, ", process %d on ", w.pid))
	notes, err := w.notes()
	if err != nil {
		return s, err
	}
	for note, names := range notes {
		if w.dead[note] {
			continue
		}
		s.pending = true
		s.noted += len(names)
		for _, rel := range names {
			switch {
			case w.exists(rel):
				s.begun++
				s.placed++
			case w.exists(underway(rel)):
				s.begun++
			}
		}
	}
	for _, rel := range w.left {
		if w.exists(rel) || w.exists(underway(rel)) {
			s.left++
		}
	}
	w.countEntries()
	s.commits = w.entries - w.first
	if head := w.head(); head != w.oldHead {
		s.head, s.heads = head, headVersion(head)+1-w.first
	}
	return s, nil
}

// strike starts cmd and does blow when it has come to the point. hit says that
// it had not ended by itself before; seen is the last sight before the blow, or
// before the end. The process has ended when strike answers.
func strike(cmd *exec.Cmd, w *watcher, p point, blow func() error) (hit bool, seen sight, err error) {
	if err := cmd.Start(); err != nil {
		return false, seen, err
	}
	w.pid = cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // judged by its exit code
		close(ended)
	}()
	for !hit {
		select {
		case <-ended:
			return false, seen, nil
		default:
		}
		if seen, err = w.look(); err != nil {
			_ = cmd.Process.Kill()
			<-ended
			return false, seen, err
		}
		if p.reached(seen) {
			hit = true
			err = blow()
		}
		runtime.Gosched()
	}
	<-ended
	return hit, seen, err
}
