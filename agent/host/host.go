// Package host measures the machine it runs on and tells what it is: an agent's Source and its facts. It has no history
// and no thresholds, and it never tells who uses the machine or what runs on it.
package host

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/sensors"
)

// A Host measures this machine. Make one with New; its methods may be called by several goroutines.
type Host struct {
	// Now tells the time that rates are computed by.
	Now func() time.Time

	mu   sync.Mutex
	at   time.Time // of traffic; the zero time before the first
	seen traffic
}

// New begins to measure: rates are since the last measurement.
func New() *Host { return &Host{Now: time.Now} }

// Measure returns what can be measured, as nested values; what the system does not have is left out:
//
//	cpu          percent (since the last measurement, of all cores), cores
//	memory, swap percent, used, total (bytes)
//	disk         percent, used, total (bytes) of the file system at /
//	load         1, 5, 15 (minutes)
//	net          rx, tx (bytes per second since the last measurement, of all real interfaces)
//	temperature  max (°C, of all sensors)
//	uptime       seconds
func (h *Host) Measure(ctx context.Context) (map[string]any, error) {
	out := map[string]any{}
	for name, measure := range map[string]func(context.Context) map[string]any{
		"cpu": measureCPU, "memory": measureMemory, "swap": measureSwap, "disk": measureDisk,
		"load": measureLoad, "net": h.measureNet, "temperature": measureTemperature,
	} {
		if v := measure(ctx); v != nil {
			out[name] = v
		}
	}
	if up, err := host.UptimeWithContext(ctx); err == nil {
		out["uptime"] = up
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, errors.New("nothing can be measured on this machine")
	}
	return out, nil
}

func measureCPU(ctx context.Context) map[string]any {
	out := map[string]any{"cores": runtime.NumCPU()}
	if p, err := cpu.PercentWithContext(ctx, 0, false); err == nil && len(p) == 1 {
		out["percent"] = hundredths(p[0])
	}
	return out
}

func measureMemory(ctx context.Context) map[string]any {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil
	}
	return share(m.UsedPercent, m.Used, m.Total)
}

func measureSwap(ctx context.Context) map[string]any {
	m, err := mem.SwapMemoryWithContext(ctx)
	if err != nil || m.Total == 0 {
		return nil
	}
	return share(m.UsedPercent, m.Used, m.Total)
}

func measureDisk(ctx context.Context) map[string]any {
	root := "/"
	if runtime.GOOS == "windows" {
		root = `C:\`
	}
	d, err := disk.UsageWithContext(ctx, root)
	if err != nil {
		return nil
	}
	return share(d.UsedPercent, d.Used, d.Total)
}

func measureLoad(ctx context.Context) map[string]any {
	if runtime.GOOS == "windows" { // which has no such thing
		return nil
	}
	l, err := load.AvgWithContext(ctx)
	if err != nil {
		return nil
	}
	return map[string]any{"1": hundredths(l.Load1), "5": hundredths(l.Load5), "15": hundredths(l.Load15)}
}

func measureTemperature(ctx context.Context) map[string]any {
	temps, _ := sensors.TemperaturesWithContext(ctx) // the error tells of single sensors
	highest := math.Inf(-1)
	for _, t := range temps {
		if t.Temperature != 0 && t.Temperature > -60 && t.Temperature < 150 { // sensors that are not there say 0 or absurd values
			highest = max(highest, t.Temperature)
		}
	}
	if math.IsInf(highest, 0) {
		return nil
	}
	return map[string]any{"max": hundredths(highest)}
}

// traffic is what went over the real interfaces since the machine started.
type traffic struct{ rx, tx uint64 }

func (h *Host) measureNet(ctx context.Context) map[string]any {
	all, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil
	}
	var sum traffic
	for _, c := range all {
		if real(c.Name) {
			sum.rx, sum.tx = sum.rx+c.BytesRecv, sum.tx+c.BytesSent
		}
	}
	return h.rate(sum)
}

// rate is nil at first, and when the counters have begun anew.
func (h *Host) rate(sum traffic) map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	before, since := h.seen, now.Sub(h.at).Seconds()
	first := h.at.IsZero()
	h.seen, h.at = sum, now
	if first || since <= 0 || sum.rx < before.rx || sum.tx < before.tx {
		return nil
	}
	return map[string]any{"rx": math.Round(float64(sum.rx-before.rx) / since), "tx": math.Round(float64(sum.tx-before.tx) / since)}
}

func share(percent float64, used, total uint64) map[string]any {
	return map[string]any{"percent": hundredths(percent), "used": used, "total": total}
}

func hundredths(v float64) float64 { return math.Round(v*100) / 100 }
