package hunts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"mdcalake/query"
	"mdcalake/store"
)

// Hunt is one of them, as its file has it.
type Hunt struct {
	ID          string   `yaml:"id"`          // a UUID, for ever
	Name        string   `yaml:"name"`        // as in `hunt run NAME`; the file's name
	Title       string   `yaml:"title"`       // a few words
	Description string   `yaml:"description"` // what it looks for, and what it relies on
	Severity    Severity `yaml:"severity"`
	Tactics     []string `yaml:"tactics"`    // of ATT&CK
	Techniques  []string `yaml:"techniques"` // numbers of ATT&CK v19
	// Aliases are numbers that the techniques had before.
	Aliases []string `yaml:"aliases,omitempty"`
	// Baseline is how far back it compares, by default; zero: it does not.
	Baseline Duration `yaml:"baseline,omitempty"`
	// WholeBaseline: of a part of it the hunt says nothing at all.
	WholeBaseline bool `yaml:"whole_baseline,omitempty"`
	// OptionalBaseline: without it the hunt runs all the same, and leaves out what
	// compares: past is empty then, and $baseline is no time at all.
	OptionalBaseline bool     `yaml:"optional_baseline,omitempty"`
	Params           []Param  `yaml:"params"`
	Needs            []string `yaml:"needs"` // columns of activities, and raw.X
	FalsePositives   []string `yaml:"false_positives"`
	Source           []string `yaml:"source"` // rules that taught us; the SQL is ours
	SQL              string   `yaml:"sql"`
}

// Param is a value that the person may set.
type Param struct {
	Name    string    `yaml:"name"`
	Type    ParamType `yaml:"type"`
	Default string    `yaml:"default"` // as one would write it with -p
	Help    string    `yaml:"help"`
}

// Severity of a hunt or a finding.
type Severity string

// The severities, the gravest last.
const (
	Informational Severity = "informational"
	Low           Severity = "low"
	Medium        Severity = "medium"
	High          Severity = "high"
)

// Severities are all of them, the gravest first.
var Severities = []Severity{High, Medium, Low, Informational}

// Lower is a step less, where there is one.
func (s Severity) Lower() Severity {
	i := slices.Index(Severities, s)
	return Severities[min(i+1, len(Severities)-1)]
}

// Duration is written as 90d, 12h, 20m or 30s.
type Duration time.Duration

var durationLook = regexp.MustCompile(`^([0-9]{1,6})([dhms])$`)

var durationUnits = map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}

// ParseDuration reads one.
func ParseDuration(s string) (time.Duration, error) {
	m := durationLook.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%q is no length of time: write 90d, 12h, 20m or 30s", s)
	}
	n := time.Duration(0)
	fmt.Sscan(m[1], &n)
	if d := n * durationUnits[m[2]]; d <= 100*366*24*time.Hour {
		return d, nil
	}
	return 0, fmt.Errorf("%q is longer than a hundred years", s)
}

// String is the shortest form of whole units.
func (d Duration) String() string {
	for _, unit := range []string{"d", "h", "m"} {
		if u := durationUnits[unit]; time.Duration(d)%u == 0 && d != 0 {
			return fmt.Sprintf("%d%s", time.Duration(d)/u, unit)
		}
	}
	return fmt.Sprintf("%ds", time.Duration(d)/time.Second)
}

// UnmarshalText reads it from a file.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// maxFile bounds a hunt's file.
const maxFile = 1 << 20

// Parse reads a hunt and checks it. Errors name what is wrong and where.
func Parse(text []byte) (*Hunt, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("it has %d bytes, and a hunt has at most %d", len(text), maxFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	h := new(Hunt)
	if err := d.Decode(h); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, fmt.Errorf("it is no hunt: %w", err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the hunt: one file has one")
	}
	return h, h.check()
}

var (
	idLook        = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	nameLook      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	techniqueLook = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)
	paramLook     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	rawLook       = regexp.MustCompile(`^raw(\.[A-Za-z_][A-Za-z0-9_]*(\[[0-9]{1,3}\])?)+$`) // raw.X, raw.X.Y, raw.X[0].Y
)

// reserved are values that every hunt has.
var reserved = []string{"since", "until", "baseline"}

func (h *Hunt) check() error {
	switch {
	case !idLook.MatchString(h.ID):
		return fmt.Errorf("id %q is no UUID in small letters", h.ID)
	case !nameLook.MatchString(h.Name) || len(h.Name) > 60:
		return fmt.Errorf("name %q: write small letters and digits with - between words", h.Name)
	case h.Title == "" || h.Description == "":
		return errors.New("title and description must say something")
	case !slices.Contains(Severities, h.Severity):
		return fmt.Errorf("severity %q is none of %q", h.Severity, Severities)
	case strings.TrimSpace(h.SQL) == "":
		return errors.New("sql is empty")
	case len(h.Needs) == 0:
		return errors.New("needs is empty: name the columns that the SQL reads")
	}
	if h.OptionalBaseline && (h.WholeBaseline || h.Baseline == 0) {
		return errors.New("optional_baseline asks for a baseline that may be a part")
	}
	for _, t := range slices.Concat(h.Techniques, h.Aliases) {
		if !techniqueLook.MatchString(t) {
			return fmt.Errorf("technique %q is no number of ATT&CK, such as T1078.004", t)
		}
	}
	for i, n := range h.Needs {
		known := rawLook.MatchString(n) || slices.ContainsFunc(store.Columns, func(c store.Column) bool { return c.Name == n })
		if !known || n == "raw" {
			return fmt.Errorf("needs %q, which is no column of activities and no raw.X", n)
		}
		if slices.Contains(h.Needs[:i], n) {
			return fmt.Errorf("needs %q twice", n)
		}
	}
	for _, must := range []string{"activity_id", "timestamp"} {
		if !slices.Contains(h.Needs, must) {
			return fmt.Errorf("needs no %s: a finding has its activities and its times", must)
		}
	}
	names := slices.Clone(reserved)
	for _, p := range h.Params {
		if !paramLook.MatchString(p.Name) || slices.Contains(names, p.Name) {
			return fmt.Errorf("parameter %q: names are small letters, digits and _, each is there once, and none is %s", p.Name, strings.Join(reserved, ", "))
		}
		names = append(names, p.Name)
		if p.Help == "" {
			return fmt.Errorf("parameter %q has no help", p.Name)
		}
		if _, err := p.Type.literal(p.Default); err != nil {
			return fmt.Errorf("parameter %q: its default: %w", p.Name, err)
		}
	}
	for _, used := range query.Parameters(h.SQL) {
		if !slices.Contains(names, used) {
			return fmt.Errorf("sql asks for $%s, which is no parameter", used)
		}
		if used == "baseline" && h.Baseline == 0 {
			return errors.New("sql asks for $baseline, and there is none")
		}
	}
	if statements := query.Split(h.SQL); len(statements) != 1 {
		return fmt.Errorf("sql has %d statements, and a hunt has one", len(statements))
	}
	return nil
}

// param is the parameter of a name.
func (h *Hunt) param(name string) (Param, bool) {
	i := slices.IndexFunc(h.Params, func(p Param) bool { return p.Name == name })
	if i < 0 {
		return Param{}, false
	}
	return h.Params[i], true
}
