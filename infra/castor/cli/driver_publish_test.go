package cli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/objecttest"
)

// newMaker is a person with a folder of their own, at a platform that takes drivers.
func newMaker(t *testing.T) *person {
	p := newPerson(t)
	p.Base.Objects = objecttest.Start(t)
	p.Add("drivers", drivers.New)
	p.login("admin")
	p.does(words("group create press"), "")
	p.does(words("user create eve --role developer --group press --password-stdin"), functiontest.Password)
	p.login("eve")
	t.Chdir(t.TempDir())
	return p
}

// version gives the driver in the folder another version, and its code another text.
func (p *person) version(dir, from, to, code, with string) {
	p.t.Helper()
	for _, f := range []struct{ name, from, to string }{{"driver.yaml", "version: " + from, "version: " + to}, {"codec.js", code, with}} {
		name := filepath.Join(dir, f.name)
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte(f.from)) {
			p.t.Fatalf("%s does not have %q: %v", name, f.from, err)
		}
		if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte(f.from), []byte(f.to)), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// A maker's way: publish, canary, promote, roll back, delete; refusals say what is wrong.
func TestDriverPublish(t *testing.T) {
	p := newMaker(t)
	p.login("admin")
	p.does(words("twin apply -f -"), "id: therm\nkind: type\ndefinition: {owner: press, model: {driver: th}}\n---\nid: th-1\nkind: instance\ndefinition: {type: therm, owner: press}\n---\nid: th-2\nkind: instance\ndefinition: {type: therm, owner: press}\n", "created")
	p.does(words("driver new all"), "")
	p.does(words("driver publish all"), "", "driver all 0.1.0 published", "Driver all is the platform's: everybody may use it", "--owner GROUP")
	p.login("eve")
	p.does(words("driver new th"), "")
	published := p.does(words("driver publish th"), "", "driver th 0.1.0 published: 5 tests passed; it is draft", "castor driver canary th 0.1.0 5%")
	if strings.Contains(published, "everybody") {
		t.Errorf("what is her group's is said to be the platform's:\n%s", published)
	}
	p.does(words("driver publish th"), "", "driver th 0.1.0 is there already, with the same content; it is draft")
	p.does(words("driver list"), "", "th", "A thermometer", "press", "none", "tasmota", "the platform", "active")
	p.does(words("driver promote th 0.1.0"), "", "driver th 0.1.0 is active")
	if out := p.does(words("driver get zigbee2mqtt 1.0.0"), "", "SHA-256"); strings.Contains(out, "tests") { // what comes with the platform has none
		t.Errorf("tests of what has none:\n%s", out)
	}
	shown := p.does(words("driver get tasmota"), "", "1.1.0")
	if row := strings.Fields(shown[strings.Index(shown, "1.1.0"):]); row[4] != "-" {
		t.Errorf("tests of what has none: %q\n%s", row[4], shown)
	}

	p.version("th", "0.1.0", "0.2.0", "raw / 100", "raw / 10")
	out, _, err := p.castor("", "driver", "publish", "th")
	if err == nil || err.Error() != "driver th 0.2.0 was refused: 2 failures" || !strings.Contains(out, `  FAIL tests[0] "a warm day": data.temperature: want 22, got 220`) {
		t.Errorf("a driver that fails its tests: %v\n%s", err, out)
	}
	p.version("th", "0.2.0", "0.2.0", "raw / 10", "raw * 0.01")
	p.does(words("driver publish th --canary 5%"), "", "it is canary for 5%")
	p.does(words("driver canary th 0.2.0 20% --twin th-1,th-2"), "", "driver th 0.2.0 is canary for 20% and 2 twins")
	p.fails(words("driver canary th 0.2.0 --twin th-1,th-7"), "there is no twin th-7 that you may see", "castor twin list")
	p.fails(words("driver canary th 0.2.0 --twin TH-1"), "there is no twin TH-1 that you may see", "; capitals count in ids, and there is a twin th-1")
	p.does(words("driver get th"), "", "press", "0.2.0", "canary for 20% and 2 twins", "0.1.0", "active", "user:eve")
	p.does(words("driver get th 0.2.0"), "", "th-1, th-2", "javascript", "5 tests passed", "SHA-256")
	p.does(words("driver get th 0.2.0 -o json"), "", `"percent": 20`)
	p.does([]string{"driver", "rollback", "th", "--reason", "wrong below zero"}, "", "driver th 0.2.0 is withdrawn; devices use the next older version")
	p.does(words("driver get th"), "", "wrong below zero")
	p.does(words("driver promote th 0.2.0 -o yaml"), "", "state: active")
	p.does(words("driver withdraw th 0.2.0"), "", "driver th 0.2.0 is withdrawn")

	p.does(words("driver get th --to again"), "", filepath.Join("again", "codec.js"))
	if a, err := os.ReadFile(filepath.Join("again", "codec.js")); err != nil || !bytes.Contains(a, []byte("raw / 100")) {
		t.Errorf("the folder has not the code of the version that devices use: %v\n%s", err, a)
	}
	p.fails(words("driver get th --to again"), "--force")
	p.does(words("driver get th 0.2.0 --to again --force"), "")
	p.does(words("driver test again --limit 5s"), "", "5 passed, 0 failed")
	p.does(words("driver publish again"), "", "driver th 0.2.0 is there already")

	p.does(words("driver delete th 0.2.0"), "", "driver th 0.2.0 deleted")
	p.does(words("driver rollback th"), "", "driver th 0.1.0 is withdrawn; no other is active: messages of its devices are parked until one is promoted: castor driver promote th VERSION")
	p.does(words("driver promote th 0.1.0"), "")
	p.fails(words("driver promote th v0.1.0"), `driver th has no version "v0.1.0"; it has`)
	p.fails(words("driver promote nobody 0.1.0"), `there is no driver "nobody"`)
	for want, args := range map[string]string{
		"no version \"0.2.0\"; it has 0.1.0":       "driver get th 0.2.0",
		"one of them":                              "driver publish th --activate --canary 5%",
		"must be a whole number of percent":        "driver publish th --canary half",
		"percent from 0 to 100":                    "driver canary th 0.1.0 101%",
		"a share like 5%, or --twin":               "driver canary th 0.1.0",
		"castor driver withdraw th 0.1.0":          "driver canary th 0.1.0 0%",
		"--canary 0% is no device":                 "driver publish th --canary 0%",
		"there is no driver":                       "driver get nobodys",
		"driver.yaml":                              "driver publish .",
		"one of --driver, --type and --twin":       "driver redrive",
		"--cancel needs the ID":                    "driver redrive --twin th-1 --cancel",
		"say what is to be read again: one of --d": "driver redrive redrive-1 --driver th",
		"maintainers":                              "driver withdraw tasmota 1.0.0",
	} {
		p.fails(words(args), want)
	}
	for typed, want := range map[string]string{"driver get t": "tasmota th", "driver promote th ": "0.1.0", "driver rollback th ": "", "driver redrive --driver th": "th"} {
		last := typed[strings.LastIndex(typed, " ")+1:]
		out, _, err := p.castor("", append(append([]string{"__complete"}, words(strings.TrimSuffix(typed, last))...), last)...)
		lines := strings.Fields(out)
		if err != nil || len(lines) == 0 || strings.Join(lines[:len(lines)-1], " ") != want {
			t.Errorf("castor %s<TAB> gives %q, want %q, %v", typed, out, want, err)
		}
	}
}

// A key signs what is published; without it nobody publishes another version.
func TestDriverKey(t *testing.T) {
	p := newMaker(t)
	p.does(words("driver new th"), "")
	p.does(words("driver key acme.key"), "", "acme.key holds the key; its public part is ")
	if i, err := os.Stat("acme.key"); err != nil || runtime.GOOS != "windows" && i.Mode().Perm() != 0o600 {
		t.Errorf("others may read the key: %v, %v", i.Mode(), err)
	}
	p.fails(words("driver key acme.key"), "acme.key is there already", "choose another file")
	p.does(words("driver publish th --key acme.key -o json"), "", `"signed": true`)
	p.does(words("driver list"), "", "yes")
	p.version("th", "0.1.0", "0.2.0", "raw", "hundredths")
	p.does(words("driver key other.key"), "")
	p.fails(words("driver publish th"), "sign")
	p.fails(words("driver publish th --key other.key"), "key")
	p.does(words("driver publish th --key acme.key --activate"), "", "it is active")
	for want, file := range map[string]string{"holds no key in PEM": "th/codec.js", "--key: open gone": "gone"} {
		p.fails(words("driver publish th --key "+file), want)
	}
	if _, err := os.Stat("gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// What was parked is read again in the background; who goes away does not end it.
func TestDriverRedrive(t *testing.T) {
	p := newMaker(t)
	p.does(words("driver new th"), "")
	p.does(words("driver publish th --activate"), "")
	p.login("admin")
	p.does([]string{"twin", "apply", "-f", "-"}, "id: therm\nkind: type\ndefinition: {owner: press, model: {driver: th}}\n---\nid: th-1\nkind: instance\ndefinition: {type: therm, owner: press}\n", "created")
	p.Enrol("op-1", 1, "th-1")
	for i, frame := range [][]byte{{8, 0x98, 100}, {8}} {
		res, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: []telemetry.Message{{Twin: "th-1", Generation: 1, Kind: telemetry.Undecoded,
			Was: telemetry.Telemetry, Received: start, Order: twin.Order{Epoch: 1, Seq: int64(i+1) * 1024, Assigned: true}, Gateway: "op-1", Port: 1, Raw: frame, Driver: "th@0.0.9", Reason: "it looped"}}})
		if err != nil || res.Outcomes[0] != telemetry.Parked {
			t.Fatal(res, err)
		}
	}
	id := regexp.MustCompile(`redrive [^ ]+`).FindString(p.does(words("driver redrive --driver th --detach"), "", "is queued: 0 messages stored"))[len("redrive "):]
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := p.castorUntil(ctx, "", "driver", "redrive", id); err == nil {
		t.Error("a command that was interrupted at once says nothing")
	}
	ctx, cancel = context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	if _, _, err := p.castorUntil(ctx, "", "driver", "redrive", id); err == nil || !strings.Contains(err.Error(), "goes on in the platform. Follow it: castor driver redrive "+id) {
		t.Errorf("interrupted: %v", err)
	}
	functiontest.Eventually(t, "the redrive has ended", func() bool {
		p.SetTime(p.Now().Add(time.Minute))
		if err := p.Tick("drivers", p.Now()); err != nil {
			t.Fatal(err)
		}
		out, _, err := p.castor("", "driver", "redrives")
		return err == nil && strings.Contains(out, "done")
	})
	p.does(words("driver redrive "+id), "", "is done: 1 message stored, 1 stay parked", "the length of the frame is 1, it must be 3")
	p.does(words("twin parked th-1"), "", "PAYLOAD", "PORT", " 08 ")
	p.does(words("driver redrive --twin th-1 --detach"), "")
	p.does(words("driver redrives"), "", id, "driver th", "user:admin")
	p.does(words("twin get th-1"), "", "22")
	p.fails(words("driver redrive redrive-gone"), "redrive-gone")
}

// What belongs to no twin is for maintainers to look at.
func TestParkedMessagesOfNoTwin(t *testing.T) {
	p := newMaker(t)
	p.Enrol("op-1", 1)
	res, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: []telemetry.Message{{Kind: telemetry.Undecoded,
		Received: start, Order: twin.Order{Epoch: 1, Seq: 1, Assigned: true}, Gateway: "op-1", Raw: []byte("a frame"), Reason: "no twin is known for device reference r-1"}}})
	if err != nil || res.Outcomes[0] != telemetry.Parked {
		t.Fatal(res, err)
	}
	p.fails(words("twin parked --no-twin"), "for maintainers")
	p.login("admin")
	p.does(words("twin parked --no-twin"), "", "a frame", "no twin is known for device reference r-1")
	p.fails(words("twin parked"), "name the twin", "--no-twin")
	p.fails(words("twin parked pump-1 --no-twin"), "name the twin", "--no-twin")
}
