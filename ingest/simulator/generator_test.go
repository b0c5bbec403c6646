package simulator_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// now is where the tests' clocks stand.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func newSim(t testing.TB, o simulator.Options) *simulator.Simulator {
	t.Helper()
	if o.Clock == nil {
		o.Clock = at(now)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ndjson(t testing.TB, s *simulator.Simulator, since, until time.Time) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteNDJSON(&b, since, until); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryRecordIsValidJSON(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 3, Count: 12000})
	var sizes []int
	services := map[int64]bool{}
	ids := map[string]bool{}
	for p := range s.Expected() {
		b := p.Bytes()
		if !json.Valid(b) {
			t.Fatalf("not valid: %.2000s", b)
		}
		sizes = append(sizes, len(b))
		services[*p.AppID] = true
		if ids[*p.ID] {
			t.Fatalf("_id %s twice", *p.ID)
		}
		ids[*p.ID] = true
	}
	slices.Sort(sizes)
	n := len(sizes)
	if n < 11600 || n > 12000 {
		t.Errorf("%d of 12000 records visible", n)
	}
	sum := 0
	for _, s := range sizes {
		sum += s
	}
	t.Logf("min %d median %d mean %d p99 %d max %d, %d services", sizes[0], sizes[n/2], sum/n, sizes[n*99/100], sizes[n-1], len(services))
	if m := sizes[n/2]; m < 3000 || m > 5000 {
		t.Errorf("median size %d, want 3000 to 5000", m)
	}
	if sizes[n-1] < 100_000 {
		t.Errorf("largest record has %d bytes, want some beyond 100,000", sizes[n-1])
	}
	if sizes[n*995/1000] > 100_000 {
		t.Errorf("more than 5 in 1000 records are beyond 100,000 bytes")
	}
	if len(services) < 12 {
		t.Errorf("%d services, want at least 12", len(services))
	}
}

func TestEqualOptionsGiveEqualBytes(t *testing.T) {
	o := simulator.Options{Seed: 3, Count: 300, Revisions: 0.1, BadRecords: 0.05, Huge: 0.01, HugeBytes: 50_000, Pile: simulator.Pile{Size: 20}}
	first := ndjson(t, newSim(t, o), time.Time{}, time.Time{})
	if !bytes.Equal(first, ndjson(t, newSim(t, o), time.Time{}, time.Time{})) {
		t.Fatal("equal options gave other bytes")
	}
	other := o
	other.Seed = 4
	if bytes.Equal(first, ndjson(t, newSim(t, other), time.Time{}, time.Time{})) {
		t.Error("another seed gave the same bytes")
	}
}

// The digest holds across releases and machines: benchmarks and saved truths
// name a seed, and mean these bytes. Change it only together with the records.
func TestBytesOfASeed(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 1, Count: 2000, Revisions: 0.02})
	sum := sha256.Sum256(ndjson(t, s, time.Time{}, time.Time{}))
	const want = "1477b30b9b860194b0236c12546434c37d5c5f2ec13c850c875d755c860242b0"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the records of seed 1 are %s, were %s", got, want)
	}
}

func TestAWindowIsASliceOfTheWhole(t *testing.T) {
	o := simulator.Options{Seed: 3, Count: 900, Revisions: 0.1}
	whole := ndjson(t, newSim(t, o), time.Time{}, time.Time{})
	mid := now.AddDate(0, 0, -3).Add(17 * time.Minute)
	s := newSim(t, o)
	// The later part first, by another simulator: nothing before it has been made.
	after := ndjson(t, s, mid, time.Time{})
	before := ndjson(t, newSim(t, o), time.Time{}, mid)
	if len(before) == 0 || len(after) == 0 || !bytes.Equal(whole, slices.Concat(before, after)) {
		t.Errorf("%d + %d bytes are not the whole of %d", len(before), len(after), len(whole))
	}
}

func TestCountIsExact(t *testing.T) {
	for _, count := range []int{1, 7, 1000, 4321} {
		s := newSim(t, simulator.Options{Seed: 3, Count: count, Start: now.Add(-91 * time.Minute), End: now.Add(-13 * time.Minute), Clock: at(now.AddDate(0, 0, 30))})
		n := 0
		for p := range s.Expected() {
			n++
			if ts := time.UnixMilli(*p.Timestamp); ts.Before(now.Add(-91*time.Minute)) || !ts.Before(now.Add(-13*time.Minute)) {
				t.Fatalf("event time %s outside the span", ts)
			}
		}
		if n != count {
			t.Errorf("%d records, want %d", n, count)
		}
	}
}

func TestServicesAndTenant(t *testing.T) {
	o := simulator.Options{Seed: 3, Count: 500, Services: []int64{28375, 12260}}
	s := newSim(t, o)
	seen := map[int64]int{}
	first := ""
	for p := range s.Expected() {
		seen[*p.AppID]++
		if first == "" {
			first = *p.ID
		}
	}
	if len(seen) != 2 || seen[28375] == 0 || seen[12260] == 0 {
		t.Errorf("services %v", seen)
	}
	o.TenantID = 5
	s = newSim(t, o)
	for p := range s.Expected() {
		if *p.ID == first || facet(t, p.Bytes(), "tenantId") != 5 {
			t.Fatalf("another tenant has %.200s", p.Bytes())
		}
	}
}

func TestRevisionsComeLaterUnderTheSameID(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 3, Count: 1000, Revisions: 0.2})
	type version struct {
		created int64
		current bool
		sum     string
	}
	byID := map[string][]version{}
	for p := range s.Expected() {
		byID[*p.ID] = append(byID[*p.ID], version{*p.Created, p.Current, string(p.Bytes())})
	}
	double := 0
	for id, list := range byID {
		current := 0
		for _, v := range list {
			if v.current {
				current++
				for _, w := range list {
					if w.created > v.created {
						t.Errorf("%s: a newer payload is not current", id)
					}
				}
			}
		}
		if current != 1 {
			t.Errorf("%s has %d current payloads", id, current)
		}
		if len(list) == 2 {
			double++
			if list[0].sum == list[1].sum {
				t.Errorf("%s came again unchanged", id)
			}
		}
	}
	if double < 100 || double > 300 {
		t.Errorf("%d of 1000 records have a revision, want about 200", double)
	}
}

func TestBadRows(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 3, Count: 2000, BadRecords: 0.1})
	kinds := map[string]int{}
	bad := 0
	for p := range s.Expected() {
		b := p.Bytes()
		if !json.Valid(b) {
			t.Fatalf("not even JSON: %s", b)
		}
		if p.ID != nil && p.Timestamp != nil {
			continue
		}
		bad++
		switch {
		case p.ID == nil && p.Timestamp == nil:
			kinds["neither"]++
		case p.ID == nil:
			kinds["no id"]++
		default:
			kinds["no timestamp"]++
		}
	}
	if bad < 120 || bad > 280 || len(kinds) != 3 {
		t.Errorf("%d of 2000 rows are bad: %v", bad, kinds)
	}
	got, _ := client{t: t, s: s}.scan(`{}`, `,"limit":500`, 30)
	sameSet(t, got, truth(s))
}

func TestHugeRecords(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 3, Count: 300, Huge: 0.02, HugeBytes: 2 << 20})
	huge := 0
	for p := range s.Expected() {
		if b := p.Bytes(); len(b) > 2<<20 {
			huge++
			if !json.Valid(b) {
				t.Error("a huge record is no JSON")
			}
		}
	}
	if huge == 0 || huge > 20 {
		t.Errorf("%d huge records of 300", huge)
	}
}

// What clients have tripped over must be there: each of these in some record.
func TestDriftIsThere(t *testing.T) {
	var all bytes.Buffer
	s := newSim(t, simulator.Options{Seed: 3, Count: 5000})
	if err := s.WriteNDJSON(&all, time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"entityData":null`, `"entityData":[`, `"1":null`, `"city":null`, `"city":""`, `"user":null`, `"saasId":"11161"`, `"saasId":11161`,
		`"level":"Informational"`, `"Level":4`, `"eventName":{`, `"EventName":"`, `"httpRequest":"{`, `"httpRequest":{`,
		`"":"a key without a name"`, `"$schema":`, `"ACTOR.ENTITY_USER":`, `"Pass-through authentication":`,
		`\u0000`, `\u001b`, `\ud83d\ude00`, `<b>`, `::ffff:`, `"clientIP":"2001:db8:`, `"countryCode":"--"`, ` ","userAgent"`,
		`"ExternalAccess":"False"`, `"ExternalAccess":false`, `"ListBaseType":"1"`, `"ListBaseType":1`, `"failedUserData":`, `"resolvedActorAccount":`,
		`"source":"2"`, `:1.7976931348623157e+308`, `"uniqueQualifier":-`, `"session":null`, `"Data":"{\"`, `"OriginatingServer":"MB`, `\r\n`, `"<null>"`,
	} {
		if !bytes.Contains(all.Bytes(), []byte(want)) {
			t.Errorf("no record holds %s", want)
		}
	}
}

func BenchmarkBodies(b *testing.B) {
	s := newSim(b, simulator.Options{Seed: 3, Count: 20000})
	b.ReportAllocs()
	var buf []byte
	var size int64
	for b.Loop() {
		size = 0
		for p := range s.Expected() {
			buf = p.AppendTo(buf[:0])
			size += int64(len(buf))
		}
	}
	b.SetBytes(size)
}
