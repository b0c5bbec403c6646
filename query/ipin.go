package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/duckdb/duckdb-go/v2"

	"mdcalake/query/ipaddr"
)

// ip_in(ip, range) and ip_in(ip, [range, ...]) as functions of the engine:
// whether an address lies in a range (ipranges.go has what a range is).
//
// Of text that is no address the answer is false: it lies in no range, and a
// NOT around it must not hide the row. NULL gives NULL. A range that cannot be
// read is an error, also where it comes from a column: a range that silently
// matched nothing would hide rows.
//
// Ranges that are written in the statement are looked at before anything runs
// (checkRanges), and parsed once: a text when the statement is bound, a list
// when its first rows come, since the driver cannot hand a constant list over.

// registerFunctions gives an instance the functions that are written in Go.
func registerFunctions(in *instance) error {
	text, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		return err
	}
	list, err := duckdb.NewListInfo(text)
	if err != nil {
		return err
	}
	truth, err := duckdb.NewTypeInfo(duckdb.TYPE_BOOLEAN)
	if err != nil {
		return err
	}
	config := func(ranges duckdb.TypeInfo) duckdb.ScalarFuncConfig {
		return duckdb.ScalarFuncConfig{InputTypeInfos: []duckdb.TypeInfo{text, ranges}, ResultTypeInfo: truth}
	}
	return duckdb.RegisterScalarUDFSet(in.conn, ipInName,
		&ipIn{config: config(text), bind: bindRanges, column: textRanges}, &ipIn{config: config(list), column: listRanges})
}

const ipInName = "ip_in"

// ipIn is the function for one type of its second argument.
type ipIn struct {
	config duckdb.ScalarFuncConfig
	bind   duckdb.ScalarBinderFn
	column func(f *ipIn, chunk *duckdb.DataChunk, rows int) (rangesOf, error)
	last   atomic.Pointer[parsedRanges] // often all rows have the same
}

// rangesOf are the ranges of a row of a chunk; nil: it has none.
type rangesOf func(row int) (*ipRanges, error)

type parsedRanges struct {
	texts  []string
	ranges *ipRanges
}

// parse answers what was parsed last, where that is it.
func (f *ipIn) parse(texts []string) (*ipRanges, error) {
	if p := f.last.Load(); p != nil && slices.Equal(p.texts, texts) {
		return p.ranges, nil
	}
	ranges, err := parseRanges(texts)
	if err == nil {
		f.last.Store(&parsedRanges{texts, ranges})
	}
	return ranges, err
}

func (f *ipIn) Config() duckdb.ScalarFuncConfig { return f.config }

func (f *ipIn) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{ScalarBinder: f.bind, ChunkContextExecutor: f.execute}
}

type rangesKey struct{}

// bindRanges parses a constant range. What it returns lives as long as the
// statement, and is not the context that the driver last saw: how a statement
// ends is the instance's own affair.
func bindRanges(_ context.Context, args []duckdb.ScalarUDFArg) (context.Context, error) {
	var ranges *ipRanges
	if len(args) == 2 && args[1].Foldable {
		if text, ok := args[1].Value.(string); ok {
			var err error
			if ranges, err = parseRanges([]string{text}); err != nil {
				return nil, err
			}
		}
	}
	return context.WithValue(context.Background(), rangesKey{}, ranges), nil
}

// texts are the elements of a list that are not NULL: one without a value
// names no range.
func texts(list []any) []string {
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// execute answers for up to 2,048 rows. Rows with a NULL get theirs from the
// driver, behind this.
func (f *ipIn) execute(ctx context.Context, state *duckdb.ChunkIteratorState) error {
	chunk := state.GetInputChunk()
	column, err := chunk.GetVector(0)
	if err != nil {
		return err
	}
	addresses, err := duckdb.GetVectorView[string](column)
	if err != nil {
		return err
	}
	answers, err := cells[bool](state.GetResultVector(), addresses.Len())
	if err != nil {
		return err
	}
	fixed, _ := ctx.Value(rangesKey{}).(*ipRanges)
	ranges := func(int) (*ipRanges, error) { return fixed, nil }
	if fixed == nil {
		if ranges, err = f.column(f, chunk, len(answers)); err != nil {
			return err
		}
	}
	for row := range answers {
		text, ok, err := addresses.GetValueBorrowed(row)
		if err != nil {
			return err
		}
		answers[row] = false
		if !ok {
			continue
		}
		r, err := ranges(row)
		if err != nil {
			return err
		}
		if r != nil {
			addr, ok := ipaddr.Parse(text)
			answers[row] = ok && r.contain(addr)
		}
	}
	return nil
}

// textRanges reads ranges out of a column of texts.
func textRanges(f *ipIn, chunk *duckdb.DataChunk, _ int) (rangesOf, error) {
	column, err := chunk.GetVector(1)
	if err != nil {
		return nil, err
	}
	view, err := duckdb.GetVectorView[string](column)
	if err != nil {
		return nil, err
	}
	var last string
	var ranges *ipRanges
	return func(row int) (*ipRanges, error) {
		text, ok, err := view.GetValueBorrowed(row)
		if err != nil || !ok {
			return nil, err
		}
		if ranges == nil || text != last {
			last = strings.Clone(text)
			if ranges, err = f.parse([]string{last}); err != nil {
				return nil, err
			}
		}
		return ranges, nil
	}, nil
}

// listEntry is where a row's list lies among the elements of all rows: offset
// and length.
type listEntry [2]uint64

// listRanges is textRanges for a column of lists. A list is taken out of the
// chunk only where a row has another one than the row before; of a constant all
// rows have the same.
func listRanges(f *ipIn, chunk *duckdb.DataChunk, rows int) (rangesOf, error) {
	column, err := chunk.GetVector(1)
	if err != nil {
		return nil, err
	}
	entries, err := cells[listEntry](column, rows)
	if err != nil {
		return nil, err
	}
	var last listEntry
	var ranges *ipRanges
	return func(row int) (*ipRanges, error) {
		if ranges != nil && entries[row] == last {
			return ranges, nil
		}
		value, err := chunk.GetValue(1, row)
		list, ok := value.([]any)
		if err != nil || !ok {
			return nil, err
		}
		last = entries[row]
		ranges, err = f.parse(texts(list))
		return ranges, err
	}, nil
}

// rangeHint is for a range that cannot be read.
const rangeHint = "write a range as '10.0.0.0/8', '2001:db8::/32', '10.0.0.1' or '10.0.0.1-10.0.0.99', or a list of them: ip_in(ip, ['10.0.0.0/8', '192.168.0.0/16'])"

// rangeError is a range that cannot be read.
type rangeError struct{ text, why string }

func (e *rangeError) Error() string {
	return fmt.Sprintf("%s: %q is no range of addresses: %s", ipInName, e.text, e.why)
}

// checkRanges looks at the ranges that stand in the statement itself, by the
// tree of a call; nil: none of them is wrong. Others are found when the
// statement is bound or runs.
func checkRanges(call map[string]any) *badTree {
	arguments, _ := call["children"].([]any)
	if len(arguments) != 2 {
		return nil
	}
	literals := []any{arguments[1]}
	if list, _ := arguments[1].(map[string]any); list["function_name"] == "list_value" {
		literals, _ = list["children"].([]any)
	}
	for _, l := range literals {
		n, _ := l.(map[string]any)
		value, _ := n["value"].(map[string]any)
		text, ok := value["value"].(string)
		if n["class"] != "CONSTANT" || !ok {
			continue
		}
		if _, err := parseRanges([]string{text}); err != nil {
			return &badTree{place(n), err.Error(), rangeHint}
		}
	}
	return nil
}

// explainRanges gives the error of a range that was found later its words.
func explainRanges(e *Error) {
	i := strings.Index(e.Message, ipInName+": ")
	if i < 0 || !strings.Contains(e.Message, "is no range of addresses") {
		return
	}
	e.Message, e.Hint = e.Message[i:], rangeHint
}
