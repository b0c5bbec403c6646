package query_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestIPIn(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, c := range []struct{ ip, ranges, want string }{
		{"'10.1.2.3'", "'10.0.0.0/8'", "true"},
		{"'10.255.255.255'", "'10.0.0.0/8'", "true"},
		{"'11.0.0.0'", "'10.0.0.0/8'", "false"},
		{"'9.255.255.255'", "'10.0.0.0/8'", "false"},
		{"'10.1.2.3'", "'10.9.9.9/8'", "true"},
		{"'10.1.2.3'", "'10.1.2.3'", "true"},
		{"'10.1.2.4'", "'10.1.2.3'", "false"},
		{"'10.1.2.3'", "'0.0.0.0/0'", "true"},
		{"'10.1.2.3'", "'10.1.2.3/32'", "true"},
		{"'10.0.0.50'", "'10.0.0.1-10.0.0.99'", "true"},
		{"'10.0.0.99'", "' 10.0.0.1 - 10.0.0.99 '", "true"},
		{"'10.0.0.100'", "'10.0.0.1-10.0.0.99'", "false"},
		{"'2001:db8::1'", "'2001:db8::/32'", "true"},
		{"'2001:DB8:0:0::1'", "'2001:db8::/32'", "true"},
		{"'2001:db9::1'", "'2001:db8::/32'", "false"},
		{"'2001:db8::1'", "'::/0'", "true"},
		{"'fe80::1%eth0'", "'fe80::/10'", "true"},
		// Mapped addresses are IPv4, on both sides.
		{"'::ffff:10.1.2.3'", "'10.0.0.0/8'", "true"},
		{"'::ffff:a01:203'", "'10.0.0.0/8'", "true"},
		{"'10.1.2.3'", "'::ffff:10.0.0.0/104'", "true"},
		{"'::ffff:11.1.2.3'", "'::ffff:10.0.0.0/104'", "false"},
		{"'10.1.2.3'", "'::ffff:0:0/96'", "true"},
		{"'10.1.2.3'", "'::/0'", "false"},
		{"'2001:db8::1'", "'0.0.0.0/0'", "false"},
		// As feeds write them.
		{"'10.1.2.3:63070'", "'10.0.0.0/8'", "true"},
		{"'[2001:db8::1]:443'", "'2001:db8::/32'", "true"},
		{"'[2001:db8::1]'", "'2001:db8::/32'", "true"},
		{"' 10.1.2.3 '", "'10.0.0.0/8'", "true"},
		{"'[::ffff:10.1.2.3]:443'", "'10.0.0.0/8'", "true"},
		// No address lies in no range, and a NOT around it shows the row.
		{"'<null>'", "'0.0.0.0/0'", "false"},
		{"''", "'0.0.0.0/0'", "false"},
		{"'10.1.2'", "'10.0.0.0/8'", "false"},
		{"'10.1.2.3.4'", "'10.0.0.0/8'", "false"},
		{"'10.1.2.3:port'", "'10.0.0.0/8'", "false"},
		{"'010.1.2.3'", "'10.0.0.0/8'", "false"},
		{"'10.1.2.3, 10.1.2.4'", "'10.0.0.0/8'", "false"},
		{"'Ünïcode'", "'10.0.0.0/8'", "false"},
		{"NULL", "'10.0.0.0/8'", ""},
		{"NULL::VARCHAR", "['10.0.0.0/8']", ""},
		{"'10.1.2.3'", "NULL::VARCHAR", ""},
		{"'10.1.2.3'", "NULL::VARCHAR[]", ""},
		// Lists.
		{"'10.1.2.3'", "['192.168.0.0/16', '10.0.0.0/8']", "true"},
		{"'192.168.1.1'", "['192.168.0.0/16', '10.0.0.0/8']", "true"},
		{"'172.16.0.1'", "['192.168.0.0/16', '10.0.0.0/8']", "false"},
		{"'10.1.2.3'", "['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24']", "true"},
		{"'10.9.2.3'", "['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24']", "true"},
		{"'2001:db8::1'", "['10.0.0.0/8', '2001:db8::/32']", "true"},
		{"'11.0.0.0'", "['10.0.0.0/8', '2001:db8::/32']", "false"},
		{"'1::'", "['255.255.255.255', '2001:db8::/32']", "false"},
		{"'10.1.2.3'", "['192.168.0.0/16', NULL]", "false"},
		{"'10.1.2.3'", "['10.0.0.0/8', NULL]", "true"},
		{"'10.1.2.3'", "[]::VARCHAR[]", "false"},
		{"'10.1.2.3'", "[]", "false"},
	} {
		// Constant on both sides, and from columns on either.
		for _, sql := range []string{
			"SELECT ip_in(" + c.ip + ", " + c.ranges + ")",
			"SELECT ip_in(a, " + c.ranges + ") FROM (SELECT " + c.ip + "::VARCHAR AS a FROM range(1))",
			"SELECT ip_in(a, b) FROM (SELECT " + c.ip + "::VARCHAR AS a, " + c.ranges + " AS b FROM range(1))",
			"SELECT DISTINCT ip_in(a, b) FROM (SELECT CASE WHEN range >= 0 THEN " + c.ip + " END AS a, CASE WHEN range >= 0 THEN " + c.ranges + " END AS b FROM range(3000))",
		} {
			if got := csv(t, e, sql); got != c.want {
				t.Errorf("%s = %q, want %q", sql, got, c.want)
			}
		}
	}
}

func TestIPInOverRowsOfAllKinds(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	got := csv(t, e, `SELECT count(*) FILTER (ip_in(ip, '10.0.0.0/8')), count(*) FILTER (NOT ip_in(ip, '10.0.0.0/8')), count(*) FILTER (ip_in(ip, '10.0.0.0/8') IS NULL),
		count(*) FILTER (ip_in(ip, net)), count(*) FILTER (ip_in(ip, [net, '11.0.0.0/8']))
		FROM (SELECT CASE i % 4 WHEN 0 THEN '10.0.' || i // 256 % 256 || '.' || i % 256 WHEN 1 THEN '11.0.0.1' WHEN 2 THEN 'rubbish' END AS ip, '10.0.' || i // 256 % 256 || '.0/24' AS net FROM range(100000) AS r(i))`)
	if got != "25000,50000,25000,25000,50000" {
		t.Errorf("got %s", got)
	}
}

func TestIPInFiltersTheLake(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 3))
	if got := csv(t, e, "SELECT count(*), count(DISTINCT ip) FROM activities WHERE ip_in(ip, '203.0.113.0/29')"); got != "48,8" {
		t.Errorf("got %s", got)
	}
	if got := csv(t, e, "SELECT count(*) FROM activities WHERE date = '2026-03-01' AND NOT ip_in(ip, ['203.0.113.0/29', '203.0.113.16-203.0.113.23'])"); got != "16" {
		t.Errorf("got %s", got)
	}
}

func TestIPInRefusesRangesThatCannotBeRead(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 3))
	for _, c := range []struct {
		ranges, why string
		place       bool
	}{
		{"'10.0.0.0/33'", `"10.0.0.0/33" is no range of addresses: behind the / of an IPv4 range stands a number from 0 to 32, and not 33`, true},
		{"'2001:db8::/129'", `stands a number from 0 to 128, and not 129`, true},
		{"'10.0.0.0/'", `behind the / of an IPv4 range stands a number`, true},
		{"'10.0.0/8'", `"10.0.0/8" is no range of addresses: there is no address before the /`, true},
		{"'office'", `it does not begin with an address`, true},
		{"''", `it is empty`, true},
		{"'10.0.0.9-10.0.0.1'", `it ends before it begins`, true},
		{"'10.0.0.9-'", `it does not end with an address`, true},
		{"'10.0.0.9-2001:db8::1'", `it begins in IPv4 and ends in IPv6`, true},
		{"'fe80::1%eth0'", `it does not begin with an address`, true},
		{"['10.0.0.0/8', 'office']", `"office" is no range of addresses`, true},
		{"['office', '10.0.0.0/8']", `"office" is no range of addresses`, true},
		{"'off' || 'ice'", `"office" is no range of addresses`, false},
		{"['off' || 'ice']", `"office" is no range of addresses`, false},
		{"user_name", `"user0@example.com" is no range of addresses`, false},
		{"[user_name]", `"user0@example.com" is no range of addresses`, false},
	} {
		sql := "SELECT count(*) FROM activities\nWHERE is_success AND ip_in(ip, " + c.ranges + ")"
		_, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		se, ok := err.(*query.Error)
		if !ok {
			t.Errorf("%s: error is %v", c.ranges, err)
			continue
		}
		if se.Kind == query.Refused {
			t.Errorf("%s: it is refused as if it did more than read", c.ranges)
		}
		if !strings.Contains(se.Message, c.why) || !strings.HasPrefix(se.Message, "ip_in: ") {
			t.Errorf("%s: message %q, want %q in it", c.ranges, se.Message, c.why)
		}
		if !strings.Contains(se.Hint, "'10.0.0.0/8'") {
			t.Errorf("%s: hint %q", c.ranges, se.Hint)
		}
		if line, column, ok := se.LineColumn(); c.place && (!ok || line != 2 || column < 32) {
			t.Errorf("%s: place is %d:%d, %v", c.ranges, line, column, ok)
		}
	}
}

// BenchmarkIPIn is what it costs over a million addresses, beside a comparison
// of text.
func BenchmarkIPIn(b *testing.B) {
	e := open(b, newLake(b, b.TempDir(), 0))
	many := "['203.0.113.0/24'"
	for i := range 1000 {
		many += fmt.Sprintf(", '10.%d.%d.0/24'", i/256, i%256)
	}
	for _, c := range []struct{ name, condition string }{
		{"starts_with", "starts_with(ip, '10.')"},
		{"a range", "ip_in(ip, '10.0.0.0/9')"},
		{"two ranges", "ip_in(ip, ['10.0.0.0/9', '192.168.0.0/16'])"},
		{"a thousand ranges", "ip_in(ip, " + many + "])"},
		{"a range from a column", "ip_in(ip, CASE WHEN i % 2 = 0 THEN '10.0.0.0/9' ELSE '10.0.0.0/16' END)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				_, res, err := tryAnswer(context.Background(), e, query.CSV, `SELECT count(*) FROM (SELECT i, '10.' || i % 250 || '.' || i // 250 % 250 || '.7' AS ip FROM range(1_000_000) AS r(i)) WHERE `+c.condition, query.WriteOptions{})
				if err != nil || res.Rows != 1 {
					b.Fatal(res, err)
				}
			}
		})
	}
}
