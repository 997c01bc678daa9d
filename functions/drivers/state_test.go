package drivers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A version goes from draft over canary to all, and back; the connectors hear of each step.
func TestTheLifeOfAVersion(t *testing.T) {
	w := newWorld(t)
	w.typeOf("th", "press", twin.Model{Driver: "acme-th1"})
	w.devices("th", nil, "th-1", "th-2")
	told := w.Collect(event.DriverChanged)
	is := func(what string, id twin.ID, want string) {
		t.Helper()
		if got := w.reads(id); got != want {
			t.Errorf("%s: %s is read by %q, want %q", what, id, got, want)
		}
	}
	is("nothing is published", "th-1", "there is no driver acme-th1: publish it")
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.publish(w.press, script("acme-th1", "1.1.0", 1))
	is("drafts", "th-1", "driver acme-th1 has no version that is active: promote one")
	w.promote(w.press, "acme-th1", "1.0.0")
	is("promoted", "th-1", "1.0.0")
	if u := w.used("th-1"); u.Kind != "javascript" || len(u.Digest) != 64 || u.Name != "acme-th1" {
		t.Errorf("%+v", u)
	}
	if _, err := w.press.CanaryDriver(bg, "acme-th1", "1.1.0", api.Canary{Twins: []twin.ID{"th-2"}}); err != nil {
		t.Fatal(err)
	}
	is("canary", "th-1", "1.0.0")
	is("canary", "th-2", "1.1.0")
	w.promote(w.press, "acme-th1", "1.1.0")
	is("promoted", "th-1", "1.1.0")
	if v, err := w.press.WithdrawDriver(bg, "acme-th1", "", "it reads too much"); err != nil || v.Version != "1.1.0" || v.State != api.DriverWithdrawn || v.Reason != "it reads too much" {
		t.Errorf("%+v, %v", v, err)
	}
	is("rolled back", "th-2", "1.0.0")
	if _, err := w.press.CanaryDriver(bg, "acme-th1", "1.1.0", api.Canary{Percent: 100}); err != nil {
		t.Fatal(err)
	}
	is("tried again", "th-2", "1.1.0")
	if _, err := w.press.WithdrawDriver(bg, "acme-th1", "1.1.0", ""); err != nil {
		t.Fatal(err)
	}
	is("the end of the trial", "th-2", "1.0.0")
	w.must(w.press.DeleteDriverVersion(bg, "acme-th1", "1.1.0"))
	functiontest.Eventually(t, "each change is told", func() bool { return len(told()) == 6 })
	for _, e := range told() {
		var c api.DriverChanged
		w.must(e.Decode(&c))
		if c.Name != "acme-th1" || e.Subject != "acme-th1" {
			t.Errorf("%+v", c)
		}
	}
}

// What cannot be done is said with what can.
func TestStepsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		w.publish(w.press, script("acme-th1", v, 0))
	}
	w.promote(w.press, "acme-th1", "1.0.0")
	for _, tt := range []struct {
		what string
		do   func() error
		says string
	}{
		{"a canary of what all use", func() error {
			_, err := w.press.CanaryDriver(bg, "acme-th1", "1.0.0", api.Canary{Percent: 5})
			return err
		}, "withdraw it first"},
		{"a canary for nobody", func() error { _, err := w.press.CanaryDriver(bg, "acme-th1", "1.1.0", api.Canary{}); return err }, "percent and twins: one must say"},
		{"a canary for more than all", func() error {
			_, err := w.press.CanaryDriver(bg, "acme-th1", "1.1.0", api.Canary{Percent: 101})
			return err
		}, "percent 101 must be 0 to 100"},
		{"a canary for what is no twin", func() error {
			_, err := w.press.CanaryDriver(bg, "acme-th1", "1.1.0", api.Canary{Twins: []twin.ID{"a b"}})
			return err
		}, "twins[0]"},
		{"a draft withdrawn", func() error { _, err := w.press.WithdrawDriver(bg, "acme-th1", "1.1.0", ""); return err }, "delete it if it is not wanted"},
		{"what is used deleted", func() error { return w.press.DeleteDriverVersion(bg, "acme-th1", "1.0.0") }, "version 1.0.0 is active; withdraw it first"},
		{"a version that is none", func() error { _, err := w.press.PromoteDriver(bg, "acme-th1", "9.0.0"); return err }, `there is no version of driver acme-th1 "9.0.0"`},
		{"a driver that is none", func() error { _, err := w.press.PromoteDriver(bg, "acme", "9.0.0"); return err }, `there is no driver "acme"`},
	} {
		if err := tt.do(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %s", tt.what, err, tt.says)
		}
	}
	if _, err := w.press.WithdrawDriver(bg, "acme-th1", "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.press.WithdrawDriver(bg, "acme-th1", "", ""); !errors.Is(err, api.ErrConflict) {
		t.Errorf("nothing is used: %v", err)
	}
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		w.must(w.press.DeleteDriverVersion(bg, "acme-th1", v))
	}
	if _, err := w.press.GetDriver(bg, "acme-th1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the last version took nothing along: %v", err)
	}
	n := 0
	w.must(w.Base.Objects.List(bg, "drivers/", func(artifact.Object) bool { n++; return true }))
	if page, err := w.press.ListDrivers(bg, ""); err != nil || n != len(page.Items) {
		t.Errorf("%d objects for %d drivers, %v", n, len(page.Items), err)
	}
	// Its name stays the group's, unless a maintainer gives it to others.
	if _, err := w.paint.PublishDriver(bg, script("acme-th1", "1.0.0", 0)); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "take another name") {
		t.Errorf("another group takes the name: %v", err)
	}
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.must(w.press.DeleteDriverVersion(bg, "acme-th1", "1.0.0"))
	given := script("acme-th1", "1.0.0", 0)
	given.Owner = "paint"
	w.publish(w.admin, given)
	if d, err := w.paint.GetDriver(bg, "acme-th1"); err != nil || d.Owner != "paint" {
		t.Errorf("%+v, %v", d, err)
	}
}

// A canary names devices that its driver reads: what is mistyped, gone, another driver's or not to be seen is said, and nothing changes.
func TestACanaryNamesDevicesOfItsDriver(t *testing.T) {
	w := newWorld(t)
	w.typeOf("th", "press", twin.Model{Driver: "acme-th1"})
	w.typeOf("pump", "press", twin.Model{Driver: "acme-pump"})
	w.typeOf("plain", "press", twin.Model{})
	w.typeOf("theirs", "paint", twin.Model{Driver: "acme-th1"})
	w.devices("th", nil, "th-1", "th-2")
	w.devices("pump", nil, "pump-1")
	w.devices("plain", nil, "plain-1")
	w.devices("theirs", nil, "theirs-1")
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	try := func(c *api.Client, ids ...twin.ID) error {
		_, err := c.CanaryDriver(bg, "acme-th1", "1.0.0", api.Canary{Percent: 5, Twins: ids})
		return err
	}
	for _, tt := range []struct {
		what string
		by   *api.Client
		twin twin.ID
		says string
	}{
		{"a twin that is not there", w.press, "th-9", "twins: there is no twin th-9 that you may see; name devices that are there (castor twin list)"},
		{"another group's", w.press, "theirs-1", "twins: there is no twin theirs-1 that you may see"},
		{"another group's, for who sees it", w.admin, "theirs-1", "twins: theirs-1 is of type theirs, which belongs to another group than driver acme-th1"},
		{"another driver's", w.press, "pump-1", "twins: pump-1 is of type pump, which does not name driver acme-th1; leave it out, or have the type name the driver first (castor type apply)"},
		{"no driver's", w.press, "plain-1", "twins: plain-1 is of type plain, which does not name driver acme-th1"},
		{"a type", w.press, "th", "twins: th is no device but of kind type"},
	} {
		if err := try(tt.by, "th-1", tt.twin); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %s", tt.what, err, tt.says)
		}
	}
	if d, err := w.press.GetDriver(bg, "acme-th1"); err != nil || d.Versions[0].State != api.DriverDraft {
		t.Errorf("it is tried all the same: %+v, %v", d.Versions, err)
	}
	w.must(try(w.press, "th-2", "th-1", "th-2"))
	if got := w.reads("th-1"); got != "1.0.0" {
		t.Errorf("th-1 is read by %s", got)
	}
	// A type that was given the driver just now counts at once.
	w.model("plain", twin.Model{Driver: "acme-th1"})
	w.must(try(w.press, "plain-1"))
	w.must(w.admin.DeleteTwin(bg, "th-2"))
	if err := try(w.press, "th-1", "th-2"); err == nil || !strings.Contains(err.Error(), "there is no twin th-2") {
		t.Errorf("one that was deleted: %v", err)
	}
}

// The share of a canary is about what was asked for, always the same, and grows without leaving anybody behind.
func TestTheShareOfACanary(t *testing.T) {
	w := newWorld(t)
	w.typeOf("th", "press", twin.Model{Driver: "acme-th1"})
	var ids []twin.ID
	for i := range 500 {
		ids = append(ids, twin.ID(fmt.Sprintf("th-%d", i)))
	}
	w.devices("th", nil, ids...)
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.publish(w.press, script("acme-th1", "2.0.0", 0))
	w.promote(w.press, "acme-th1", "1.0.0")
	try := func(percent int) map[twin.ID]bool {
		t.Helper()
		_, err := w.press.CanaryDriver(bg, "acme-th1", "2.0.0", api.Canary{Percent: percent})
		w.must(err)
		all, err := w.connector("gw-1").ResolveDrivers(bg, ids)
		w.must(err)
		on := map[twin.ID]bool{}
		for _, u := range all {
			if u.Version == "2.0.0" {
				on[u.Twin] = true
			}
		}
		return on
	}
	few, more := try(10), try(30)
	if len(few) < 30 || len(few) > 75 || len(more) < 115 || len(more) > 190 {
		t.Errorf("10 %% are %d of 500, 30 %% are %d", len(few), len(more))
	}
	for id := range few {
		if !more[id] {
			t.Errorf("%s is in the smaller share only", id)
		}
	}
	if again := try(10); fmt.Sprint(again) != fmt.Sprint(few) {
		t.Error("another time it is others")
	}
}

// A device's firmware selects the version.
func TestFirmwareSelects(t *testing.T) {
	w := newWorld(t)
	w.typeOf("th", "press", twin.Model{Driver: "acme-th1"})
	for version, firmware := range map[string]string{"1.0.0": "<2", "2.0.0": ">=2 <3", "2.1.0": ">=2.4 <3"} {
		in := script("acme-th1", version, 0)
		in.Firmware = firmware
		w.publish(w.press, in)
		w.promote(w.press, "acme-th1", version)
	}
	for i, tt := range []struct {
		firmware any
		want     string
	}{
		{"1.9.9", "1.0.0"}, {"v2.0", "2.0.0"}, {"2.3.9", "2.0.0"}, {"2.4.0", "2.1.0"}, {2.4, "2.1.0"}, {"2.5.0-beta.1", "2.1.0"},
		{"20230913-114521/v2.1.0-gcb84623", "2.0.0"}, {"2.4.0-12-gabcdef0", "2.1.0"}, {"v2.4.0-gabcdef0", "2.1.0"}, {"2.4.0-beta.1", "2.0.0"},
		{nil, "2.1.0"}, {"unknown", "2.1.0"}, {true, "2.1.0"},
		{"3.0", "driver acme-th1 has no version for firmware 3.0: publish one whose range has it"},
	} {
		id := twin.ID(fmt.Sprintf("th-%d", i))
		w.devices("th", tt.firmware, id)
		if got := w.reads(id); got != tt.want {
			t.Errorf("firmware %v is read by %q, want %q", tt.firmware, got, tt.want)
		}
		if u := w.used(id); u.Firmware != "firmware" {
			t.Errorf("it depends on %q", u.Firmware)
		}
	}
}

// The type's parameters are what its driver has for variables.
func TestVariables(t *testing.T) {
	w := newWorld(t)
	w.typeOf("th", "press", twin.Model{Driver: "acme-th1", Parameters: map[string]string{"offset": "1.5"}})
	w.typeOf("raw", "press", twin.Model{Parameters: map[string]string{"offset": "1.5"}})
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.promote(w.press, "acme-th1", "1.0.0")
	w.devices("th", nil, "th-1")
	w.devices("raw", nil, "raw-1")
	if u := w.used("th-1"); len(u.Variables) != 1 || u.Variables["offset"] != "1.5" {
		t.Errorf("its variables are %v", u.Variables)
	}
	if u := w.used("raw-1"); u.Variables != nil {
		t.Errorf("a twin without a driver has variables %v", u.Variables)
	}
}

// Whether the driver's common names count is the type's word; connectors are told.
func TestWhatIsNormalised(t *testing.T) {
	w := newWorld(t)
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.promote(w.press, "acme-th1", "1.0.0")
	w.typeOf("as-decoded", "press", twin.Model{Driver: "acme-th1"})
	w.typeOf("in-common-names", "press", twin.Model{Driver: "acme-th1", Normalised: true})
	w.devices("as-decoded", nil, "th-1")
	w.devices("in-common-names", nil, "th-2")
	if one, two := w.used("th-1"), w.used("th-2"); one.Normalised || !two.Normalised || one.Version != "1.0.0" || two.Version != "1.0.0" {
		t.Errorf("as decoded: %+v, in common names: %+v", one, two)
	}
}
