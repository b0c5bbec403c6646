package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

// forge lies thoroughly: the entries are changed, then the whole chain and the
// head are made to fit again, as anybody can who can write to the lake. What
// verify finds then is found in the contents.
func forge(t *testing.T, dir string, change func(version int64, actions []delta.Action, ours map[string]any) []delta.Action) {
	t.Helper()
	previous := ""
	for v := int64(0); ; v++ {
		path := filepath.Join(dir, "activities", "_delta_log", delta.EntryName(v))
		entry, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			must(t, os.WriteFile(filepath.Join(dir, "_mdcalake", "head"), []byte(fmt.Sprintf("%d:%s\n", v-1, previous)), 0o600))
			return
		}
		must(t, err)
		actions, err := delta.Decode(entry)
		must(t, err)
		for i := range actions {
			if actions[i].CommitInfo == nil {
				continue
			}
			var info map[string]any
			d := json.NewDecoder(bytes.NewReader(actions[i].CommitInfo))
			d.UseNumber()
			must(t, d.Decode(&info))
			ours := info["mdcalake"].(map[string]any)
			ours["previous"] = previous
			actions = change(v, actions, ours)
			actions[i].CommitInfo, err = json.Marshal(info)
			must(t, err)
		}
		entry, err = delta.Encode(actions)
		must(t, err)
		must(t, os.Chmod(path, 0o600))
		must(t, os.WriteFile(path, entry, 0o600))
		previous = fmt.Sprintf("%x", sha256.Sum256(entry))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// forgeRow changes the rows of the activities' file that has this id, and the
// log with it.
func forgeRow(t *testing.T, dir, id string, change func(*store.Row)) {
	t.Helper()
	l, err := store.Open(dir)
	must(t, err)
	files := l.Snapshot().Files
	l.Close()
	for _, f := range files {
		path, found := filepath.Join(dir, filepath.FromSlash(f.Path)), false
		out := path + ".new"
		size, sum, stats, err := store.RewriteRows(path, out, func(r *store.Row) {
			if string(r.Bytes(r.Strings[store.ActivityID])) == id {
				found = true
				change(r)
			}
		})
		must(t, err)
		if !found {
			must(t, os.Remove(out))
			continue
		}
		must(t, os.Rename(out, path))
		forge(t, dir, func(_ int64, actions []delta.Action, _ map[string]any) []delta.Action {
			for _, a := range actions {
				if a.Add != nil && strings.HasSuffix(f.Path, "/"+filepath.Base(a.Add.Path)) {
					a.Add.Size, a.Add.Stats, a.Add.Tags["mdcalake.sha256"] = size, stats, sum
				}
			}
			return actions
		})
		return
	}
	t.Fatalf("no row has the id %q", id)
}

// become makes a row another record's, and keeps how it came.
func become(t *testing.T, data []byte) func(*store.Row) {
	return func(r *store.Row) {
		ingested, run := r.Ingested, r.RunID
		must(t, storetest.Lift(data, r))
		r.Ingested, r.RunID = ingested, run
	}
}

// forgeSide puts the file that write makes in the place of the only one of a
// side table, or beside it.
func forgeSide(t *testing.T, dir, table string, beside bool, rows int, write func(old, out string) error) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, table, "*"))
	must(t, err)
	if len(names) != 1 {
		t.Fatalf("%s holds %v", table, names)
	}
	out := filepath.Join(dir, table, "part-forged.parquet")
	must(t, write(names[0], out))
	data, err := os.ReadFile(out)
	must(t, err)
	if !beside {
		must(t, os.Rename(out, names[0]))
	}
	forge(t, dir, func(_ int64, actions []delta.Action, ours map[string]any) []delta.Action {
		side, ok := ours[table].(map[string]any)
		if !ok {
			return actions
		}
		add := side["add"].([]any)
		f := add[0].(map[string]any)
		if beside {
			g := map[string]any{"path": table + "/part-forged.parquet", "rows": f["rows"], "stats": f["stats"]}
			side["add"], f = append(add, g), g
		}
		f["sha256"], f["size"], f["rows"] = fmt.Sprintf("%x", sha256.Sum256(data)), len(data), rows
		return actions
	})
}

func problemsOf(t *testing.T, dir string, o store.VerifyOptions) []string {
	t.Helper()
	problems, _ := verified(t, dir, o)
	return problems
}

// verified verifies, and sees that nothing is changed by it.
func verified(t *testing.T, dir string, o store.VerifyOptions) ([]string, *store.Verified) {
	t.Helper()
	before := treeHash(t, dir)
	problems := []string{}
	v, err := store.Verify(context.Background(), dir, o, func(p store.Problem) { problems = append(problems, p.String()) })
	must(t, err)
	if treeHash(t, dir) != before {
		t.Error("verify has changed the lake")
	}
	if v.Problems != len(problems) {
		t.Errorf("%d problems counted, %d told", v.Problems, len(problems))
	}
	return problems, v
}

// matches compares lines with what each of them must contain.
func matches(t *testing.T, have, want []string) {
	t.Helper()
	ok := len(have) == len(want)
	for i := range want {
		ok = ok && strings.Contains(have[i], want[i])
	}
	if !ok {
		t.Errorf("problems:\n  %s\nwant:\n  %s", strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
}
