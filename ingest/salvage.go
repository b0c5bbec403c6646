package ingest

import (
	"bytes"
	"slices"

	"mdcalake/store"
)

// Behind damage in JSON text nobody can say for certain where the next record
// begins: a quote too few turns all that follows inside out. What is taken for
// one must begin as the records before did, be sound JSON to its end, and have
// a usable _id and timestamp. So nothing is made up; and what lies between is
// put into quarantine, if it is not too long.

// lost is a search for the next sound record.
type lost struct {
	at    Fault
	quiet bool // the damage has been told already
	from  int  // where the damage begins in the buffer; -1: that is gone
	look  int  // where to look on
}

// moved: the first n bytes of the buffer are gone.
func (l *lost) moved(n int) {
	if l == nil {
		return
	}
	l.look -= n
	if l.from >= 0 {
		l.from -= n
	}
}

// salvage knows a sound record when it sees one.
type salvage struct {
	decoder *Decoder
	row     store.Row
	// begins are how records begin, from the brace to the end of the first name,
	// so with the layout's indentation, if there is any.
	begins [][]byte
	// effort is how many bytes may be looked at in vain; hostile text could keep
	// us busy for ever.
	effort int64
	// most is how long damage may be to be kept.
	most int
}

const (
	maxBegins   = 8
	longestName = 256
)

func newSalvage(limits importLimits) salvage {
	return salvage{effort: 4 * int64(limits.line), most: 16 * limits.block}
}

// learn notes how a record begins.
func (s *salvage) learn(record []byte) {
	if len(s.begins) == maxBegins || record[0] != '{' {
		return
	}
	name := spaceEnd(record, 1)
	if name == len(record) || record[name] != '"' {
		return
	}
	end := textEnd(record, name)
	if end < 0 || end > longestName {
		return
	}
	begin := record[:end]
	if !slices.ContainsFunc(s.begins, func(b []byte) bool { return bytes.Equal(b, begin) }) {
		s.begins = append(s.begins, bytes.Clone(begin))
	}
}

// begin is the first place at or behind i where a record may begin, or -1. The
// value of a member is none.
func (s *salvage) begin(b []byte, i int) int {
	for {
		at := s.resembles(b, i)
		if at < 0 {
			return -1
		}
		if before := bytes.TrimRight(b[:at], blanks); len(before) == 0 || before[len(before)-1] != ':' {
			return at
		}
		i = at + 1
	}
}

func (s *salvage) resembles(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	if len(s.begins) == 0 {
		if at := bytes.IndexByte(b[i:], '{'); at >= 0 {
			return i + at
		}
		return -1
	}
	first := -1
	for _, begin := range s.begins {
		if at := bytes.Index(b[i:], begin); at >= 0 && (first < 0 || i+at < first) {
			first = i + at
		}
	}
	return first
}

// sound says whether a record can be lifted.
func (s *salvage) sound(record []byte) bool {
	if s.decoder == nil {
		s.decoder = NewDecoder()
	}
	return s.decoder.Decode(record, &s.row) == nil
}

// lose begins the search, because what stands here is damaged.
func (v *valueCutter) lose(what string) bool {
	v.lost = &lost{at: v.place(v.buf, v.i, Fault{What: what}), from: v.i, look: v.i + 1}
	return true
}

// search goes on with the search, as step does.
func (v *valueCutter) search() bool {
	l := v.lost
	if l.quiet && l.look == l.from { // behind damage, a whole value may begin
		i := spaceEnd(v.buf, l.from)
		switch {
		case i == len(v.buf) && v.state == feedMore:
			v.i = i
			l.from, l.look = i, i
			return false
		case i < len(v.buf) && (v.buf[i] == '{' || v.buf[i] == '['):
			v.lost, v.i, v.lenient = nil, i, true
			return true
		}
	}
	for {
		at := v.salvage.begin(v.buf, l.look)
		if line := v.topLine(l.look); line >= 0 && (at < 0 || line <= at) {
			v.found(line)
			v.lenient = true
			return true
		}
		if at < 0 {
			break
		}
		end, verdict := v.check.judge(v.buf, at)
		if verdict == unfinished && v.state == feedMore && len(v.buf)-at <= v.limits.line {
			l.look = at
			return v.searchOn()
		}
		if verdict == whole && v.salvage.sound(v.buf[at:end]) {
			v.found(at)
			v.take(end)
			v.lenient = v.lenient || v.in == atTop
			return true
		}
		l.look = at + 1
		if v.salvage.effort -= int64(end - at); v.salvage.effort < 0 {
			return v.giveUp()
		}
	}
	if v.state == feedMore {
		l.look = max(l.look, len(v.buf)-longestName)
		return v.searchOn()
	}
	v.found(len(v.buf))
	v.in = atTop
	return true
}

// searchOn wants more text, and says so. Damage that is too long is not held any
// further.
func (v *valueCutter) searchOn() bool {
	l := v.lost
	if l.from >= 0 && len(v.buf)-l.from > v.salvage.most {
		l.from = -1
	}
	v.i = l.look
	if l.from >= 0 {
		v.i = l.from
	}
	return false
}

// found ends the search at buf[i].
func (v *valueCutter) found(i int) {
	l := v.lost
	v.lost, v.i = nil, i
	l.at.Passed = v.offset + int64(i) - l.at.Byte
	if l.from >= 0 {
		if s := damaged(v.buf, l.from, i); s.start < s.end {
			v.spans = append(v.spans, s)
			l.at.Passed, l.at.Kept = int64(s.end-s.start), true
		}
	}
	if !l.quiet || l.from < 0 {
		v.faults(l.at)
	}
}

// damaged is what is worth keeping of buf[start:end].
func damaged(buf []byte, start, end int) span {
	start = spaceEnd(buf, start)
	if start >= end || len(bytes.Trim(buf[start:end], blanks+"[]{},\x00")) == 0 {
		return span{start, start}
	}
	return span{start, start + len(bytes.TrimRight(buf[start:end], blanks+","))}
}

// giveUp reads no further.
func (v *valueCutter) giveUp() bool {
	l := v.lost
	l.at.Passed, l.at.Stopped = v.offset+int64(l.look)-l.at.Byte, true
	v.faults(l.at)
	v.lost, v.in, v.i = nil, atTop, len(v.buf)
	v.state, v.broken = feedEnd, nil
	return false
}

// topLine is the first line at or behind i that begins with a value, which at the
// top of a text is a new beginning; elsewhere, or if there is none, -1.
func (v *valueCutter) topLine(i int) int {
	if v.in != atTop {
		return -1
	}
	for i := max(i, 1); i < len(v.buf); i++ {
		at := bytes.IndexByte(v.buf[i-1:len(v.buf)-1], '\n')
		if at < 0 {
			return -1
		}
		if i += at; v.buf[i] == '{' || v.buf[i] == '[' {
			return i
		}
	}
	return -1
}
