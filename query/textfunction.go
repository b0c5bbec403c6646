package query

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"
)

// TextFunction is a function of texts that is written in Go, for the statements of
// one engine: what SQL cannot say in one pass, such as looking for ten thousand
// things in a text.
type TextFunction struct {
	// Name as statements write it, in small letters; that of no other function.
	Name string
	// Arguments is how many texts it takes, at least one.
	Arguments int
	// Call answers for one row; what is NULL comes as "". It is called by several
	// goroutines at once, must answer the same for the same, and must not keep the
	// arguments, whose memory is the engine's.
	Call func(arguments []string) (string, error)
}

func (f TextFunction) check() error {
	switch {
	case !stageName.MatchString(f.Name) || f.Name == ipInName || slices.Contains(shielded, f.Name):
		return fmt.Errorf("open lake: %q is no name for a function", f.Name)
	case f.Arguments < 1 || f.Call == nil:
		return errors.New("open lake: the function " + f.Name + " takes nothing, or does nothing")
	}
	return nil
}

// registerTexts gives an instance functions of texts.
func registerTexts(in *instance, functions []TextFunction) error {
	if len(functions) == 0 {
		return nil
	}
	text, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		return err
	}
	for _, f := range functions {
		// A condition on the answer of one that is not volatile would be pushed below
		// it, and the function called twice for each row.
		config := duckdb.ScalarFuncConfig{ResultTypeInfo: text, SpecialNullHandling: true, Volatile: true}
		for range f.Arguments {
			config.InputTypeInfos = append(config.InputTypeInfos, text)
		}
		if err := duckdb.RegisterScalarUDF(in.conn, f.Name, &textFunction{config, f}); err != nil {
			return fmt.Errorf("give the engine the function %s: %w", f.Name, err)
		}
	}
	return nil
}

type textFunction struct {
	config duckdb.ScalarFuncConfig
	of     TextFunction
}

func (f *textFunction) Config() duckdb.ScalarFuncConfig { return f.config }

func (f *textFunction) Executor() duckdb.ScalarFuncExecutor {
	// Without a binder it would be given the context that the driver last saw.
	bind := func(context.Context, []duckdb.ScalarUDFArg) (context.Context, error) {
		return context.Background(), nil
	}
	return duckdb.ScalarFuncExecutor{ScalarBinder: bind, ChunkContextExecutor: f.execute}
}

// execute answers for up to 2,048 rows.
func (f *textFunction) execute(_ context.Context, state *duckdb.ChunkIteratorState) error {
	chunk := state.GetInputChunk()
	views := make([]duckdb.VectorView[string], f.of.Arguments)
	for i := range views {
		column, err := chunk.GetVector(i)
		if err != nil {
			return err
		}
		if views[i], err = duckdb.GetVectorView[string](column); err != nil {
			return err
		}
	}
	answers, err := textsOf(state.GetResultVector(), chunk.GetSize())
	if err != nil {
		return err
	}
	arguments := make([]string, len(views))
	for row := range chunk.GetSize() {
		for i, v := range views {
			// Of NULL the text is empty.
			if arguments[i], _, err = v.GetValueBorrowed(row); err != nil {
				return err
			}
		}
		answer, err := f.of.Call(arguments)
		if err != nil {
			return err
		}
		answers.set(row, answer)
	}
	return nil
}
