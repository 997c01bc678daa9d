package host

import (
	"context"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

func TestMeasuresThisMachine(t *testing.T) {
	h := New()
	now := time.Now()
	h.Now = func() time.Time { now = now.Add(time.Second); return now }
	if _, err := h.Measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := h.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nested := map[string]any{} // the platform's own rules take it
	for k, v := range data {
		if n, ok := v.(map[string]any); ok {
			nested[k] = n
		} else {
			nested[k] = v
		}
	}
	samples, err := telemetry.Flatten(nested)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, s := range samples {
		got[s.Property] = s.Value.(float64)
	}
	want := []string{"cpu.percent", "cpu.cores", "memory.percent", "memory.used", "memory.total", "disk.percent", "disk.used", "disk.total", "net.rx", "net.tx", "uptime"}
	if runtime.GOOS != "windows" {
		want = append(want, "load.1", "load.5", "load.15")
	}
	for _, p := range want {
		if _, ok := got[p]; !ok {
			t.Errorf("%s was not measured: %v", p, got)
		}
	}
	for p, v := range got {
		if strings.HasSuffix(p, ".percent") && (v < 0 || v > 100) || v < 0 && p != "temperature.max" {
			t.Errorf("%s is %v", p, v)
		}
	}
	if got["cpu.cores"] != float64(runtime.NumCPU()) || got["memory.used"] > got["memory.total"] || got["memory.total"] < 1<<20 || got["uptime"] == 0 {
		t.Errorf("measured %v", got)
	}
}

func TestNetRates(t *testing.T) {
	now := time.Now()
	h := Host{Now: func() time.Time { return now }}
	for _, c := range []struct {
		name  string
		after time.Duration
		sum   traffic
		rx    any // nil = not reported
	}{
		{"first", 0, traffic{1000, 50}, nil},
		{"two seconds later", 2 * time.Second, traffic{2000, 50}, 500.0},
		{"at the same instant", 0, traffic{2000, 50}, nil},
		{"counters began anew", time.Second, traffic{10, 0}, nil},
		{"and go on", time.Second, traffic{110, 0}, 100.0},
	} {
		now = now.Add(c.after)
		if got := h.rate(c.sum); got["rx"] != c.rx {
			t.Errorf("%s: %v, want rx %v", c.name, got, c.rx)
		}
	}
}

func TestWhoThisMachineIs(t *testing.T) {
	facts := Facts(context.Background(), "v1.2.3")
	for _, k := range []string{"os", "platform", "kernel", "arch", "cores", "hostname", "agent"} {
		if facts[k] == "" {
			t.Errorf("no fact %s: %v", k, facts)
		}
	}
	serial, err := Serial(t.Context())
	if err == ErrNoID {
		t.Logf("this machine has no id: %v", err)
		serial = "host-00000000000000000000"
	} else if again, _ := Serial(t.Context()); err != nil || again != serial || !regexp.MustCompile(`^host-[0-9a-f]{20}$`).MatchString(serial) {
		t.Errorf("serial is %q, then %q (%v)", serial, again, err)
	}
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(id) > 20 && strings.Contains(string(id), strings.TrimPrefix(serial, "host-")) {
		t.Error("the serial shows the machine's id")
	}
	who := device.Identity{Serial: serial, MAC: MAC(), Model: Model()}
	if err := who.Normalise(); err != nil {
		t.Errorf("the platform would not take %+v: %v", who, err)
	}
	if all, _ := net.Interfaces(); who.MAC != "" {
		found := false
		for _, i := range all {
			found = found || i.HardwareAddr.String() == who.MAC
		}
		if !found {
			t.Errorf("no interface has the MAC %s", who.MAC)
		}
	}
}
