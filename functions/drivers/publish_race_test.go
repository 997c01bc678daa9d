package drivers_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// A driver that is deleted while the tests of its next version run does not come back, least of all as somebody else's.
func TestDeletedWhileItIsPublished(t *testing.T) {
	w := newWorld(t)
	for what, again := range map[string]bool{"gone": false, "made-anew": true} {
		w.publish(w.press, script(what, "1.0.0", 0))
		happen := func() {
			w.SetTime(w.Now().Add(time.Second))
			err := w.press.DeleteDriverVersion(bg, what, "1.0.0")
			if again && err == nil {
				_, err = w.press.PublishDriver(bg, script(what, "2.0.0", 0))
			}
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.meanwhile.Store(&happen)
		if _, err := w.press.PublishDriver(bg, script(what, "1.1.0", 0)); !errors.Is(err, api.ErrConflict) {
			t.Errorf("%s: %v", what, err)
		}
		d, err := w.admin.GetDriver(bg, what)
		if again && (err != nil || d.Owner != "press" || len(d.Versions) != 1) || !again && !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %+v, %v", what, d, err)
		}
	}
}

// Few publications of one caller go on at a time, so that whoever publishes much leaves the workers to others.
func TestManyPublicationsOfOne(t *testing.T) {
	w := newWorld(t)
	begun, goOn, done := make(chan bool), make(chan bool), make(chan error, 2)
	held := func() { begun <- true; <-goOn }
	for _, name := range []string{"a", "b"} {
		w.meanwhile.Store(&held)
		go func() {
			_, err := w.press.PublishDriver(bg, script(name, "1.0.0", 0))
			done <- err
		}()
		select {
		case <-begun:
		case err := <-done:
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := w.press.PublishDriver(bg, script("c", "1.0.0", 0)); !errors.Is(err, api.ErrTooMany) || !strings.Contains(err.Error(), "2 of your publications go on already; wait for one") {
		t.Errorf("a third: %v", err)
	}
	w.publish(w.paint, script("d", "1.0.0", 0))
	close(goOn)
	for range 2 {
		w.must(<-done)
	}
	w.publish(w.press, script("c", "1.0.0", 0))
}
