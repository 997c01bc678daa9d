package drivers_test

import (
	"errors"
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
