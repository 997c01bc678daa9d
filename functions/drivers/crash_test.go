package drivers_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// kept is what is looked at of what is stored of a version.
type kept struct {
	ID      string    `bson:"_id"`
	Name    string    `bson:"name"`
	Code    string    `bson:"code"`
	Pending time.Time `bson:"pending,omitempty"`
}

// Wherever the function crashes: the same call again does what it should have done, and without one the sweep leaves nothing half done.
func TestCrashes(t *testing.T) {
	w := newWorld(t)
	w.SetTime(time.Now())
	steps := map[string]func(name string) error{
		"publish":  func(name string) error { return second(w.press.PublishDriver(bg, script(name, "1.1.0", 1))) },
		"promote":  func(name string) error { return second(w.press.PromoteDriver(bg, name, "1.0.0")) },
		"withdraw": func(name string) error { return second(w.press.WithdrawDriver(bg, name, "0.9.0", "")) },
		"delete":   func(name string) error { return w.press.DeleteDriverVersion(bg, name, "1.0.0") },
	}
	told := w.Collect(event.DriverChanged)
	for step, do := range steps {
		for n, through := 0, false; !through; n++ {
			for _, how := range functiontest.Ways {
				for _, again := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s, write %d, way %d, again %t", step, n, how, again), func(t *testing.T) {
						w.t = t
						name := fmt.Sprintf("%s-%d-%d-%t", step, n, how, again)
						w.publish(w.press, script(name, "0.9.0", 0))
						w.promote(w.press, name, "0.9.0")
						w.publish(w.press, script(name, "1.0.0", n)) // with others' code: it stays theirs
						c := w.Crash(n, how)
						c.Run(w.World, "drivers", drivers.New)
						err := do(name)
						through = !c.Came()
						if err != nil && api.ProblemOf(err).Status != 503 {
							t.Fatalf("a crash is told as %v", err)
						}
						w.Add("drivers", drivers.New)
						if again {
							if err = do(name); err != nil && (step != "delete" || !errors.Is(err, api.ErrNotFound)) {
								t.Fatalf("again: %v", err)
							}
						}
						w.SetTime(w.Now().Add(11 * time.Minute))
						w.press = w.checked(w.Login("dev", functiontest.Password)) // whose token has ended
						if _, err := w.Part("twin-watchdog", "").Sweep(bg, "drivers"); err != nil {
							t.Fatal(err)
						}
						w.whole(t, name)
						d, err := w.press.GetDriver(bg, name)
						w.must(err)
						states := ""
						for _, v := range d.Versions {
							states += v.Version + " " + string(v.State) + " "
						}
						before, after := "1.0.0 draft 0.9.0 active ", map[string]string{
							"publish": "1.1.0 draft 1.0.0 draft 0.9.0 active ", "promote": "1.0.0 active 0.9.0 active ",
							"withdraw": "1.0.0 draft 0.9.0 withdrawn ", "delete": "0.9.0 active ",
						}[step]
						if states != after && (again || states != before) {
							t.Errorf("it is %s", states)
						}
						if change := map[string]api.DriverState{"promote": api.DriverActive, "withdraw": api.DriverWithdrawn}[step]; change != "" && states == after {
							version := map[string]string{"promote": "1.0.0", "withdraw": "0.9.0"}[step]
							functiontest.Eventually(t, "the connectors are told", func() bool {
								for _, e := range told() {
									var c api.DriverChanged
									if e.Decode(&c) == nil && c.Name == name && c.Version == version && c.State == change {
										return true
									}
								}
								return false
							})
						}
					})
				}
			}
		}
	}
}

// whole wants the content of each version that there is, and nothing else of the driver.
func (w *world) whole(t *testing.T, name string) {
	t.Helper()
	c, err := store.Open[kept](bg, w.Base.DB, store.Spec{Name: "driver-versions", Schema: 1})
	w.must(err)
	page, err := c.Find(bg, store.Query{Filter: store.Prefix("_id", name+"@")})
	w.must(err)
	d, err := w.press.GetDriver(bg, name)
	w.must(err)
	for _, v := range d.Versions {
		if _, err := w.press.GetDriverVersion(bg, name, v.Version); err != nil {
			t.Errorf("version %s: %v", v.Version, err)
		}
	}
	for _, v := range page.Items {
		if !v.Pending.IsZero() {
			t.Errorf("%s is still pending", v.ID)
		}
	}
	if len(page.Items) != len(d.Versions) {
		t.Errorf("%d contents for %d versions", len(page.Items), len(d.Versions))
	}
}

// Replicas that publish at once agree on one content for a version.
func TestReplicas(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			for errs[i] = api.ErrTooMany; errors.Is(errs[i], api.ErrTooMany); <-time.After(10 * time.Millisecond) { // two of a caller go on at a time
				_, errs[i] = w.press.PublishDriver(bg, script("acme-th1", "1.0.0", i%2))
			}
		})
	}
	wg.Wait()
	taken := 0
	for _, err := range errs {
		if err == nil {
			taken++
		} else if !errors.Is(err, api.ErrConflict) {
			t.Error(err)
		}
	}
	if taken != 4 {
		t.Errorf("%d of 8 were taken: %v", taken, errs)
	}
	w.SetTime(time.Now().Add(11 * time.Minute))
	w.press = w.checked(w.Login("dev", functiontest.Password))
	if _, err := w.Part("twin-watchdog", "").Sweep(bg, "drivers"); err != nil {
		t.Fatal(err)
	}
	w.whole(t, "acme-th1")
}

// A replica that knows how a twin's messages are read hears of a change that another has made.
func TestAnotherReplicaHearsOfAChange(t *testing.T) {
	w := newWorld(t)
	w.SetTime(time.Now()) // what is known does not become old
	w.typeOf("th", "press", twin.Model{Driver: "acme-th1"})
	w.devices("th", nil, "th-1")
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.Add("other", drivers.New)
	ask := func() (parked string) {
		t.Helper()
		var all []api.UsedDriver
		w.must(w.Part("connector", "gw-1").Call(bg, "POST", "other", "/resolve", api.ResolveDrivers{Twins: []twin.ID{"th-1"}}, &all))
		return all[0].Parked
	}
	if got := ask(); got == "" {
		t.Fatal("a draft is used")
	}
	w.promote(w.press, "acme-th1", "1.0.0")
	functiontest.Eventually(t, "the other replica knows", func() bool { return ask() == "" })
}
