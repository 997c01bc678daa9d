package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/castor-iot/castor/shared/pause"
)

func TestUnless(t *testing.T) {
	for what, c := range map[string]struct {
		d             time.Duration
		ended, closed bool // ctx and done, from the beginning
		passed        bool
		takes         time.Duration
	}{
		"nothing ends it":                 {d: time.Hour, passed: true, takes: time.Hour},
		"there is nothing to wait for":    {d: -time.Hour, passed: true},
		"done is closed":                  {d: time.Hour, closed: true},
		"the context has ended":           {d: time.Hour, ended: true},
		"nothing to wait for, nor anyone": {d: -time.Hour, ended: true},
	} {
		for range 20 { // of what is ready at once any may be taken
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				if c.ended {
					end()
				}
				done := make(chan struct{})
				if c.closed {
					close(done)
				}
				began := time.Now()
				passed := pause.Unless(ctx, done, c.d)
				if takes := time.Since(began); passed != c.passed || takes != c.takes {
					t.Errorf("%s: %t after %s, want %t after %s", what, passed, takes, c.passed, c.takes)
				}
			})
		}
	}
}

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithTimeout(t.Context(), time.Hour)
		defer end()
		for _, passes := range []bool{true, false} {
			if began := time.Now(); pause.For(ctx, 45*time.Minute) != passes {
				t.Errorf("after %s it says %t", time.Since(began), !passes)
			}
		}
	})
}
