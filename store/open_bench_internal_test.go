package store

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mdcalake/store/delta"
)

// longLog writes a log of so many commits without their data: rounds of a tail,
// one file and one rectangle each, whose files are merged to one per cell.
// 50,000 rounds leave 7,300 files and 42,700 that were removed.
func longLog(tb testing.TB, dir string, commits int) {
	tb.Helper()
	l, err := newLayout(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range []string{l.logDir(), filepath.Join(l.root, privateDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	head := ""
	for i := range commits {
		entry := longLogEntry(tb, i, head)
		head = sha256Hex(entry)
		if err := os.WriteFile(filepath.Join(l.logDir(), delta.EntryName(int64(i))), entry, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

// longLogEntry is entry i: round i of the tail, which merges what the rounds
// before left in its cell.
func longLogEntry(tb testing.TB, i int, head string) []byte {
	tb.Helper()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 10 * time.Minute)
	cell := func(i int) Partition {
		return Partition{Day: floorDay(at.UnixMilli()) - int32(i%365), Service: int64(20000 + i%7300/365)}
	}
	run := func(i int) string { return fmt.Sprintf("20260101T%06dZ-%010x", i%1000000, i*7919) }
	stats := Stats{Timestamp: Range{Min: at.UnixMilli(), Max: at.UnixMilli() + 599_000}, Created: Range{Min: at.UnixMilli(), Max: at.UnixMilli() + 900_000, Nulls: 2}, Ingested: Range{Min: at.UnixMilli(), Max: at.UnixMilli()}, AppID: Range{Min: 20000, Max: 20000}}
	text, err := stats.encode(1234)
	if err != nil {
		tb.Fatal(err)
	}
	p := Partition{Day: 20454 - int32(i%365), Service: cell(i).Service}
	var actions []delta.Action
	if i == 0 {
		meta, err := tableMetaData("00000000-0000-4000-8000-000000000000", at)
		if err != nil {
			tb.Fatal(err)
		}
		actions = append(actions, delta.Action{Protocol: &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 2}}, delta.Action{MetaData: meta})
	}
	if i >= 7300 {
		actions = append(actions, delta.Action{Remove: &delta.Remove{
			Path: deltaPath(dataName(p, run(i-7300), 1)), DeletionTimestamp: at.UnixMilli(), DataChange: true, ExtendedMetadata: true,
			PartitionValues: partitionValues(p), Size: 123_456,
		}})
	}
	actions = append(actions, delta.Action{Add: &delta.Add{
		Path: deltaPath(dataName(p, run(i), 1)), PartitionValues: partitionValues(p), Size: 123_456, ModificationTime: at.UnixMilli(),
		DataChange: true, Stats: text, Tags: map[string]string{tagSHA256: sha256Hex([]byte(run(i)))},
	}})
	offset := int64(-120)
	f := &facts{
		Format: formatVersion, Previous: head, Ingested: at.UnixMilli(), RunID: run(i),
		Run: &Run{
			RunID: run(i), Started: at, Ended: at.Add(3 * time.Second), Outcome: OutcomeComplete, Verb: "ingest", Host: "contoso.portal.cloudappsecurity.com",
			CredentialKind: "client-secret", ClientID: "11111111-2222-3333-4444-555555555555", ToolVersion: "1.0.0", Operator: "analyst",
			ClockOffsetMS: &offset, Requests: 3, Records: 1234, Added: 1200, Duplicates: 34, Bytes: 4_000_000,
		},
		Pages: []PageFact{{Page: 1, SHA256: sha256Hex([]byte(head)), Bytes: 4_000_000, Records: 1234, Fetched: at}},
		Coverage: []Rectangle{{
			Since: at.Add(-time.Hour), Until: at, State: StateComplete, ThroughCreated: at.Add(-2 * time.Minute), Route: "activities", RunID: run(i), Records: 1234, Requests: 3,
		}},
	}
	if i%10 == 0 {
		f.Run.Outcome = "partial"
		f.Cursors = []Cursor{{Key: fmt.Sprintf("window %d", i), RunID: run(i), Filters: []byte(`{"date":{"lte":1767225600000},"cursor":"0123456789abcdef"}`), FirstAsked: at, At: at, Pages: 3, Records: 15000, Requests: 3}}
	}
	if i%20 == 0 {
		f.Seen = map[string]int64{sha256Hex([]byte(run(i % 4000))): 1}
	}
	info, err := encodeJSON(commitInfo{Timestamp: at.UnixMilli(), Operation: "WRITE", OperationParameters: map[string]string{"mode": "Append"}, EngineInfo: "mdcalake/1.0.0", Mdcalake: f})
	if err != nil {
		tb.Fatal(err)
	}
	entry, err := delta.Encode(append([]delta.Action{{CommitInfo: info}}, actions...))
	if err != nil {
		tb.Fatal(err)
	}
	return entry
}

// openCommits are the lengths of the logs of BenchmarkOpenCommits.
var openCommits = flag.String("open.commits", "100,5000,50000", "lengths of the logs of BenchmarkOpenCommits")

// BenchmarkOpenCommits opens lakes with long logs, as a reader with and without the
// cached fold, and as a writer.
func BenchmarkOpenCommits(b *testing.B) {
	for text := range strings.SplitSeq(*openCommits, ",") {
		commits, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("commits="+text, func(b *testing.B) { benchmarkOpen(b, commits) })
	}
}

func benchmarkOpen(b *testing.B, commits int) {
	dir := filepath.Join(b.TempDir(), "lake")
	longLog(b, dir, commits)
	open := func(b *testing.B) {
		for b.Loop() {
			l, err := Open(dir)
			if err != nil {
				b.Fatal(err)
			}
			if n := len(l.Snapshot().Runs); n != commits {
				b.Fatalf("%d runs", n)
			}
			l.Close()
		}
	}
	b.Run("without a cached fold", open)
	l, err := newLayout(dir)
	if err != nil {
		b.Fatal(err)
	}
	state, err := readLog(l, nil)
	if err != nil {
		b.Fatal(err)
	}
	clear(state.removed) // as after a writer's sweep
	b.Run("writing the cached fold", func(b *testing.B) {
		for b.Loop() {
			data := sealFold(state, 0)
			b.SetBytes(int64(len(data)))
			if err := putFold(osFS{}, l.private(foldName), data, 0o600); err != nil {
				b.Fatal(err)
			}
		}
	})
	state = nil
	b.Run("with a cached fold", open)
	b.Run("for writing", func(b *testing.B) {
		for b.Loop() {
			w, err := OpenWriter(dir, WriterOptions{})
			if err != nil {
				b.Fatal(err)
			}
			w.Close()
		}
	})
}
