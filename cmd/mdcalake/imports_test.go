package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The fences of the house: what each room may use. The arrows point down only,
//
//	  cmd
//	 /   \
//	ingest query
//	 \   /
//	 store
//
// and each outside thing has one home, so that a change of library is a change
// of one room.

// A homeRule says where an import may stand: in a folder (with those below it)
// or in one file. Test files are no part of the program; they may use anything
// but a room above their own.
type homeRule struct {
	name  string // for messages: whose home it is
	pkgs  func(path string) bool
	homes []string
}

func below(prefixes ...string) func(string) bool {
	return func(path string) bool {
		for _, p := range prefixes {
			if path == p || strings.HasPrefix(path, p+"/") {
				return true
			}
		}
		return false
	}
}

const arrowModule = "github.com/apache/arrow-go"

func isParquet(path string) bool {
	return strings.HasPrefix(path, arrowModule+"/") && strings.Contains(path+"/", "/parquet/")
}

var homeRules = []homeRule{
	{"the network lives in ingest; the benchmark has a loop to compare with", below("net/http", "golang.org/x/time/rate", "net/http/httptest"), []string{"ingest", "cmd/mdcabench/loop.go"}},
	{"connections live in ingest", func(p string) bool { return p == "net" || p == "crypto/tls" }, []string{"ingest"}},
	{"signing in lives in ingest", below("github.com/Azure", "github.com/AzureAD", "github.com/golang-jwt/jwt", "github.com/pkg/browser", "software.sslmate.com/src/go-pkcs12"),
		[]string{"ingest/auth_entra.go", "ingest/auth_refusal.go", "ingest/auth_bearer.go", "ingest/auth_certificate.go", "ingest/simulator/platform.go"}},
	{"the line editor lives in one file", below("github.com/reeflective/readline"), []string{"cmd/mdcalake/lineeditor.go"}},
	{"Parquet lives in store; query writes it as an output", isParquet, []string{"store", "query/parquet.go"}},
	{"Arrow lives in store and query", func(p string) bool { return strings.HasPrefix(p, arrowModule+"/") && !isParquet(p) },
		[]string{"store", "query"}},
	{"DuckDB lives in query", below("github.com/duckdb", "github.com/marcboeker/go-duckdb", "database/sql"), []string{"query"}},
	{"the command line lives in cmd", below("github.com/urfave/cli", "flag"), []string{"cmd"}},
	{"the terminal lives in cmd", below("golang.org/x/term", "os/signal"), []string{"cmd"}},
	{"no room starts another program, but the person's pager and who is compared", below("os/exec", "plugin"), []string{"cmd/mdcalake/pager.go", "cmd/mdcabench"}},
	{"errors are returned, not logged", below("log"), []string{"cmd/mdcalake/main.go"}}, // which silences the libraries
	{"unsafe, reflect and cgo need a reason", below("unsafe", "reflect", "C"), unsafeFiles},
}

// unsafeFiles are those that may look below Go's types, and why.
var unsafeFiles = []string{
	"query/stream.go",      // takes results from the engine chunk by chunk, which the driver cannot
	"query/instance.go",    // finds the driver's connection for it
	"query/vectorcells.go", // values of a vector where they lie: the driver's own way takes each row's arguments apart
}

// roomRules: who may import whom. Every room may import itself.
var roomRules = map[string][]string{
	"cmd":    {"ingest", "query", "store"},
	"ingest": {"store"},
	"query":  {"store"},
	"store":  {},
}

// processNames belong to the program: cmd hands down what others need of them.
var processNames = map[string][]string{
	"os":  {"Args", "Stdin", "Stdout", "Stderr", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Exit"},
	"fmt": {"Print", "Println", "Printf", "Scan", "Scanln", "Scanf"},
}

// onlyMain: not even in cmd, but for main.go.
var onlyMain = map[string][]string{"os": {"Exit", "Args", "Stdin", "Stdout", "Stderr", "Getenv", "LookupEnv", "Environ"}}

func TestFences(t *testing.T) {
	root := filepath.Join("..", "..")
	checked := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		checked++
		for _, complaint := range fences(t, path, filepath.ToSlash(name)) {
			t.Error(complaint)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 50 {
		t.Errorf("only %d files were looked at", checked)
	}
}

// fences answers a complaint for each rule that a file breaks.
func fences(t *testing.T, path, name string) (complaints []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	complain := func(at token.Pos, rule string) {
		complaints = append(complaints, fmt.Sprintf("%s:%d: %s", name, files.Position(at).Line, rule))
	}
	test := strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "store/storetest/")
	room, _, _ := strings.Cut(name, "/")
	local := map[string]string{} // name in this file -> package
	for _, i := range file.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		base := imported[strings.LastIndex(imported, "/")+1:]
		if i.Name != nil {
			base = i.Name.Name
		}
		local[base] = imported
		if other, ok := strings.CutPrefix(imported, "mdcalake/"); ok {
			target, _, _ := strings.Cut(other, "/")
			allowed := append([]string{room}, roomRules[room]...)
			if target == "cmd" || !slices.Contains(allowed, target) {
				complain(i.Pos(), fmt.Sprintf("room %s imports room %s; arrows point down: cmd -> ingest, query -> store", room, target))
			}
			if other == "query/querytest" && name != "cmd/mdcabench/"+filepath.Base(name) && !test {
				complain(i.Pos(), "query/querytest is for tests and for cmd/mdcabench")
			}
			if below("ingest/simulator")(other) && name != "cmd/mdcasim/"+filepath.Base(name) && name != "cmd/mdcabench/"+filepath.Base(name) && !strings.HasPrefix(name, "ingest/simulator/") && !test {
				complain(i.Pos(), "the simulator is for tests, for cmd/mdcasim and for cmd/mdcabench")
			}
			if target == "store" && other != "store/delta" && strings.HasPrefix(name, "store/delta/") {
				complain(i.Pos(), "store/delta knows nothing of activities")
			}
			continue
		}
		if base == "." {
			complain(i.Pos(), "a dot import hides where a name comes from")
		}
		if test {
			continue
		}
		for _, r := range homeRules {
			if r.pkgs(imported) && !slices.ContainsFunc(r.homes, func(home string) bool { return below(home)(name) }) {
				complain(i.Pos(), fmt.Sprintf("imports %q: %s", imported, r.name))
			}
		}
	}
	if test {
		return complaints
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if !ok {
			return true
		}
		pkg := local[x.Name]
		if room != "cmd" && slices.Contains(processNames[pkg], s.Sel.Name) {
			complain(s.Pos(), fmt.Sprintf("%s.%s belongs to cmd, which hands down what a room needs", x.Name, s.Sel.Name))
		}
		if room == "cmd" && filepath.Base(name) != "main.go" && slices.Contains(onlyMain[pkg], s.Sel.Name) {
			complain(s.Pos(), fmt.Sprintf("%s.%s belongs to main.go; the console has it", x.Name, s.Sel.Name))
		}
		return true
	})
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if f, ok := c.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				complain(c.Pos(), "print is for debugging")
			}
		}
		return true
	})
	return complaints
}

// A fence that lets everything through looks like one that holds.
func TestFencesHold(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"store/x.go", "import \"net/http\"", "store/x.go:2: imports \"net/http\": the network lives in ingest; the benchmark has a loop to compare with"},
		{"cmd/mdcalake/x.go", "import \"github.com/Azure/azure-sdk-for-go/sdk/azidentity\"", "cmd/mdcalake/x.go:2: imports \"github.com/Azure/azure-sdk-for-go/sdk/azidentity\": signing in lives in ingest"},
		{"query/x.go", "import _ \"github.com/apache/arrow-go/v18/parquet/file\"", "query/x.go:2: imports \"github.com/apache/arrow-go/v18/parquet/file\": Parquet lives in store; query writes it as an output"},
		{"ingest/x.go", "import \"github.com/apache/arrow-go/v18/arrow\"", "ingest/x.go:2: imports \"github.com/apache/arrow-go/v18/arrow\": Arrow lives in store and query"},
		{"ingest/x.go", "import \"mdcalake/query\"", "ingest/x.go:2: room ingest imports room query; arrows point down: cmd -> ingest, query -> store"},
		{"query/x_test.go", "import \"mdcalake/ingest\"", "query/x_test.go:2: room query imports room ingest; arrows point down: cmd -> ingest, query -> store"},
		{"store/x.go", "import \"mdcalake/cmd/mdcalake\"", "store/x.go:2: room store imports room cmd; arrows point down: cmd -> ingest, query -> store"},
		{"store/delta/x.go", "import \"mdcalake/store\"", "store/delta/x.go:2: store/delta knows nothing of activities"},
		{"cmd/mdcalake/x.go", "import _ \"github.com/duckdb/duckdb-go/v2\"", "cmd/mdcalake/x.go:2: imports \"github.com/duckdb/duckdb-go/v2\": DuckDB lives in query"},
		{"cmd/mdcalake/x.go", "import \"mdcalake/ingest/simulator\"", "cmd/mdcalake/x.go:2: the simulator is for tests, for cmd/mdcasim and for cmd/mdcabench"},
		{"query/x.go", "import sys \"os\"\nvar _ = sys.Getenv", "query/x.go:3: sys.Getenv belongs to cmd, which hands down what a room needs"},
		{"cmd/mdcalake/x.go", "import \"os\"\nfunc f() { os.Exit(1) }", "cmd/mdcalake/x.go:3: os.Exit belongs to main.go; the console has it"},
		{"ingest/x.go", "import \"log\"", "ingest/x.go:2: imports \"log\": errors are returned, not logged"},
		{"store/x.go", "import \"unsafe\"", "store/x.go:2: imports \"unsafe\": unsafe, reflect and cgo need a reason"},
		{"store/x.go", "func f() { println(1) }", "store/x.go:2: print is for debugging"},
		{"query/x.go", "import \"mdcalake/query/querytest\"", "query/x.go:2: query/querytest is for tests and for cmd/mdcabench"},
		{"cmd/mdcalake/x.go", "import \"os/exec\"", "cmd/mdcalake/x.go:2: imports \"os/exec\": no room starts another program, but the person's pager and who is compared"},
		{"ingest/x.go", "import (\n\"net/http\"\n\"mdcalake/store\"\n\"os\"\n)\nvar _ = os.Open", ""},
		{"query/parquet.go", "import \"github.com/apache/arrow-go/v18/parquet\"", ""},
		{"cmd/mdcasim/x.go", "import \"mdcalake/ingest/simulator\"", ""},
	} {
		t.Run(c.name+" "+c.want, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.go")
			if err := os.WriteFile(path, []byte("package x\n"+c.text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(fences(t, path, c.name), "\n"); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// The top level is fixed.
func TestTopLevel(t *testing.T) {
	allowed := []string{"cmd", "ingest", "store", "query", "testdata", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE"}
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s does not belong at the top level: there are %s, and names that begin with a dot", e.Name(), strings.Join(allowed, ", "))
		}
	}
}
