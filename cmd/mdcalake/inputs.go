package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mdcalake/ingest"
)

// inputs are what the arguments of import name.
type inputs struct {
	sources []ingest.Source
	stdin   bool
	// notes name what was found in directories and left out on purpose.
	notes []string
}

// inputsOf looks at all arguments before the first is read: a typing error in
// the last name should not be found an hour later.
func inputsOf(c console, paths []string, lake string) (*inputs, error) {
	in := &inputs{}
	for _, path := range paths {
		if path == "-" {
			if in.stdin {
				return nil, usage("name it once", "the standard input is given twice")
			}
			in.stdin = true
			in.sources = append(in.sources, ingest.Source{Name: "standard input", Size: -1, Open: func() (io.ReadCloser, error) { return io.NopCloser(c.in), nil }})
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, usage("check the path; - is the standard input", "import: %w", err)
		}
		if !info.IsDir() {
			in.sources = append(in.sources, fileSource(path, info))
			continue
		}
		w := walk{inputs: in, root: path, lake: lake}
		if err := w.do(); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func fileSource(path string, info fs.FileInfo) ingest.Source {
	size := info.Size()
	if !info.Mode().IsRegular() {
		size = -1
	}
	return ingest.Source{Name: path, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

// walk goes through a directory in the order of the names.
type walk struct {
	*inputs
	root   string
	lake   string
	hidden []string
	links  []string
	files  map[string]bool // their real paths
}

func (w *walk) do() error {
	w.files = map[string]bool{}
	before := len(w.sources)
	// WalkDir does not enter a link, and the root may be one.
	root, err := filepath.EvalSymlinks(w.root)
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return usage("check the path", "import: %w", err)
	}
	if isLake(root) {
		return usage("query it with --lake; import takes saved records", "import: %q is a lake", w.root)
	}
	err = filepath.WalkDir(root, func(real string, d fs.DirEntry, err error) error {
		path := w.named(root, real)
		if err != nil {
			w.unread(path, err)
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return w.entry(path, real, d, real == root)
	})
	if err != nil {
		return err
	}
	w.follow(root)
	slices.SortStableFunc(w.sources[before:], func(a, b ingest.Source) int { return strings.Compare(a.Name, b.Name) })
	w.note(w.hidden, "hidden file or directory", "hidden files and directories")
	if len(w.sources) == before {
		return usage("name the files themselves", "import: there is no file to import in %q", w.root)
	}
	return nil
}

// named is a path as the person would write it.
func (w *walk) named(root, real string) string {
	rel, err := filepath.Rel(root, real)
	if err != nil {
		return real
	}
	return filepath.Join(w.root, rel)
}

// entry takes one entry of the directory.
func (w *walk) entry(path, real string, d fs.DirEntry, isRoot bool) error {
	switch {
	case d.IsDir() && !isRoot && (sameFile(real, w.lake) || isLake(real)):
		w.notes = append(w.notes, fmt.Sprintf("left out: %s is a lake", path))
		return fs.SkipDir
	case isRoot:
	case strings.HasPrefix(d.Name(), "."):
		w.hidden = append(w.hidden, path)
		if d.IsDir() {
			return fs.SkipDir
		}
	case d.IsDir():
	case d.Type()&fs.ModeSymlink != 0:
		w.links = append(w.links, real)
	case !d.Type().IsRegular():
		w.unread(path, errors.New("it is no file but a device, a pipe or a socket"))
	default:
		info, err := d.Info()
		if err != nil {
			w.unread(path, err)
			return nil
		}
		w.files[real] = true
		w.sources = append(w.sources, fileSource(path, info))
	}
	return nil
}

// follow takes the files that links lead to, if those are below the root and
// are not taken already.
func (w *walk) follow(root string) {
	for _, link := range w.links {
		path := w.named(root, link)
		target, err := filepath.EvalSymlinks(link)
		if err != nil {
			w.unread(path, err)
			continue
		}
		rel, err := filepath.Rel(root, target)
		if err != nil || !filepath.IsLocal(rel) {
			w.unread(path, errors.New("it is a link that leads out of the directory"))
			continue
		}
		info, err := os.Stat(target)
		switch {
		case err != nil:
			w.unread(path, err)
		case info.Mode().IsRegular() && !w.files[target]:
			w.files[target] = true
			w.sources = append(w.sources, fileSource(path, info))
		case !info.IsDir() && !info.Mode().IsRegular():
			w.unread(path, errors.New("it is a link to a device, a pipe or a socket"))
		}
	}
}

// unread makes a source of what cannot be read: it is one of the inputs, and the
// run is not whole without it.
func (w *walk) unread(path string, err error) {
	w.sources = append(w.sources, ingest.Source{Name: path, Open: func() (io.ReadCloser, error) { return nil, err }})
}

func (w *walk) note(paths []string, one, many string) {
	if len(paths) == 0 {
		return
	}
	const most = 5
	text := strings.Join(paths[:min(most, len(paths))], ", ")
	if len(paths) > most {
		text += ", ..."
	}
	w.notes = append(w.notes, fmt.Sprintf("left out: %s: %s", things(int64(len(paths)), one, many), text))
}

func isLake(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "activities", "_delta_log"))
	return err == nil && info.IsDir()
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
