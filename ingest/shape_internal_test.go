package ingest

import (
	"strings"
	"testing"
)

func TestTheShapeOfAText(t *testing.T) {
	t.Parallel()
	a, b := rec("a"), rec("b")
	long := `{"_id":"long","x":"` + strings.Repeat("x", headSize) + `"}`
	indented := "{\n  \"_id\": \"a\",\n  \"x\": {\n    \"y\": [\n      {\n        \"z\": 1\n      }\n    ]\n  }\n}"
	for name, x := range map[string]struct {
		text string
		want shape
	}{
		"nothing":      {"", shapeLines},
		"blank":        {" \r\n\t\n", shapeLines},
		"a record":     {a, shapeLines},
		"lines":        {a + "\n" + b + "\n", shapeLines},
		"CRLF, blanks": {"\r\n  " + a + " \r\n\r\n" + b, shapeLines},
		"long lines":   {long + "\n" + a, shapeLines},

		"lines that begin with null":            {"null\n" + a, shapeLines},
		"with a word":                           {"garbage\n" + a, shapeLines},
		"with a cut one":                        {`{"_id":"x","cut` + "\n" + a + "\n", shapeLines},
		"with one that is cut behind a comma":   {`{"_id":"x","y":1,` + "\n" + a + "\n", shapeLines},
		"with one that is cut in an array":      {`{"_id":"x","y":[1,` + "\n" + a + "\n" + b + "\n", shapeLines},
		"with two on a line, and garbage":       {a + " garbage\n" + b + "\n", shapeLines},
		"with an array":                         {"[1,{}]\n" + a + "\n", shapeLines},
		"with an empty array":                   {"[]\r\n\r\n" + a, shapeLines},
		"with an array that holds a record":     {"[" + a + "]\n" + b + "\n", shapeLines},
		"with an array that is cut":             {"[" + a + ",\n" + a + "\n" + b + "\n", shapeLines},
		"with two arrays":                       {"[]\n[1]\n" + a + "\n", shapeLines},
		"one line, cut":                         {a[:20], shapeLines},
		"a record with data":                    {`{"_id":"a","data":[]}` + "\n" + a, shapeLines},
		"an answer behind a record":             {a + "\n" + `{"data":[` + a + `]}`, shapeLines},
		"numbers and text, and then the record": {"\"x\"\n5\n" + a, shapeLines},

		"an array":                      {"[" + a + "," + b + "]", shapeValues},
		"an empty array":                {"[]\n", shapeValues},
		"an array, cut":                 {"[" + a + "," + b[:5], shapeValues},
		"an array, cut, and a line end": {"[" + a + "," + b[:8] + "\n", shapeValues},
		"a long array":                  {"[" + strings.Repeat(a+",", headSize/30) + "]", shapeValues},
		"an array over many lines":      {"[\n  " + a + ",\n  " + b + "\n]\n", shapeValues},
		"an array of lines":             {"[" + a + ",\n" + b + ",\n" + a + "]\n", shapeValues},
		"an array of lines, damaged":    {`[{"_id":"x",},` + "\n" + b + ",\n" + a + "\n]\n", shapeValues},
		"an indented array":             {"[\n" + indented + ",\n" + indented + "\n]", shapeValues},
		"an indented array, damaged":    {"[\n" + strings.Replace(indented, `"x"`, `"x`, 1) + ",\n" + indented + "\n]", shapeValues},
		"arrays, one a line":            {"[" + a + "]\n[" + b + "]\n", shapeValues},
		"an answer":                     {`{"data":[` + a + `],"hasNext":false}`, shapeValues},
		"an answer, its data last":      {`{"hasNext":false,"total":1,"data":[` + a + `]}` + "\n", shapeValues},
		"a long answer":                 {`{"hasNext":false,"data":[` + strings.Repeat(a+",", headSize/30) + `]}`, shapeValues},
		"answers, one a line":           {`{"data":[` + a + `]}` + "\n" + `{"data":[]}` + "\n", shapeValues},
		"a cut answer":                  {`{"data":[` + a + `,` + b[:9], shapeValues},
		"a cut answer among lines":      {`{"data":[` + a + `,` + b[:9] + "\n" + a, shapeValues},
		"an indented record":            {indented, shapeValues},
		"indented records":              {indented + "\n" + indented, shapeValues},
		"an indented record, cut":       {indented[:50], shapeValues},
		"records on one line":           {a + b + "\n", shapeValues},
		"records and a space":           {a + " " + b + "\n" + a + " " + b, shapeValues},
		"lines with commas":             {a + ",\n" + b + ",\n" + a, shapeValues},
		"two lines, a comma":            {a + ",\n" + b, shapeValues},
		"many on a long line":           {strings.Repeat(a, headSize/30), shapeValues},
	} {
		t.Run(name, func(t *testing.T) {
			head := []byte(x.text)
			got, foreign := shapeOf(head[:min(len(head), headSize)], len(head) <= headSize)
			if got != x.want || foreign.what != "" {
				t.Errorf("%q has shape %d, want %d; %s", x.text[:min(100, len(x.text))], got, x.want, foreign.what)
			}
		})
	}
}
