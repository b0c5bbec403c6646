package query

import (
	"fmt"
	"os"
	"sync"
)

// workdir is the one thing of this package that belongs to the whole process:
// the working directory (see doc.go for why the lake must be it).
var workdir struct {
	sync.Mutex
	root    string
	engines int
	before  *os.File // where the process was; nil when that could not be opened
}

// enterLake makes root the working directory until leave is called as often
// as it was entered.
func enterLake(root string) (leave func() error, err error) {
	workdir.Lock()
	defer workdir.Unlock()
	if workdir.engines > 0 && workdir.root != root {
		return nil, fmt.Errorf("open lake %s: another lake is open in this process, %s: close it first", root, workdir.root)
	}
	if workdir.engines == 0 {
		before, err := os.Open(".")
		if err != nil {
			before = nil // e.g. removed under us: then there is nothing to go back to
		}
		if err := os.Chdir(root); err != nil {
			if before != nil {
				before.Close()
			}
			return nil, fmt.Errorf("open lake: %w", err)
		}
		workdir.root, workdir.before = root, before
	}
	workdir.engines++
	return leaveLake, nil
}

func leaveLake() error {
	workdir.Lock()
	defer workdir.Unlock()
	workdir.engines--
	if workdir.engines > 0 || workdir.before == nil {
		return nil
	}
	before := workdir.before
	workdir.before = nil
	defer before.Close()
	if err := before.Chdir(); err != nil {
		return fmt.Errorf("return to the former working directory: %w", err)
	}
	return nil
}
