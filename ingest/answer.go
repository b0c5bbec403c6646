package ingest

import "encoding/json"

// Answers of the API among saved data: {"data":[...],"hasNext":...}. An object
// is one if it has an array for data and no _id before it; members may come in
// any order, and which else there are does not matter.

// kindOfObject says what an object is.
type kindOfObject int

const (
	isRecord kindOfObject = iota + 1
	isAnswerObject
	isUnfinished // it cannot be told yet
	isBroken
)

// objectKind says what the object is that begins at b[i]: of an answer where its
// records begin, behind the bracket; of anything broken where it is.
func objectKind(b []byte, i int) (kindOfObject, int) {
	i = spaceEnd(b, i+1)
	if i < len(b) && b[i] == '}' {
		return isRecord, i + 1
	}
	for {
		name, value, v := memberAt(b, i)
		switch {
		case v == unfinished:
			return isUnfinished, len(b)
		case v == wrong:
			return isBroken, value
		case name == "_id":
			return isRecord, value
		case name == "data" && b[value] == '[':
			return isAnswerObject, value + 1
		}
		i, v = valueEnd(b, value)
		if v == whole {
			i = spaceEnd(b, i)
		}
		switch {
		case v == wrong:
			return isBroken, i
		case v == unfinished, i == len(b):
			return isUnfinished, len(b)
		case b[i] == '}':
			return isRecord, i + 1
		case b[i] != ',':
			return isBroken, i
		}
		i = spaceEnd(b, i+1)
	}
}

// memberAt reads a name and its colon at b[i], and says where the value begins.
func memberAt(b []byte, i int) (name string, value int, v verdict) {
	if i == len(b) {
		return "", i, unfinished
	}
	if b[i] != '"' {
		return "", i, wrong
	}
	end := textEnd(b, i)
	if end < 0 {
		return "", len(b), unfinished
	}
	colon := spaceEnd(b, end)
	if colon == len(b) {
		return "", colon, unfinished
	}
	if b[colon] != ':' {
		return "", colon, wrong
	}
	if value = spaceEnd(b, colon+1); value == len(b) {
		return "", value, unfinished
	}
	if json.Unmarshal(b[i:end], &name) != nil {
		return "", i, wrong
	}
	return name, value, whole
}

// isAnswer says whether the object at the beginning of b, which need not be
// there to its end, is an answer of the API.
func isAnswer(b []byte) bool {
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	kind, _ := objectKind(b, 0)
	return kind == isAnswerObject
}
