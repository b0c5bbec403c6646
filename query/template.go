package query

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// template is a Parquet file with a table's columns and no rows. It is made
// once for an engine, by whichever statement needs it first.
type template struct {
	path string // as DuckDB is to read it
	file *os.File
}

func (e *Engine) template(t *lakeTable) (template, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if tpl, ok := e.templates[t]; ok {
		return tpl, nil
	}
	if e.closed {
		return template{}, errors.New("query: the engine is closed")
	}
	tpl := template{path: e.temp.file(t.name + "-empty.parquet")}
	if err := t.writeTemplate(tpl.path); err != nil {
		return tpl, fmt.Errorf("write the empty table of %s: %w", t.name, err)
	}
	if strings.ContainsAny(tpl.path, "*?[\\=") {
		// The way to our own folder may hold names that DuckDB takes for a
		// pattern or a column. By its number an open file has a plain name.
		f, err := os.Open(tpl.path)
		if err != nil {
			return tpl, fmt.Errorf("open the empty table of %s: %w", t.name, err)
		}
		tpl.file, tpl.path = f, fmt.Sprintf("/dev/fd/%d", f.Fd())
	}
	e.templates[t] = tpl
	return tpl, nil
}
