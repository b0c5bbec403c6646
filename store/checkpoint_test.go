package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

// tableAt is the table as the entries up to a version say.
func tableAt(t *testing.T, log delta.Storage, version int64) *delta.Snapshot {
	t.Helper()
	s := delta.NewSnapshot()
	for v := range version + 1 {
		_, actions, err := delta.ReadEntry(log, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(v, actions); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func mustCheckpoint(t *testing.T, log delta.Storage, version int64) {
	t.Helper()
	if err := delta.WriteCheckpoint(log, tableAt(t, log, version), time.UnixMilli(base)); err != nil {
		t.Fatal(err)
	}
}

// checkCheckpoints expects every checkpoint of a lake to be whole and to say
// what the entries say, and the last one to be there.
func checkCheckpoints(t *testing.T, dir string) (last int64) {
	t.Helper()
	log, err := store.Storage(dir)
	if err != nil {
		t.Fatal(err)
	}
	names, err := log.List()
	if err != nil {
		t.Fatal(err)
	}
	there := map[int64]bool{}
	for _, name := range names {
		version, _, ok := delta.ParseCheckpointName(name)
		if !ok {
			continue
		}
		there[version] = true
		c, err := delta.ReadCheckpoint(log, version)
		if err != nil {
			t.Fatal(err)
		}
		if diff := c.Diff(tableAt(t, log, version)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	data, err := log.Read(delta.LastCheckpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := delta.DecodeLastCheckpoint(data)
	if err != nil {
		t.Fatal(err)
	}
	if !there[l.Version] {
		t.Errorf("the last checkpoint is said to be %d, and it is not there", l.Version)
	}
	return l.Version
}

// hidden are the names in the log directory that begin with a dot.
func hidden(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "activities", delta.Dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestWhereverTheWritingOfACheckpointStopsTheLastOneIsThere(t *testing.T) {
	template := filepath.Join(t.TempDir(), "lake")
	script := []run{{{records: few(0, 2)}, {records: []storetest.Record{revised(few(0, 1)[0], 5)}}, {records: few(2, 2)}}}
	if err := perform(template, store.WriterOptions{}, "before", script, func() {}); err != nil {
		t.Fatal(err)
	}
	log, err := store.Storage(template)
	if err != nil {
		t.Fatal(err)
	}
	mustCheckpoint(t, log, 1)
	// How the writing ends: the process dies, or the power fails.
	ends := map[string]func(d *storetest.Disk){
		"death":               func(*storetest.Disk) {},
		"all unsynced lost":   func(d *storetest.Disk) { d.LosePower(storetest.Nothing) },
		"all names kept":      func(d *storetest.Disk) { d.LosePower(storetest.Everything) },
		"some kept":           func(d *storetest.Disk) { d.LosePower(storetest.Some(1)) },
		"some others kept":    func(d *storetest.Disk) { d.LosePower(storetest.Some(2)) },
		"yet some other kept": func(d *storetest.Disk) { d.LosePower(storetest.Some(3)) },
	}
	for _, version := range []int64{1, 2} { // one that is there is replaced, and a new one is written
		for end, fail := range ends {
			t.Run(fmt.Sprintf("checkpoint %d, %s", version, end), func(t *testing.T) {
				t.Parallel()
				for n, whole := 1, false; !whole; n++ {
					whole = stopCheckpoint(t, template, version, n, fail)
				}
			})
		}
	}
}

// stopCheckpoint writes a checkpoint into a copy of a lake, stops at operation
// n, and answers whether it came to its end.
func stopCheckpoint(t *testing.T, template string, version int64, n int, fail func(d *storetest.Disk)) (whole bool) {
	root := t.TempDir()
	dir := filepath.Join(root, "lake")
	if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
		t.Fatal(err)
	}
	d := storetest.NewDisk(t, root)
	log, err := store.StorageOn(dir, d)
	if err != nil {
		t.Fatal(err)
	}
	s := tableAt(t, log, version)
	d.StopAt(n)
	err = delta.WriteCheckpoint(log, s, time.UnixMilli(base))
	whole = !d.Broke()
	if (err == nil) != whole {
		t.Errorf("operation %d: %v", n, err)
	}
	d.Mend()
	fail(d)
	if last := checkCheckpoints(t, dir); whole && last != version {
		t.Errorf("the last checkpoint is %d, though %d was written", last, version)
	}
	tidyUp(t, dir, d)
	if left := hidden(t, dir); left != nil {
		t.Errorf("operation %d: left over: %v", n, left)
	}
	checkCheckpoints(t, dir)
	return whole
}

// A checkpoint is whole under its name before the last one is said to be it.
func TestTheOrderOfFileOperationsOfACheckpoint(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "lake")
	if err := perform(dir, store.WriterOptions{}, "before", []run{{{records: few(0, 1)}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	d := storetest.NewDisk(t, root)
	log, err := store.StorageOn(dir, d)
	if err != nil {
		t.Fatal(err)
	}
	mustCheckpoint(t, log, 0)
	compareGolden(t, "checkpoint.txt", transcript(d.Ops()))
	storetest.MustVerify(t, dir)
}

func TestOnlyOurOwnLeftoversAreTidiedUpInTheLog(t *testing.T) {
	dir := storetest.Dir(t)
	if err := perform(dir, store.WriterOptions{}, "before", []run{{{records: few(0, 1)}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	ours := []string{
		".00000000000000000001.json.77.tmp", ".00000000000000000000.checkpoint.parquet.77.tmp", "._last_checkpoint.77.tmp",
	}
	others := []string{
		".00000000000000000001.checkpoint.parquet.80a083e8-7026-4e79-81be-64bd76c43a11.tmp", ".00000000000000000001.json.crc",
		"._last_checkpoint.crc", "._last_checkpoint.tmp", ".x.77.tmp", "_commit_80a083e8-7026-4e79-81be-64bd76c43a11.json.tmp",
	}
	for _, name := range append(ours, others...) {
		if err := os.WriteFile(filepath.Join(dir, "activities", delta.Dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tidyUp(t, dir, nil)
	for _, name := range ours {
		if _, err := os.Stat(filepath.Join(dir, "activities", delta.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left over", name)
		}
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, "activities", delta.Dir, name)); err != nil {
			t.Errorf("%s is not ours: %v", name, err)
		}
	}
}
