package ingest

import (
	"bytes"
	"fmt"
	"io"
)

// lineCutter cuts a text into blocks of whole lines. A bad line stays alone: it
// is the lifting that judges lines.
type lineCutter struct {
	feed
	check *checker
}

func newLineCutter(f feed) *lineCutter {
	return &lineCutter{feed: f, check: newChecker()}
}

func (l *lineCutter) next(used block) (block, error) {
	buf := l.begin(used.data)
	for searched := 0; ; {
		if len(buf) >= l.limits.block {
			if end := bytes.LastIndexByte(buf[searched:], '\n'); end >= 0 {
				return l.lines(buf, searched+end+1), nil
			}
			searched = len(buf)
		}
		if len(buf) > l.limits.line { // one line, and not its end
			buf, searched = l.passLine(buf), 0
		}
		if l.state == feedMore {
			buf = l.read(buf, l.limits.line+1)
			continue
		}
		ended := l.state == feedEnd
		l.lookAtEnd(buf)
		if ended && len(buf) == 0 {
			return block{}, io.EOF
		}
		if !ended {
			l.resume()
		}
		if len(buf) > 0 { // a line that damage breaks off ends there
			return l.lines(buf, len(buf)), nil
		}
	}
}

// lines makes the first end bytes a block.
func (l *lineCutter) lines(buf []byte, end int) block {
	b := block{data: l.cut(buf, end), first: l.number}
	l.number += b.numbers()
	return b
}

// lookAtEnd tells whether the stretch of text ends as it should. A last line
// that breaks off goes to quarantine as any bad one does; but it is also the
// sign that there was more.
func (l *lineCutter) lookAtEnd(buf []byte) {
	at, broken := l.ending()
	l.broken = nil // told once
	i := spaceEnd(buf, bytes.LastIndexByte(buf, '\n')+1)
	if i < len(buf) {
		if _, v := l.check.judge(buf, i); v == unfinished {
			at.Passed, at.Kept = int64(len(buf)-i), true
			if !broken {
				at.What, broken = "it is cut in its last line", true
			}
		}
	}
	if broken {
		l.fault(buf, i, at)
	}
}

// passLine passes a line that is too long for a record, without holding it, and
// returns what was read behind it.
func (l *lineCutter) passLine(buf []byte) []byte {
	at := Fault{What: fmt.Sprintf("the line is longer than %d bytes", l.limits.line), Byte: l.offset, Line: l.line}
	for {
		end := bytes.IndexByte(buf, '\n') + 1
		ended := end > 0 || l.state != feedMore
		if end == 0 {
			end = len(buf)
		}
		at.Passed += int64(end)
		l.offset += int64(end)
		buf = append(buf[:0], buf[end:]...)
		if ended {
			break
		}
		buf = l.read(buf, l.limits.block)
	}
	l.line++
	l.number++
	l.faults(at)
	return buf
}
