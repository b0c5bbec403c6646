package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The notebooks are committed without what they printed: a difference of two
// versions is then one of what they say. ('make interop' executes them.)
func TestNotebooksAreCommittedWithoutOutputs(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("..", "..", "testdata", "notebooks", "*.ipynb"))
	if err != nil || len(paths) != 4 {
		t.Fatalf("found %q (%v)", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var notebook struct {
			Cells []struct {
				ID             string
				CellType       string `json:"cell_type"`
				ExecutionCount *int   `json:"execution_count"`
				Outputs        []json.RawMessage
				Source         []string
			}
		}
		if err := json.Unmarshal(text, &notebook); err != nil || len(notebook.Cells) == 0 {
			t.Errorf("%s: %d cells (%v)", path, len(notebook.Cells), err)
		}
		ids := map[string]bool{}
		for _, cell := range notebook.Cells {
			if cell.ExecutionCount != nil || len(cell.Outputs) > 0 {
				t.Errorf("%s: cell %q was saved with outputs: clear them", path, cell.ID)
			}
			if ids[cell.ID] {
				t.Errorf("%s: two cells are called %q", path, cell.ID)
			}
			ids[cell.ID] = true
		}
		last := notebook.Cells[len(notebook.Cells)-1]
		if !strings.Contains(strings.Join(last.Source, ""), "answers = {") {
			t.Errorf("%s: the last cell leaves no answers to compare", path)
		}
	}
}
