package hunts

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

//go:embed all:catalog
var files embed.FS

// Catalog are the hunts that come with the program, by name. A test reads them all:
// an error here is one of the program itself.
var Catalog = sync.OnceValues(func() ([]*Hunt, error) {
	entries, err := files.ReadDir("catalog")
	if err != nil {
		return nil, err
	}
	var all []*Hunt
	for _, e := range entries {
		text, err := files.ReadFile("catalog/" + e.Name())
		if err != nil {
			return nil, err
		}
		h, err := parseNamed(e.Name(), text)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return sorted(all), nil
})

func sorted(all []*Hunt) []*Hunt {
	slices.SortFunc(all, func(a, b *Hunt) int { return strings.Compare(a.Name, b.Name) })
	return all
}

const ending = ".yaml"

func parseNamed(file string, text []byte) (*Hunt, error) {
	h, err := Parse(text)
	if err == nil && h.Name+ending != file {
		err = fmt.Errorf("its name is %q, and the file is called otherwise", h.Name)
	}
	if err != nil {
		return nil, &FileError{file, err}
	}
	return h, nil
}

// FileError is a hunt's file, or an allow-list, that is not as it must be.
type FileError struct {
	File string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("read %s: %v", e.File, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *FileError) Hint() string {
	if strings.HasSuffix(e.File, ending) {
		return "mdcalake hunt show NAME -o json shows what a hunt is made of; its file has the same keys"
	}
	return "an allow-list has the keys exclude_users, exclude_ips, exclude_apps, exclude_countries, each with a list such as [a, b]"
}

// Load reads the hunts of a directory: its files NAME.yaml. One that has the
// name or the id of another is an error.
func Load(dir string) ([]*Hunt, error) {
	names, err := filepath.Glob(filepath.Join(filepath.Clean(escape(dir)), "*"+ending))
	if err != nil {
		return nil, fmt.Errorf("read hunts: %w", err)
	}
	if len(names) == 0 {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("read hunts: %w", err)
		}
		return nil, fmt.Errorf("read hunts: %s has no file NAME%s", dir, ending)
	}
	var all []*Hunt
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read hunt: %w", err)
		}
		h, err := parseNamed(filepath.Base(name), text)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return sorted(all), nil
}

// escape takes the meaning from what Glob would read as a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// Together are the hunts of two sets, if no two have a name or an id in common.
func Together(a, b []*Hunt) ([]*Hunt, error) {
	all := slices.Concat(a, b)
	for i, h := range all {
		for _, other := range all[:i] {
			if h.Name == other.Name || h.ID == other.ID {
				return nil, &FileError{h.Name + ending, fmt.Errorf("the hunt %s (%s) has the same name or id: give it another", other.Name, other.ID)}
			}
		}
	}
	return sorted(all), nil
}

// Choose are the hunts of some names.
func Choose(from []*Hunt, names ...string) ([]*Hunt, error) {
	var chosen []*Hunt
	for _, name := range names {
		i := slices.IndexFunc(from, func(h *Hunt) bool { return h.Name == name })
		if i < 0 {
			return nil, &UnknownError{Name: name, Near: near(from, name)}
		}
		if !slices.Contains(chosen, from[i]) {
			chosen = append(chosen, from[i])
		}
	}
	return chosen, nil
}

// UnknownError is a hunt that is not there.
type UnknownError struct {
	Name string
	Near []string // that were perhaps meant
}

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no hunt %q", e.Name) }

func near(from []*Hunt, name string) []string {
	var names []string
	for _, h := range from {
		if strings.Contains(h.Name, name) || slices.ContainsFunc(strings.Split(name, "-"), func(w string) bool { return len(w) > 3 && strings.Contains(h.Name, w) }) {
			names = append(names, h.Name)
		}
	}
	return names
}
