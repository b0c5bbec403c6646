package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// killedVerb is a verb that writes, as the campaign of kill_test.go runs it.
type killedVerb struct {
	name string
	asks bool // the service for pages
	// after says that there must be a lake already.
	after bool
	// args draws a command line, and says how many commits it may make. The same
	// line is used again where the run is let to its end.
	args func(c *campaign) (args []string, commits int)
	// holds says what must hold between the lake before and after, wherever the
	// verb was stopped. What holds for every verb, it need not say: the lake
	// verifies, holds nothing that is not true and nothing twice, and every
	// commit that was seen is still there.
	holds func(before, after *holding) error
}

// killedVerbs are the verbs of the campaign: a line for each verb that writes.
var killedVerbs = []killedVerb{
	{name: "ingest", asks: true, args: ingestLine, holds: grows},
	{name: "import", args: importLine, holds: grows},
	{name: "compact", after: true, args: compactLine, holds: stays},
	{name: "purge", after: true, args: purgeLine, holds: loses},
}

// stays: the same payloads in the same tables.
func stays(before, after *holding) error {
	return errors.Join(after.equals(before), grows(before, after))
}

// loses: what is old goes, all of it or nothing, and nothing else.
func loses(before, after *holding) error {
	if after.closed == before.closed {
		return stays(before, after)
	}
	young := func(payloads map[payload]bool) map[payload]bool {
		kept := maps.Clone(payloads)
		maps.DeleteFunc(kept, func(p payload, _ bool) bool { return before.happened[p] < after.closed })
		return kept
	}
	return after.equals(&holding{activities: young(before.activities), revisions: young(before.revisions), quarantine: young(before.quarantine)})
}

// grows: nothing goes, and what comes is what the runs say that they brought.
func grows(before, after *holding) error {
	for _, part := range []struct {
		name     string
		old, new map[payload]bool
	}{
		{"activities and revisions", before.records(), after.records()},
		{"quarantine", before.quarantine, after.quarantine},
	} {
		if lost := minus(part.old, part.new); len(lost) > 0 {
			return fmt.Errorf("%d payloads of %s are lost", len(lost), part.name)
		}
	}
	if came, said := len(after.records())-len(before.records()), after.recorded-before.recorded; int64(came) != said {
		return fmt.Errorf("%d payloads came, and the runs say %d", came, said)
	}
	if came, said := len(after.quarantine)-len(before.quarantine), after.rejected-before.rejected; int64(came) != said {
		return fmt.Errorf("%d bad records came, and the runs say %d", came, said)
	}
	return nil
}

// ingestLine asks for the last days, or for all; mostly for all services, and
// mostly also for what has been read.
func ingestLine(c *campaign) ([]string, int) {
	today := c.today()
	since := today.AddDate(0, 0, -c.rng.IntN(6))
	if c.rng.IntN(5) == 0 || since.Before(campaignStart) {
		since = campaignStart
	}
	until := today.AddDate(0, 0, 1)
	args := []string{"ingest", "--url", c.url, "--rate", "0", "--since", since.Format(time.DateOnly), "--until", until.Format(time.DateOnly),
		"--page-size", strconv.Itoa([]int{7, 40, 200, 5000}[c.rng.IntN(4)])}
	if c.rng.IntN(3) > 0 {
		args = append(args, "--again")
	}
	if c.rng.IntN(4) == 0 {
		args = append(args, "--service", strconv.FormatInt(campaignServices[c.rng.IntN(len(campaignServices))], 10))
	}
	return args, int(until.Sub(since) / (24 * time.Hour))
}

// compactLine merges all that there is.
func compactLine(*campaign) ([]string, int) { return []string{"compact"}, 1 }

// purgeLine erases the oldest days, and now and then nothing.
func purgeLine(c *campaign) ([]string, int) {
	days := int(c.today().Sub(campaignStart) / (24 * time.Hour))
	until := campaignStart.AddDate(0, 0, c.rng.IntN(days/2+1))
	return []string{"purge", "--older-than", until.Format(time.DateOnly), "--yes", "--wait", "0s"}, 1
}

// importLine takes some days' records from files, all in one commit, in disorder.
func importLine(c *campaign) ([]string, int) {
	days := int(c.today().Sub(campaignStart)/(24*time.Hour)) + 1
	since := campaignStart.AddDate(0, 0, max(0, days-1-c.rng.IntN(8)))
	until := since.AddDate(0, 0, 1+c.rng.IntN(4))
	var text bytes.Buffer
	if err := c.sim.WriteNDJSON(&text, since, until); err != nil {
		c.t.Fatal(err)
	}
	lines := strings.SplitAfter(text.String(), "\n")
	lines = lines[:len(lines)-1]
	c.rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	args, files := []string{"import"}, 1+c.rng.IntN(4)
	for i := range files {
		name := filepath.Join(c.dir, fmt.Sprintf("records-%d.jsonl", i))
		part := lines[i*len(lines)/files : (i+1)*len(lines)/files]
		if err := os.WriteFile(name, []byte(strings.Join(part, "")), 0o600); err != nil {
			c.t.Fatal(err)
		}
		args = append(args, name)
	}
	return args, 1
}

// minus is what a has and b has not.
func minus(a, b map[payload]bool) (rest []payload) {
	for p := range a {
		if !b[p] {
			rest = append(rest, p)
		}
	}
	return rest
}

// within: nothing is in the lake that is not true, and nothing in the wrong table.
func (h *holding) within(truth *holding) error {
	var faults []error
	if extra := minus(h.records(), truth.records()); len(extra) > 0 {
		faults = append(faults, fmt.Errorf("%d payloads are in the lake that the service never had", len(extra)))
	}
	if extra := minus(h.quarantine, truth.quarantine); len(extra) > 0 {
		faults = append(faults, fmt.Errorf("%d payloads are in quarantine that the service never had, or that are no bad ones", len(extra)))
	}
	return errors.Join(faults...)
}

// equals: the lake is the truth, table by table.
func (h *holding) equals(truth *holding) error {
	var faults []error
	for _, part := range []struct {
		name       string
		have, want map[payload]bool
	}{{"activities", h.activities, truth.activities}, {"revisions", h.revisions, truth.revisions}, {"quarantine", h.quarantine, truth.quarantine}} {
		if lost, extra := minus(part.want, part.have), minus(part.have, part.want); len(lost)+len(extra) > 0 {
			faults = append(faults, fmt.Errorf("%s: %d lost, %d too many", part.name, len(lost), len(extra)))
		}
	}
	return errors.Join(faults...)
}
