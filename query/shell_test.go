package query_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestAnEntryIsTakenApart(t *testing.T) {
	for entry, want := range map[string][]string{
		"":                                     nil,
		" \n":                                  nil,
		"-- nothing":                           nil,
		"select 1;":                            {"select 1"},
		"select 1":                             {"select 1"},
		"select 1; select\n 2;":                {"select 1", "select\n 2"},
		"select ';' ; select $$;$$":            {"select ';'", "select $$;$$"},
		";;":                                   nil,
		".mode csv":                            {".mode csv"},
		"  .mode csv \nselect 1;\n.timer on\n": {".mode csv", "select 1", ".timer on"},
		"select 1\n.mode csv;":                 {"select 1\n.mode csv"}, // within a statement it is none
		"select 1; .mode csv":                  {"select 1", ".mode csv"},
		"/* a */ .mode csv":                    {".mode csv"},
		"select 1.5, '\n.mode csv';":           {"select 1.5, '\n.mode csv'"},
		"quit":                                 {".quit"},
		"EXIT;":                                {".quit"},
		`\q`:                                   {".quit"},
		"help":                                 {".help"},
		"quit now;":                            {"quit now"},
	} {
		var got []string
		for _, s := range query.Steps(entry) {
			switch {
			case s.Command != "":
				got = append(got, s.Command)
			case !strings.HasPrefix(entry[s.Offset:], s.SQL):
				t.Errorf("%q: %q does not stand at %d", entry, s.SQL, s.Offset)
			default:
				got = append(got, s.SQL)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q\n got %q\nwant %q", entry, got, want)
		}
	}
}

func TestAnEntryIsFinished(t *testing.T) {
	for entry, want := range map[string]bool{
		"":                                  true,
		"  ":                                true,
		"select 1":                          false,
		"select 1;":                         true,
		"select 1; -- done":                 true,
		"select 1; /* done */":              true,
		"select 1; /* not;":                 false,
		"select 1; /*/":                     false,
		"select 1; select 2":                false,
		"select 1; select 2;":               true,
		"select ';":                         false,
		"select ';'":                        false,
		"select ';';":                       true,
		"select 1 -- ;":                     false,
		"select $$;":                        false,
		"select $a$ ; $a$;":                 true,
		"-- what comes":                     false, // the statement does
		"-- what comes\nselect 1;":          true,
		".mode csv":                         true,
		" .tables":                          true,
		".mode csv\nselect 1":               false,
		".mode csv\nselect 1;":              true,
		"select 1;\n.mode csv":              true,
		"select 1\n.mode csv":               false,
		"quit":                              true,
		"quite":                             false,
		"select \"a;":                       false,
		"select 1;;":                        true,
		"select 1 /* ; */":                  false,
		"select 1; \n\n":                    true,
		"select '日本;' , /* /* ; */ ; */ 1;": true,
	} {
		if got := query.Finished(entry); got != want {
			t.Errorf("%q: %v, want %v", entry, got, want)
		}
	}
}

func TestCommandsAreUnderstood(t *testing.T) {
	for line, want := range map[string]string{
		".tables":              "tables",
		".TABLES":              "tables",
		".tab":                 "tables",
		".q":                   "quit",
		".exit":                "quit",
		".mode csv":            "mode|csv",
		".mode csv;":           "mode|csv",
		".schema  runs ":       "schema|runs",
		".output 'a b.csv'":    "output|a b.csv",
		`.output "it's ""x"""`: `output|it's "x"`,
		".output ''":           "output|",
		".output a'b c'd":      "output|ab cd",
		".hunts":               "hunts",
		".m csv":               "there is no command \".m\"\nDid you mean \".mode\" or \".max-rows\"?\nHint: .help lists the commands; SQL ends with a semicolon",
		".tabels":              "there is no command \".tabels\"\nDid you mean \".tables\"?\nHint: .help lists the commands; SQL ends with a semicolon",
		".":                    "there is no command \".\"\nHint: .help lists the commands; SQL ends with a semicolon",
		".x y":                 "there is no command \".x\"\nHint: .help lists the commands; SQL ends with a semicolon",
		".read":                ".read needs FILE\nHint: write .read FILE",
		".read a b":            ".read takes FILE, and \"b\" is one more\nHint: put a name with blanks in quotes",
		".quit now":            ".quit takes no argument\nHint: write .quit",
		".output 'a":           "a quote ' is not closed\nHint: a doubled quote stands for one within",
	} {
		c, err := query.ParseCommand(line)
		got := strings.Join(append([]string{c.Name}, c.Args...), "|")
		var wrong *query.CommandError
		if errors.As(err, &wrong) {
			got = wrong.Explain()
		}
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestParametersOfTheShell(t *testing.T) {
	s := query.Shell{}
	for _, c := range []struct{ line, said string }{
		{".param", "no parameter has a value; .param NAME VALUE gives $NAME one"},
		{".param user 'it''s \"x\"'", ""},
		{".param $day 2026-03-01", ""},
		{".param USER bob", ""},
		{".param", "$day   2026-03-01\n$USER  bob"},
		{".param day", ""},
		{".param day", "$day has no value that could be taken away\nHint: .param day VALUE gives it one"},
		{".param a-b c", "\"a-b\" is no name of a parameter\nHint: a name has letters, digits and _"},
		{".param", "$USER  bob"},
	} {
		command, err := query.ParseCommand(c.line)
		if err != nil {
			t.Fatalf("%s: %v", c.line, err)
		}
		said, _, err := s.Set(command)
		var wrong *query.CommandError
		if errors.As(err, &wrong) {
			said = wrong.Explain()
		}
		if said != c.said {
			t.Errorf("%s says\n%q, want\n%q", c.line, said, c.said)
		}
	}
}

func TestCommandsOfTheShell(t *testing.T) {
	hunts := []query.Hunt{{Name: "first-seen", About: "countries that were never seen before", SQL: "select 1;\n"}, {Name: "x", About: "y", SQL: "select 2"}}
	for _, c := range []struct {
		line, said string
		after      query.Shell
	}{
		{".mode", "answers come as table; there are " + strings.Join(query.Formats(), ", "), query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".mode JSON", "", query.Shell{Mode: query.JSON, MaxRows: 1000}},
		{".mode xls", ".mode does not know \"xls\"\nHint: choose one of " + strings.Join(query.Formats(), ", "), query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".timer on", "each answer says how long it took", query.Shell{Mode: query.Table, MaxRows: 1000, Timer: true}},
		{".timer", "each answer says how long it took", query.Shell{Mode: query.Table, MaxRows: 1000, Timer: true}},
		{".timer off", "answers do not say how long they took", query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".timer maybe", ".timer does not take \"maybe\"\nHint: write .timer on or .timer off", query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".max-rows", "at most 1,000 rows of an answer are shown; .max-rows 0 means all", query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".max-rows 1", "at most 1 row of an answer is shown", query.Shell{Mode: query.Table, MaxRows: 1}},
		{".max-rows 0", "all rows of an answer are shown", query.Shell{Mode: query.Table}},
		{".max-rows -1", "\"-1\" is no number of rows\nHint: 0 means all", query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".help .mode", ".mode [FORMAT]  how answers are written: table, csv, json, ...", query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".hunts", "no hunts come with this version; .read FILE runs questions of your own", query.Shell{Mode: query.Table, MaxRows: 1000}},
		{".hunts", "first-seen  countries that were never seen before\nx           y\n.hunts NAME shows the SQL of one", query.Shell{Mode: query.Table, MaxRows: 1000, Hunts: hunts}},
		{".hunts First-Seen", "-- countries that were never seen before\nselect 1;", query.Shell{Mode: query.Table, MaxRows: 1000, Hunts: hunts}},
		{".hunts first", "there is no hunt \"first\"\nDid you mean \"first-seen\"?\nHint: .hunts lists them", query.Shell{Mode: query.Table, MaxRows: 1000, Hunts: hunts}},
	} {
		command, err := query.ParseCommand(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		s := query.Shell{Mode: query.Table, MaxRows: 1000, Hunts: c.after.Hunts}
		said, done, err := s.Set(command)
		var wrong *query.CommandError
		if errors.As(err, &wrong) {
			said = wrong.Explain()
		}
		if !done || said != c.said {
			t.Errorf("%s says\n%q, want\n%q (done %v, %v)", c.line, said, c.said, done, err)
		}
		if s.Mode != c.after.Mode || s.Timer != c.after.Timer || s.MaxRows != c.after.MaxRows {
			t.Errorf("%s leaves %+v, want %+v", c.line, s, c.after)
		}
	}
	for _, line := range []string{".tables", ".schema", ".output", ".read x", ".quit"} {
		command, err := query.ParseCommand(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, _ := new(query.Shell).Set(command); done {
			t.Errorf("%s is not the shell's to carry out", line)
		}
	}
}

// TestHelpNamesEveryCommand: what .help lists is what there is.
func TestHelpNamesEveryCommand(t *testing.T) {
	said, _, err := new(query.Shell).Set(query.Command{Name: "help"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("help tables schema mode output read timer hunts quit max-rows") {
		if !strings.Contains(said, "\n."+name) && !strings.HasPrefix(said, "."+name) {
			t.Errorf(".%s is missing in\n%s", name, said)
		}
	}
	for line := range strings.SplitSeq(said, "\n") {
		if len(line) > 80 {
			t.Errorf("longer than a terminal is wide: %q", line)
		}
	}
}
