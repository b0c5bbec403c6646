package ingest

import (
	"bytes"
	"fmt"
	"io"
)

// valueCutter cuts the records out of JSON values of any layout: the elements
// of arrays, those of data in answers of the API, and what stands alone. Their
// bytes stay as they are, white space and all, and so does their order.
//
// Where the text is wrong, see salvage.go, the sound records behind that place
// are looked for; where it breaks off, what is there of the last record is one
// more, and goes to quarantine.
type valueCutter struct {
	feed
	check *checker

	buf   []byte
	i     int // up to here, buf has been cut
	spans []span
	in    place
	need  need
	// lenient: the place is a guess, after damage; so is how it ends.
	lenient bool
	lost    *lost
	salvage salvage
}

// place is where in the structure of the text the cutter stands.
type place int

const (
	atTop    place = iota // between values
	inArray               // of records
	inAnswer              // between members
	inData                // of an answer
)

// need is what comes next there.
type need int

const (
	needFirst     need = iota // a value, a member, or the end
	needValue                 // a value or a member
	needSeparator             // a comma, or the end
)

func newValueCutter(f feed) *valueCutter {
	v := &valueCutter{feed: f, check: newChecker(), salvage: newSalvage(f.limits)}
	v.feed.record = func() int64 { return v.number + int64(len(v.spans)) }
	return v
}

func (v *valueCutter) next(used block) (block, error) {
	v.buf, v.i, v.spans = v.begin(used.data), 0, used.spans[:0]
	if v.spans == nil {
		v.spans = make([]span, 0, 64) // nil would mean lines
	}
	for {
		for v.state == feedMore && len(v.buf) < cap(v.buf)-scanPadding {
			v.buf = v.read(v.buf, cap(v.buf))
		}
		for v.step() {
		}
		if len(v.spans) > 0 {
			return v.records(), nil
		}
		switch {
		case v.state == feedMore && v.i > 0:
			v.drop()
		case v.state == feedMore:
			v.buf = v.read(v.buf, v.limits.line+v.limits.block)
		case v.state == feedEnd && v.i == len(v.buf):
			return block{}, io.EOF
		}
	}
}

// records makes what was cut a block.
func (v *valueCutter) records() block {
	b := block{spans: v.spans, first: v.number}
	b.data = v.cut(v.buf, v.i)
	v.lost.moved(v.i)
	v.number += int64(len(b.spans))
	v.spans, v.buf = nil, nil
	return b
}

// drop makes room: what is cut, and no record, is gone.
func (v *valueCutter) drop() {
	v.pass(v.buf, v.i)
	v.lost.moved(v.i)
	v.buf = append(v.buf[:0], v.buf[v.i:]...)
	v.i = 0
}

// step goes on by one record, bracket, comma or member. It says no where more
// text is needed first, and at the end of what there is.
func (v *valueCutter) step() bool {
	if v.lost != nil {
		return v.search()
	}
	v.i = spaceEnd(v.buf, v.i)
	if v.i == len(v.buf) {
		return v.state != feedMore && v.stretchEnds(v.i)
	}
	switch v.in {
	case atTop:
		return v.top()
	case inAnswer:
		return v.member()
	}
	return v.element()
}

// top goes on between values.
func (v *valueCutter) top() bool {
	switch c := v.buf[v.i]; c {
	case '{':
		return v.object()
	case '[':
		v.i++
		v.in, v.need, v.lenient = inArray, needFirst, false
	case ',':
		return v.strayComma()
	case ']', '}':
		if !v.lenient {
			return v.lose("a bracket closes that was not opened")
		}
		v.i++
	case byteOrderMark[0]: // of a file that was put behind another one
		if rest := v.buf[v.i:]; bytes.HasPrefix(byteOrderMark, rest) && len(rest) < len(byteOrderMark) && v.state == feedMore {
			return v.more()
		} else if bytes.HasPrefix(rest, byteOrderMark) {
			v.i += len(byteOrderMark)
			return true
		}
		return v.scalar()
	default:
		return v.scalar()
	}
	return true
}

// strayComma goes into the array that a comma at the top speaks of, or into the
// end of an answer; the beginning is missing.
func (v *valueCutter) strayComma() bool {
	next := spaceEnd(v.buf, v.i+1)
	switch {
	case next == len(v.buf) && v.state == feedMore:
		return v.more()
	case !v.lenient:
		v.fault(v.buf, v.i, Fault{What: "a comma stands between values that are in no array"})
	case next < len(v.buf) && v.buf[next] == '"':
		v.i = next
		v.in, v.need = inAnswer, needValue
		return true
	}
	v.i++
	v.in, v.need, v.lenient = inArray, needValue, true
	return true
}

// scalar cuts a value at the top that is no object and no array, and so no
// record either; quarantine will have it.
func (v *valueCutter) scalar() bool {
	end, verdict := v.check.judge(v.buf, v.i)
	switch {
	case verdict == wrong:
		return v.lose("no JSON value")
	case v.state == feedMore && end == len(v.buf):
		return v.more()
	case verdict == unfinished:
		return v.fragment()
	}
	v.take(end)
	return true
}

// object goes into an answer, or cuts a record.
func (v *valueCutter) object() bool {
	kind, at := objectKind(v.buf, v.i)
	switch kind {
	case isAnswerObject:
		v.i = at
		v.in, v.need, v.lenient = inData, needFirst, false
		return true
	case isUnfinished:
		if v.state == feedMore {
			return v.more()
		}
		return v.fragment()
	}
	return v.record()
}

// element goes on in an array.
func (v *valueCutter) element() bool {
	c := v.buf[v.i]
	if c == ']' && v.need == needValue || c == ',' && v.need != needSeparator {
		v.fault(v.buf, v.i, Fault{What: "a record is missing at a comma"})
	}
	switch {
	case c == ']':
		v.i++
		v.leave()
		return true
	case c == ',':
		v.i++
		v.need = needValue
		return true
	case v.need != needSeparator:
		return v.record()
	case c == '{':
		v.fault(v.buf, v.i, Fault{What: "a comma is missing between records"})
		v.need = needValue
		return true
	}
	return v.lose("neither a comma nor the end of the array")
}

// leave goes out of an array.
func (v *valueCutter) leave() {
	if v.in == inData {
		v.in, v.need = inAnswer, needSeparator
		return
	}
	v.in = atTop
}

// member passes a member of an answer, or goes into its data.
func (v *valueCutter) member() bool {
	c := v.buf[v.i]
	switch {
	case v.need == needSeparator && c == '}':
		v.i++
		v.in = atTop
		return true
	case v.need == needSeparator && c == ',':
		v.i++
		v.need = needValue
		return true
	case v.need == needSeparator:
		return v.loseAnswer()
	}
	name, value, verdict := memberAt(v.buf, v.i)
	if verdict == whole && name == "data" && v.buf[value] == '[' {
		v.i = value + 1
		v.in, v.need = inData, needFirst
		return true
	}
	if verdict == whole {
		value, verdict = valueEnd(v.buf, value)
	}
	switch {
	case verdict == wrong:
		return v.loseAnswer()
	case verdict == unfinished && v.state == feedMore:
		return v.more()
	case verdict == unfinished:
		return v.stretchEnds(len(v.buf))
	}
	v.i, v.need = value, needSeparator
	return true
}

func (v *valueCutter) loseAnswer() bool {
	v.in = atTop
	return v.lose("no JSON between the records of an answer and its end")
}

// record cuts the record that begins here.
func (v *valueCutter) record() bool {
	end, verdict := valueEnd(v.buf, v.i)
	switch {
	case verdict == whole:
		v.take(end)
		return true
	case verdict == wrong:
		return v.lose("a damaged record")
	case v.state == feedMore:
		return v.more()
	}
	return v.fragment()
}

// take makes a record of what ends there.
func (v *valueCutter) take(end int) {
	if len(v.spans) == 0 {
		v.salvage.learn(v.buf[v.i:end])
	}
	v.spans = append(v.spans, span{v.i, end})
	v.i, v.need = end, needSeparator
}

// more says no, for the text at hand is unfinished; unless enough of it is there
// to see that it is damaged: by brackets alone that may take until the end.
func (v *valueCutter) more() bool {
	if v.i > 0 || len(v.spans) > 0 || len(v.buf) < v.limits.block {
		return false
	}
	if len(v.buf) > v.limits.line {
		return v.lose(fmt.Sprintf("a record longer than %d bytes", v.limits.line))
	}
	if _, verdict := v.check.judge(v.buf, v.i); verdict == wrong {
		return v.lose("a damaged record")
	}
	return false
}

// fragment cuts what is there of a record where the text breaks off.
func (v *valueCutter) fragment() bool {
	if _, verdict := v.check.judge(v.buf, v.i); verdict == wrong {
		return v.lose("a damaged record")
	}
	end := len(bytes.TrimRight(v.buf, blanks))
	at, broken := v.ending()
	if !broken {
		at.What = "it is cut in a record"
	}
	at.Passed, at.Kept = int64(end-v.i), true
	v.fault(v.buf, v.i, at)
	v.spans = append(v.spans, span{v.i, end})
	v.afterStretch()
	return true
}

// stretchEnds tells, at the end of the text or before damage, whether it ends as
// it should. What is left from i on is no record.
func (v *valueCutter) stretchEnds(i int) bool {
	at, broken := v.ending()
	if !broken && v.in != atTop && !v.lenient {
		at.What, broken = "it is cut in an array of records", true
		if v.in == inAnswer {
			at.What = "it is cut behind the records of an answer"
		}
	}
	if broken {
		v.fault(v.buf, v.i, at)
	}
	more := v.state == feedGap
	v.i = i
	v.afterStretch()
	return more
}

// afterStretch begins anew behind damage, where nothing is known of the
// structure.
func (v *valueCutter) afterStretch() {
	v.i = len(v.buf)
	v.in, v.broken = atTop, nil
	if v.state == feedGap {
		v.resume()
		at := v.place(v.buf, v.i, Fault{What: "no sound record begins behind the damage"})
		v.lost = &lost{at: at, quiet: true, from: v.i, look: v.i}
	}
}
