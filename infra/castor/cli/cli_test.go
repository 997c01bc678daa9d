package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/spf13/cobra"
)

var start = time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)

// A person sits at a terminal of a world with every function.
type person struct {
	*functiontest.World
	t   *testing.T
	dir string
}

func newPerson(t *testing.T) *person {
	fs := functiontest.Functions{}
	for _, f := range functions.All {
		if f.Name != "users" {
			fs[f.Name] = f.New
		}
	}
	p := &person{functiontest.New(t, fs), t, filepath.Join(t.TempDir(), "castor")}
	p.SetTime(start)
	return p
}

// castor runs the program with what is typed.
func (p *person) castor(typed string, args ...string) (out, hints string, err error) {
	return p.castorUntil(context.Background(), typed, args...)
}

// castorUntil is castor for somebody who interrupts the program.
func (p *person) castorUntil(ctx context.Context, typed string, args ...string) (out, hints string, err error) {
	var o, h bytes.Buffer
	err = p.castorTo(ctx, typed, &o, &h, args...)
	return o.String(), h.String(), err
}

// castorTo is castor for somebody who reads along.
func (p *person) castorTo(ctx context.Context, typed string, out, hints io.Writer, args ...string) error {
	a := &app{now: p.Now, env: func(string) string { return "" }, dir: func() (string, error) { return p.dir, nil }}
	root := &cobra.Command{Use: "castor", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(a.commands()...)
	Usage(root)
	root.SetOut(out)
	root.SetErr(hints)
	root.SetIn(strings.NewReader(typed))
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// does runs the program and wants it to work and to print all of want.
func (p *person) does(args []string, typed string, want ...string) string {
	p.t.Helper()
	out, hints, err := p.castor(typed, args...)
	if err != nil {
		p.t.Fatalf("castor %s: %v\n%s%s", strings.Join(args, " "), err, out, hints)
	}
	for _, w := range want {
		if !strings.Contains(out+hints, w) {
			p.t.Errorf("castor %s does not print %q:\n%s%s", strings.Join(args, " "), w, out, hints)
		}
	}
	return out
}

// fails runs the program and wants one line that says all of want.
func (p *person) fails(args []string, want ...string) {
	p.t.Helper()
	out, _, err := p.castor("", args...)
	if err == nil {
		p.t.Errorf("castor %s works:\n%s", strings.Join(args, " "), out)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			p.t.Errorf("castor %s says %q, which does not name %q", strings.Join(args, " "), err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		p.t.Errorf("castor %s says more than one line: %q", strings.Join(args, " "), err)
	}
}

func words(s string) []string { return strings.Fields(s) }

func (p *person) login(user string) {
	p.t.Helper()
	p.does([]string{"login", user, "--url", p.URL, "--password-stdin"}, functiontest.Password+"\n", "Signed in at "+p.URL+" as "+user)
}

func (p *person) file(name, content string) string {
	p.t.Helper()
	name = filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return name
}

// report has a device report at a time.
func (p *person) report(id twin.ID, seq int64, at time.Time, samples ...telemetry.Sample) {
	p.t.Helper()
	p.Enrol("op-1", 1, id)
	res, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: []telemetry.Message{{Twin: id, Kind: telemetry.Telemetry,
		Time: at, Received: at, Order: twin.Order{Epoch: 1, Seq: seq}, Gateway: "op-1", Samples: samples}}})
	if err != nil || res.Outcomes[0] != telemetry.Stored {
		p.t.Fatalf("report of %s: %v, %v", id, res.Outcomes, err)
	}
}

// From an empty platform to an alarm that somebody takes on, by the command line alone.
func TestFromTypeToAlarm(t *testing.T) {
	p := newPerson(t)
	raised := p.Collect(event.AlarmRaised)
	p.login("admin")
	p.does(words("user me"), "", "admin at "+p.URL+": maintainer")
	p.does([]string{"group", "create", "press", "--name", "Press shop"}, "", "group press created")
	p.does(words("user create ada --role owner --group press --password-stdin"), functiontest.Password, "user ada created")
	p.does(words("user list"), "", "ID", "ada", "owner", "press", "0s ago")

	p.does(words("type create pump --name Pump --property rpm --property temp=Cel --offline-after 2m"), "", "type pump created")
	p.does(words("type get pump"), "", "temp", "Cel", "number")
	p.does([]string{"type", "apply", "-f", "-"}, "id: pump\ndefinition: {name: Big pump}\n", "type pump changed")
	p.does([]string{"type", "apply", "-f", "-"}, "id: pump\ndefinition: {name: Big pump}\n", "type pump unchanged")
	p.does(words("type list"), "", "pump", "Big pump", "2m")

	p.does([]string{"identity", "import", "-f", p.file("devices.csv", "serial,model,type\nP-7,XR,pump\nP-8,XR,pump\n")}, "", "2 created, 0 there already, 0 with faults")
	p.does([]string{"identity", "import", p.file("devices.csv", "serial,model,type\nP-7,XR,pump\n")}, "", "0 created, 1 there already")
	p.fails([]string{"identity", "import", p.file("devices.csv", "serial,model,type\nP-7,XR,pump\n*bad*,,\n")}, "not taken: 1")
	p.does(words("identity get p-7 -o json"), "", `"serial": "P-7"`)
	claim := filepath.Join(t.TempDir(), "claim.json")
	p.does([]string{"claim", "create", "pump", "--owner", "press", "--serials", "P-*", "--uses", "2", "--file", claim}, "", "good for 2 devices")
	var made api.ClaimFile
	b, err := os.ReadFile(claim)
	if err == nil {
		err = json.Unmarshal(b, &made)
	}
	if err != nil || made.Token == "" {
		t.Fatalf("the claim file is not one: %v", err)
	}
	if i, err := os.Stat(claim); err != nil || runtime.GOOS != "windows" && i.Mode().Perm() != 0o600 {
		t.Errorf("others may read the claim file: %v, %v", i.Mode(), err)
	}
	p.does(words("claim list"), "", made.Claim.ID, "0 of 2", "open", "in 24h")
	p.does([]string{"claim", "delete", made.Claim.ID, "-o", "json"}, "", `"outcome": "revoked"`)
	p.does([]string{"claim", "revoke", made.Claim.ID}, "", "claim "+made.Claim.ID+" revoked")
	p.does(words("claim create pump --owner press --expires 7d -o yaml"), "", "token: ")
	p.does(words("claim list --owner press --state revoked"), "", made.Claim.ID, "revoked")
	serials, code := filepath.Join(t.TempDir(), "serials.txt"), filepath.Join(t.TempDir(), "claim.png")
	if err := os.WriteFile(serials, []byte("P-1\n\nP-2 \nP-3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.does([]string{"claim", "create", "pump", "--owner", "press", "--identities", serials, "--batch", "lot-7", "--temporary", "--qr", "--qr-file", code}, "",
		"castor://claim?f=", "▀", "good for 3 devices")
	picture, err := os.Open(code)
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	if img, err := png.Decode(picture); err != nil || img.Bounds().Dx() < 300 {
		t.Errorf("the QR code: %v", err)
	}
	p.does(words("claim list --batch lot-7"), "", "lot-7", "0 of 3")
	p.does([]string{"claim", "create", "pump", "--owner", "press", "-o", "json", "--file", claim}, "", `"maxUses": 1`)
	p.does(words("claim list"), "", "revoked")

	p.does([]string{"twin", "apply", "-f", "-"}, `
id: line-2
kind: aggregate
definition: {owner: press}
---
id: pump-7
kind: instance
definition: {name: Pump seven, type: pump, owner: press, aggregates: [line-2], location: {site: hall 3}}
`, "twin line-2 created", "twin pump-7 created")
	p.does([]string{"rule", "create", "pump", "temp > 80 clear 70", "--id", "hot", "--severity", "critical"}, "", "rule hot created: pump raises a critical alarm when temp > 80 clear 70")
	p.does(words("rule list"), "", "hot", "temp > 80 clear 70", "critical", "user:admin")

	p.report("pump-7", 1, start, telemetry.Sample{Property: "temp", Value: 91.5}, telemetry.Sample{Property: "rpm", Value: 1200.0})
	functiontest.Eventually(t, "the alarm is raised", func() bool { return len(raised()) == 1 })
	if err := p.Event("alerts", raised()...); err != nil {
		t.Fatal(err)
	}
	p.SetTime(start.Add(90 * time.Second))
	p.does(words("twin get pump-7"), "", "Pump seven", "instance of type pump", "hall 3", "91.5 Cel", "1m ago", "hot", "1 stored")
	p.does(words("twin list --type pump"), "", "pump-7", "press", "hot")
	p.does(words("alarm list"), "", "pump-7:hot:1", "critical", "raised", "91.5", "1m ago")

	p.login("ada")
	p.does([]string{"alarm", "ack", "pump-7:hot:1", "--note", "on my way"}, "", "taken on by user:ada")
	p.does(words("alarm get pump-7:hot:1"), "", "acknowledged", "on my way", "temp = 91.5", "hall 3")
	p.does(words("alarm list --state raised"), "", "ID")
	p.does(words("user me"), "", "ada at", "groups press")

	p.login("admin")
	for _, kind := range []string{"type get pump", "twin get pump-7", "rule get hot"} { // what is shown can be applied
		noun := words(kind)[0]
		p.does(words(noun+" apply -f -"), p.does(words(kind+" -o yaml"), ""), "unchanged")
	}
	p.does(words("rule set hot --enabled=false"), "", "rule hot changed")
	p.does([]string{"rule", "apply", "-f", "-"}, `{"id": "hot", "target": "pump", "condition": "temp > 95"}`, "rule hot changed")
	p.does([]string{"rule", "apply", "-o", "json", p.file("hot.json", `{"id": "hot", "target": "pump", "condition": "temp > 96"}`)}, "", `"outcome": "changed"`)
	p.does(words("rule delete hot -o json"), "", `"kind": "rule"`, `"id": "hot"`, `"outcome": "deleted"`)
	p.does(words("twin list --type pmup"), "", "no type pmup")
	p.does(words("twin count"), "", "1 instance (1 online), 1 type, 1 aggregate")
	p.does(words("twin delete pump-7 --yes"), "", "twin pump-7 deleted")
	p.fails(words("twin get pump-7"), "pump-7")
}

func TestHistory(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	p.does(words("type create pump"), "")
	p.does([]string{"twin", "apply", "-f", "-"}, `{"id": "pump-7", "kind": "instance", "definition": {"type": "pump"}}`, "created")
	for i := range 6 {
		p.report("pump-7", int64(i+1), start.Add(time.Duration(i)*20*time.Second), telemetry.Sample{Property: "temp", Value: float64(i) + 0.1}, telemetry.Sample{Property: "note", Value: "a, \"b\"\x1b[31m"})
	}
	p.SetTime(start.Add(3 * time.Minute))

	out := p.does(words("history pump-7 temp -o csv"), "")
	want := "at,property,value,flag\n2026-03-21T10:00:00.000Z,temp,0.1,\n2026-03-21T10:00:20.000Z,temp,1.1,\n"
	if !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 7 {
		t.Errorf("the history as CSV is\n%swant 6 rows, beginning\n%s", out, want)
	}
	out = p.does(words("history pump-7 temp --step 1m --agg avg,max,count -o csv"), "")
	want = "at,avg,max,count,values\n2026-03-21T10:00:00.000Z,1.1,2.1,3,3\n2026-03-21T10:01:00.000Z,4.1,5.1,3,3\n"
	if out != want {
		t.Errorf("the history in steps is\n%swant\n%s", out, want)
	}
	p.does(words("history pump-7 temp --from 2026-03-21T10:01:00Z --to 2026-03-21T10:01:30Z"), "", "3.1", "4.1")
	out = p.does(words("history pump-7 temp --limit 2 --reverse"), "", "5.1", "4.1", "There is more")
	if strings.Contains(out, "3.1") {
		t.Errorf("more than 2 messages are shown:\n%s", out)
	}
	out = p.does(words("history pump-7 temp --limit 2 --all -o json"), "")
	var points []point
	if err := json.Unmarshal([]byte(out), &points); err != nil || len(points) != 6 {
		t.Errorf("the history as JSON has %d points, %v, want 6", len(points), err)
	}
	if out := p.does(words("history pump-7 note"), ""); strings.Contains(out, "\x1b") {
		t.Error("what a device says moves the cursor")
	}
	p.does(words("history pump-7 temp --from 2026-03-20T10:00:00Z --to 2026-03-21T09:00:00Z"), "", "Nothing from 2026-03-20T10:00:00Z to 2026-03-21T09:00:00Z", "the newest record is of 2026-03-21T10:01:40Z, try: --from 2026-03-21")
	p.does(words("history pump-7 tmep"), "", "pump-7 reports no tmep; it reports: note, temp")
	p.does(words("history pump-7 tmep --step 1m"), "", "pump-7 reports no tmep; it reports: note, temp")
	p.does(words("history pump-7 --kind log"), "", "there are no such records of pump-7 at all")
	p.fails(words("history pump-7 --step 1m"), "--step needs a property")
	p.fails(words("history pump-7 temp --from yesterday"), "--from", "yesterday", "90m")
	p.fails(words("history pump-7 temp --step 1m --agg mean"), "mean")
	p.fails(words("history nothing temp"), "nothing")
}

func TestListsArePaged(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	var file strings.Builder
	file.WriteString("serial\n")
	for i := range 250 {
		file.WriteString("S-" + strings.Repeat("0", 3-len(itoa(i))) + itoa(i) + "\n")
	}
	p.does([]string{"identity", "import", "-f", p.file("many.csv", file.String())}, "", "250 created")
	for args, want := range map[string]int{"": 100, "--limit 7": 7, "--limit 100": 100, "--limit 101": 101, "--limit 250": 250, "--all": 250, "--prefix s-01": 10} {
		out, hints, err := p.castor("", append(words("identity list -o csv"), words(args)...)...)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out, "\n") - 1; n != want {
			t.Errorf("identity list %s shows %d, want %d", args, n, want)
		}
		if more := strings.Contains(hints, "--all"); more != (want < 250 && args != "--prefix s-01") {
			t.Errorf("identity list %s: hint %q", args, hints)
		}
	}
	p.fails(words("identity list --limit 0"), "--limit")
}

func itoa(i int) string { return value(float64(i)) }

func TestForms(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	p.does([]string{"group", "create", "press", "--name", "yes"}, "")
	if out := p.does(words("group list -o yaml"), ""); out != "- id: press\n  name: \"yes\"\n  created: \"2026-03-21T10:00:00Z\"\n" {
		t.Errorf("as YAML: %q", out)
	}
	if out := p.does(words("group list"), ""); out != "ID     NAME  CREATED\npress  yes   0s ago\n" {
		t.Errorf("as table: %q", out)
	}
	if out := p.does(words("group list -o csv"), ""); out != "id,name,created\npress,yes,2026-03-21T10:00:00Z\n" {
		t.Errorf("as CSV: %q", out)
	}
	if out := p.does(words("rule list -o json"), ""); out != "[]\n" {
		t.Errorf("an empty list as JSON: %q", out)
	}
	p.fails(words("group list -o xml"), "--output", "xml", "json")
}

func TestMistakesAreExplained(t *testing.T) {
	p := newPerson(t)
	p.fails([]string{"twin", "list", "--url", p.URL}, "you are not signed in at "+p.URL+"; run: castor login --url "+p.URL)
	p.fails(words("twin list --url 127.0.0.1:1"), "no platform answers at http://127.0.0.1:1")
	p.fails(words("twin list --url ftp://x"), "--url", "must be like http://127.0.0.1:8080")
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer secure.Close()
	p.fails([]string{"twin", "list", "--url", secure.URL}, "--ca DATA/keys/castor-ca")
	p.fails([]string{"twin", "list", "--url", strings.Replace(secure.URL, "https", "http", 1)}, "speaks HTTPS now", "castor login --url "+secure.URL)
	p.fails([]string{"twin", "list", "--url", strings.Replace(p.URL, "http", "https", 1)}, "speaks HTTP;", "castor login --url "+p.URL)
	p.fails(words("twin list --url http://127.0.0.1:1"), "no platform answers at http://127.0.0.1:1", "castor up")
	if _, _, err := p.castor("wrong\n", "login", "admin", "--url", p.URL, "--password-stdin"); err == nil || !strings.Contains(err.Error(), "not right") || strings.Contains(err.Error(), "castor login") {
		t.Errorf("a wrong password: %v", err)
	}
	p.fails([]string{"login", "admin", "--url", p.URL}, "--password-stdin")
	p.fails([]string{"twin", "list", "--url", p.URL, "--ca", p.file("ca.pem", "nothing")}, "--ca", "PEM")
	p.login("admin")
	p.fails(words("rule create pump hot"), "condition", "example")
	p.fails([]string{"rule", "create", "nothing", "temp > 8"}, "nothing")
	p.fails(words("rule set x"), "nothing is to be changed")
	p.fails(words("user set x"), "nothing is to be changed")
	p.fails(words("alarm get x"), `no alarm "x"`)
	p.does(words("type create lamp"), "")
	p.fails(words("twin get LAMP"), `there is no twin "LAMP"; capitals count in ids, and there is a twin lamp`)
	if _, _, err := p.castor("", words("twin get HUB")...); err == nil || strings.Contains(err.Error(), "capitals") {
		t.Errorf("nothing is like it in small letters either: %v", err)
	}
	for typed, want := range map[string]string{
		"twin get":                              "; usage: castor twin get ID [flags]; see: castor twin get --help",
		"twin list --colour red":                "unknown flag: --colour; usage: castor twin list",
		"twin list x":                           `"x" is too much: castor twin list takes no arguments; usage`,
		"command list pump-7":                   "takes no arguments; name the twin by --twin pump-7; usage",
		"device list hub-1":                     "takes no arguments; name the twin by --via hub-1; usage",
		"claim create pump":                     `"owner" not set; usage: castor claim create TYPE`,
		"twin gett":                             `has no command "gett"; did you mean: castor twin get`,
		"twin gett --type pump":                 "did you mean: castor twin get",
		"twni":                                  "did you mean: castor twin",
		"claim create pump --owner a --uses 0":  "--uses must be 1 or more",
		"history pump-7 temp --agg max":         "--agg needs --step",
		"claim create p --owner a --expires 1y": "90m or 7d",
	} {
		p.fails(words(typed), want)
	}
	p.fails(words("twin apply -f /nothing/there"), "/nothing/there")
	for name, c := range map[string]struct{ args, typed, want string }{
		"an unknown field":         {"rule apply -f -", "id: a\ntarget: pump\ncolour: red\n", "colour"},
		"a wrong type":             {"rule apply -f -", "id: a\ntarget: [1]\n", "target"},
		"a text for a switch":      {"type apply -f -", "id: a\ndefinition: {model: {reacts: 'yes'}}\n", ": definition.model.reacts must be true or false, not a text"},
		"a text for a list":        {"twin apply -f -", "id: a\ndefinition: {tags: press}\n", ": definition.tags must be a list, not a text"},
		"a list for a model":       {"type apply -f -", "id: a\ndefinition: {model: [a]}\n", ": definition.model must be fields with values, not a list"},
		"half a number":            {"type apply -f -", "id: a\ndefinition: {model: {properties: [{name: a, id: 1.5}]}}\n", "must be a whole number, not 1.5"},
		"a driver":                 {"type apply -f -", "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\n", "this is a driver, which is published with its folder: castor driver publish DIR"},
		"the second document":      {"rule apply -f -", "id: a\ntarget: pump\ncondition: a > 1\n---\nid: b\nx: 1\n", "document 2"},
		"no document":              {"rule apply -f -", "", "nothing in it"},
		"not YAML":                 {"twin apply -f -", "{{{", "yaml"},
		"a rule without an id":     {"rule apply -f -", "target: pump\ncondition: a > 1\n", "id is missing"},
		"a twin without a kind":    {"twin apply -f -", "id: x\n", "kind is missing"},
		"a type that is none":      {"type apply -f -", "id: x\nkind: instance\n", "castor twin apply"},
		"a file that is not named": {"rule apply", "", "the file is missing: castor rule apply FILE"},
		"a file named twice":       {"rule apply a -f b", "", "once"},
		"a template with no name":  {"template apply -f -", "format: json\n", "name is missing"},
	} {
		if _, _, err := p.castor(c.typed, words(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to name %q", name, err, c.want)
		}
	}
}

// The session is renewed by itself, also when many commands run at the same time and the refresh token is good once only.
func TestSessionIsRenewed(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	name := filepath.Join(p.dir, "sessions.json")
	if i, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && i.Mode().Perm() != 0o600 {
		t.Errorf("others may read the session: %v, %v", i.Mode(), err)
	}
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.SetTime(p.Now().Add(24 * time.Hour))
		var g sync.WaitGroup
		for range 8 {
			g.Go(func() {
				if _, _, err := p.castor("", "user", "me"); err != nil {
					t.Errorf("a day later: %v", err)
				}
			})
		}
		g.Wait()
	}
	if after, err := os.ReadFile(name); err != nil || bytes.Equal(before, after) {
		t.Errorf("the session was not kept anew: %v", err)
	}
	p.does(words("logout"), "", "Signed out")
	p.fails(words("user me"), "not signed in at "+p.URL)
	p.fails(words("logout"), "not signed in at "+p.URL)
	if _, err := os.Stat(name + ".lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock is still there: %v", err)
	}
}

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		v    any
		unit string
		want string
	}{
		{0.25, "%", "0.25 %"}, {270553174016.0, "By", "252.0 GiB"}, {2048.0, "By/s", "2.0 KiB/s"}, {12.0, "By", "12 By"}, {1e300, "", "1e+300"},
		{1e14, "", "100000000000000"}, {1e-9, "m", "1e-09 m"}, {true, "", "true"}, {"on", "By", "on By"}, {1e30, "By", "888178419700125.2 PiB"}, {2048.0, "kBy", "2048 kBy"}, {nil, "", ""},
	} {
		if got := quantity(c.v, c.unit); got != c.want {
			t.Errorf("quantity(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

// Ids are completed with what the caller may see.
func TestCompletion(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	p.does(words("type create pump"), "")
	p.does(words("type create press"), "")
	p.does([]string{"rule", "create", "pump", "temp > 80", "--id", "hot"}, "")
	for args, want := range map[string]string{"twin get pu": "pump", "twin get p": "press pump", "rule delete ": "hot", "rule create pr": "press", "twin list --type p": "press pump",
		"twin list -o ": "table wide json yaml csv", "type get pump ": ""} {
		last := args[strings.LastIndex(args, " ")+1:]
		out, _, err := p.castor("", append(append([]string{cobra.ShellCompRequestCmd}, words(strings.TrimSuffix(args, last))...), last)...)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Fields(out)
		if got := strings.Join(lines[:len(lines)-1], " "); got != want {
			t.Errorf("castor %s<TAB> gives %q, want %q", args, got, want)
		}
	}
}

// Every command has a line that says what it does and an example that is one of itself.
func TestEveryCommandIsExplained(t *testing.T) {
	var walk func(path string, c *cobra.Command)
	walk = func(path string, c *cobra.Command) {
		path += " " + c.Name()
		if c.Short == "" || !strings.Contains(c.Example, path) {
			t.Errorf("%s: short %q, example %q", path, c.Short, c.Example)
		}
		for _, sub := range c.Commands() {
			walk(path, sub)
		}
	}
	for _, c := range (&app{}).commands() {
		walk("castor", c)
	}
}
