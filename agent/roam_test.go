package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// A device whose gateway has died asks each of its gateways once, quickly, before it waits longer. 45 s after the death, when the platform
// has given it a place elsewhere, it must not take much longer to find it, however many gateways it knows.
func TestAlternativesAreTriedInRounds(t *testing.T) {
	a := &Agent{cfg: Config{Retry: Retry{Min: time.Second, Max: time.Minute}}}
	a.id.bundle = &api.Bundle{Gateway: "own", Gateways: []string{"own", "b", "c", "d"}}
	b := a.cfg.Retry.start()
	var dialled []string
	var waited time.Duration
	gaps := map[string]time.Duration{}
	last := map[string]time.Duration{}
	for waited < 45*time.Second {
		g := a.gateway()
		dialled = append(dialled, g)
		gaps[g], last[g] = waited-last[g], waited
		a.tries++
		p := a.pause(b)
		if a.tries%4 != 0 && (p < time.Second/2 || p > time.Second) {
			t.Errorf("within a round it waits %v", p)
		}
		waited += p
	}
	if want := []string{"own", "b", "c", "d", "own", "b", "c", "d"}; !slices.Equal(dialled[:8], want) {
		t.Errorf("it dials %q, want %q", dialled[:8], want)
	}
	for g, gap := range gaps {
		if gap > 20*time.Second {
			t.Errorf("%v pass until it tries %s again", gap, g)
		}
	}
	if waited > 76*time.Second {
		t.Errorf("after it has a place elsewhere its next attempt is %v after its gateway's death", waited)
	}
}

// A device that knows one gateway backs off as ever.
func TestOneGatewayIsAskedEverLessOften(t *testing.T) {
	a := &Agent{cfg: Config{Retry: Retry{Min: time.Second, Max: time.Minute}}}
	a.id.bundle = &api.Bundle{Gateway: "own"}
	b := a.cfg.Retry.start()
	for n := range 10 {
		if g := a.gateway(); g != "own" {
			t.Errorf("it dials %q", g)
		}
		a.tries++
		if p, most := a.pause(b), min(time.Second<<n, time.Minute); p < most/2 || p > most {
			t.Errorf("pause %d is %v, want %v to %v", n, p, most/2, most)
		}
	}
}
