package main

import (
	"time"

	"mdcalake/ingest"
)

// importJSON is what the summary of an import has beside that of an ingest.
type importJSON struct {
	Inputs   int            `json:"inputs,omitempty"`
	NotWhole []notWholeJSON `json:"inputs_not_whole,omitempty"`
	Covers   *coversJSON    `json:"covers,omitempty"`
}

// notWholeJSON is an input that did not come in whole. Size 0: not known.
type notWholeJSON struct {
	Input   int         `json:"input"` // from 1, as in the ledger
	Name    string      `json:"name"`
	Records int64       `json:"records"`
	Read    int64       `json:"bytes_read"`
	Size    int64       `json:"bytes,omitempty"`
	Error   string      `json:"error,omitempty"`
	Hint    string      `json:"hint,omitempty"`
	Faults  []faultJSON `json:"faults,omitempty"`
	Further int         `json:"further_faults,omitempty"`
}

// faultJSON is a place in the text of an input, as it is unpacked.
type faultJSON struct {
	What        string `json:"what"`
	Line        int64  `json:"line"`             // from 1
	Byte        int64  `json:"byte"`             // from 0
	Record      int64  `json:"record,omitempty"` // from 1; none of lines
	Passed      int64  `json:"bytes_passed"`
	Quarantined bool   `json:"quarantined"`
	Stopped     bool   `json:"stopped"`
}

// coversJSON is what became of --covers.
type coversJSON struct {
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Services []int64   `json:"services,omitempty"` // none: all
	Complete bool      `json:"complete"`
	Through  time.Time `json:"through_created,omitzero"`
	Records  int64     `json:"records"`
	Reason   string    `json:"reason,omitempty"`
}

func importSummary(s *ingest.Summary) (out importJSON) {
	if s.Run.Verb != "import" {
		return out
	}
	out.Inputs = s.Windows
	for _, n := range s.NotWhole {
		j := notWholeJSON{Input: n.Input, Name: n.Name, Records: n.Records, Read: n.Read, Size: n.Size, Further: n.Further}
		if n.Err != nil {
			j.Error, j.Hint = n.Err.Error(), hintOf(n.Err)
		}
		for _, f := range n.Faults {
			j.Faults = append(j.Faults, faultJSON{What: f.What, Line: f.Line, Byte: f.Byte, Record: f.Record, Passed: f.Passed, Quarantined: f.Kept, Stopped: f.Stopped})
		}
		out.NotWhole = append(out.NotWhole, j)
	}
	if d := s.Declared; d != nil {
		out.Covers = &coversJSON{Since: d.Since, Until: d.Until, Services: d.Services, Complete: d.Complete, Through: d.Through, Records: d.Records, Reason: d.Reason}
	}
	return out
}
