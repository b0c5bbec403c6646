package hunts

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mdcalake/query"
)

// Allowlist is what a tenant knows to be its own: activities of these are not
// hunted. It is one file in YAML for all hunts:
//
//	exclude_users: [backup@contoso.example]    # of any case
//	exclude_ips: [203.0.113.0/24, 2001:db8::1] # addresses and ranges
//	exclude_apps: [Salesforce, 20892]          # names of any case, or app ids
//	exclude_countries: [DE, AT]                # two letters
type Allowlist struct {
	Users     []string `yaml:"exclude_users"`
	IPs       []string `yaml:"exclude_ips"`
	Apps      []string `yaml:"exclude_apps"`
	Countries []string `yaml:"exclude_countries"`
}

// ReadAllowlist reads the file.
func ReadAllowlist(name string) (Allowlist, error) {
	var a Allowlist
	text, err := readSmall(name)
	if err != nil {
		return a, fmt.Errorf("read the allow-list: %w", err)
	}
	fail := func(err error) (Allowlist, error) { return a, &FileError{"the allow-list " + name, err} }
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&a); err != nil && !errors.Is(err, io.EOF) {
		return fail(err)
	}
	if err := a.check(); err != nil {
		return fail(err)
	}
	return a, nil
}

func (a Allowlist) check() error {
	for _, s := range a.IPs {
		_, err := netip.ParsePrefix(s)
		if _, err2 := netip.ParseAddr(s); err != nil && err2 != nil {
			return fmt.Errorf("exclude_ips: %q is neither an address nor a range such as 203.0.113.0/24", s)
		}
	}
	for _, s := range a.Countries {
		if len(s) != 2 {
			return fmt.Errorf("exclude_countries: %q is no country: write two letters, such as DE", s)
		}
	}
	for _, list := range [][]string{a.Users, a.Apps} {
		if slices.Contains(list, "") {
			return errors.New("an empty entry would take nothing out: remove it")
		}
	}
	return nil
}

// Len is how many entries it has.
func (a Allowlist) Len() int { return len(a.Users) + len(a.IPs) + len(a.Apps) + len(a.Countries) }

// Empty says that nothing is taken out.
func (a Allowlist) Empty() bool { return a.Len() == 0 }

// columns are those of activities that it looks at.
func (a Allowlist) columns() []string {
	var names []string
	for _, c := range []struct {
		of      []string
		columns []string
	}{{a.Users, []string{"user_name"}}, {a.IPs, []string{"ip"}}, {a.Apps, []string{"app_name", "app_id"}}, {a.Countries, []string{"country"}}} {
		if len(c.of) > 0 {
			names = append(names, c.columns...)
		}
	}
	return names
}

// Condition is what lets the others through, in SQL over activities: what is not
// known is not excluded. Empty: all go through.
func (a Allowlist) Condition() string {
	var all []string
	one := func(of []string, fold func(string) string, expressions ...string) {
		if len(of) == 0 {
			return
		}
		folded := make([]string, len(of))
		for i, s := range of {
			folded[i] = fold(s)
		}
		for _, x := range expressions {
			all = append(all, "NOT coalesce(list_contains("+string(query.List(folded))+", "+x+"), false)")
		}
	}
	one(a.Users, strings.ToLower, "lower(user_name)")
	one(a.Apps, strings.ToLower, "lower(app_name)", "app_id::VARCHAR")
	one(a.Countries, strings.ToUpper, "upper(country)")
	// One by one: of a list the driver binds nothing, and looks for a context in
	// several threads at once.
	for _, r := range a.IPs {
		all = append(all, "NOT coalesce(ip_in(ip, "+string(query.Text(r))+"), false)")
	}
	return strings.Join(all, " AND ")
}
