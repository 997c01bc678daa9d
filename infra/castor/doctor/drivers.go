package doctor

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
)

// drivers tells of payload drivers that were stopped, because messages of devices are parked by that.
func (c *Config) drivers(ctx context.Context, f *findings) {
	var all []api.Driver
	for cursor := ""; ; {
		page, err := c.API.ListDrivers(ctx, cursor)
		if err != nil {
			asking(f, "which payload drivers there are", err)
			return
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	judgeDrivers(f, all)
}

func judgeDrivers(f *findings, all []api.Driver) {
	well := true
	for _, d := range all {
		for i, v := range d.Versions {
			if v.State != api.DriverQuarantined && len(v.Blocked) == 0 || replaced(d.Versions[:i], v) {
				continue
			}
			well = false
			remedy := fmt.Sprintf("publish a mended version and promote it, or castor driver rollback %s; then castor driver redrive %s", d.Name, d.Name)
			if v.State == api.DriverQuarantined {
				f.warn(fmt.Sprintf("payload driver %s %s is in quarantine: %s", d.Name, v.Version, v.Reason), remedy)
				continue
			}
			some := "1 twin"
			if n := len(v.Blocked); n > 1 {
				some = fmt.Sprintf("%d twins", n)
			}
			f.warn(fmt.Sprintf("payload driver %s %s parks what %s send, the first of them %s: %s", d.Name, v.Version, some, v.Blocked[0], v.Reason),
				fmt.Sprintf("publish a mended version, or promote it again once the device is mended: castor driver promote %s %s; then castor driver redrive %s", d.Name, v.Version, d.Name))
		}
	}
	if well {
		f.ok(fmt.Sprintf("no payload driver of %d was stopped", len(all)))
	}
}

// replaced tells whether one of the newer versions is for all devices that v was for.
func replaced(newer []api.DriverVersion, v api.DriverVersion) bool {
	for _, n := range newer {
		if n.State == api.DriverActive && (n.Firmware == "" || n.Firmware == v.Firmware) {
			return true
		}
	}
	return false
}
