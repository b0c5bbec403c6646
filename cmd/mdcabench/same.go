package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mdcalake/query/querytest"
)

// Do two directories of Parquet hold the same records? Their number, and of each
// column that both have how many values there are and the sum of their hashes, each
// together with the id of its row: a value in another row is another sum.

// ownColumns are of each program's own making.
var ownColumns = []string{"content_hash", "ingested", "run_id", "page"}

// sameness is the answer.
type sameness struct {
	Records  int64
	Columns  int      // that were compared
	Differ   []string // columns
	Types    []string // columns that have another type there
	OnlyOurs []string // columns
	IDs      bool     // the same ids, whatever else
}

func (s sameness) String() string {
	if len(s.Differ) > 0 {
		return "DIFFERENT in " + strings.Join(s.Differ, ", ")
	}
	text := fmt.Sprintf("the same %s records, %d columns", count(s.Records), s.Columns)
	if len(s.OnlyOurs) > 0 {
		text += fmt.Sprintf(" (without %s)", strings.Join(s.OnlyOurs, ", "))
	}
	if len(s.Types) > 0 {
		text += ", with other types in " + strings.Join(s.Types, ", ")
	}
	return text
}

// same compares in a process of its own.
func (b *bench) same(ctx context.Context, ours, theirs string) (s sameness, err error) {
	k, err := b.must(ctx, b.child("same", ours, theirs))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(k.out), &s)
}

func sameCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "same",
		Action: func(ctx *cli.Context) error {
			s, err := compareRecords(ctx.Context, ctx.Args().Get(0), ctx.Args().Get(1))
			if err != nil {
				return err
			}
			return answerJSON(c, s)
		},
	}
}

func compareRecords(ctx context.Context, ours, theirs string) (s sameness, err error) {
	view := func(name, glob string) string {
		hive := ""
		if strings.Contains(glob, "date=") {
			hive = ", hive_partitioning = true, hive_types = {'date': DATE, 'service': BIGINT}"
		}
		return "CREATE VIEW " + name + " AS SELECT * FROM read_parquet(" + querytest.Literal(glob) + hive + ", union_by_name = true)"
	}
	d, err := querytest.Open(ctx, view("ours", ours), view("theirs", theirs))
	if err != nil {
		return s, err
	}
	defer d.Close()
	columns := func(view string) (map[string]string, error) {
		a, err := d.Ask(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+view+")")
		types := map[string]string{}
		for _, row := range a.Rows {
			types[row[0].(string)] = row[1].(string)
		}
		return types, err
	}
	mine, err := columns("ours")
	if err != nil {
		return s, err
	}
	other, err := columns("theirs")
	if err != nil {
		return s, err
	}
	var compared []string
	for name, kind := range mine {
		switch {
		case slices.Contains(ownColumns, name):
		case other[name] == "":
			s.OnlyOurs = append(s.OnlyOurs, name)
		case other[name] != kind:
			s.Types = append(s.Types, name)
		default:
			compared = append(compared, name)
		}
	}
	slices.Sort(s.OnlyOurs)
	slices.Sort(s.Types)
	slices.Sort(compared)
	s.Columns = len(compared)
	sums := func(view string) ([]any, error) {
		list := []string{"count(*)", "sum(hash(activity_id)::HUGEINT)"}
		for _, name := range compared {
			list = append(list, fmt.Sprintf("count(%q)", name), fmt.Sprintf("sum(hash(activity_id, %q)::HUGEINT)", name))
		}
		a, err := d.Ask(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+view)
		if err != nil {
			return nil, err
		}
		return a.Rows[0], nil
	}
	one, err := sums("ours")
	if err != nil {
		return s, err
	}
	two, err := sums("theirs")
	if err != nil {
		return s, err
	}
	s.Records = one[0].(int64)
	if one[0] != two[0] {
		s.Differ = append(s.Differ, fmt.Sprintf("the number of records (%v in place of %v)", two[0], one[0]))
	}
	s.IDs = fmt.Sprint(one[:2]) == fmt.Sprint(two[:2])
	if !s.IDs {
		s.Differ = append(s.Differ, "the ids")
	}
	for i, name := range compared {
		if fmt.Sprint(one[2+2*i:4+2*i]) != fmt.Sprint(two[2+2*i:4+2*i]) {
			s.Differ = append(s.Differ, name)
		}
	}
	return s, nil
}
