package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves flags before positional arguments. The library takes a flag
// that is written behind the SQL for one more argument, without a word; people
// write it there. "--" ends the flags.
func flagsFirst(app *cli.App, args []string) []string {
	at := commandAt(app, args)
	if at < 0 {
		return args
	}
	command := app.Command(args[at])
	takesValue := map[string]bool{}
	for _, f := range append(command.Flags, cli.HelpFlag) {
		v, ok := f.(interface{ TakesValue() bool })
		for _, name := range f.Names() {
			takesValue[name] = ok && v.TakesValue()
		}
	}
	var flags, rest []string
	for i := at + 1; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		// SQL may begin with a comment: what is no flag of ours and has white space
		// in it is SQL, not a mistyped flag.
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		_, known := takesValue[name]
		if len(arg) < 2 || arg[0] != '-' || !known && strings.ContainsAny(arg, " \t\r\n") {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		if !hasValue && takesValue[name] && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return slices.Concat(args[:at+1], flags, []string{"--"}, rest)
}

// commandAt is where the verb stands.
func commandAt(app *cli.App, args []string) int {
	for i, arg := range args {
		if i > 0 && !strings.HasPrefix(arg, "-") {
			if app.Command(arg) == nil {
				return -1
			}
			return i
		}
	}
	return -1
}

// habits understands what people type from other programs: help, help VERB and
// --version.
func habits(args []string) []string {
	switch {
	case len(args) < 2:
	case args[1] == "help":
		return append(append(args[:1:1], args[2:]...), "--help")
	case args[1] == "--version" || args[1] == "-version":
		return []string{args[0], "version"}
	}
	return args
}
