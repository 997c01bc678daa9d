package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/unit"
	"github.com/castor-iot/castor/shared/twin"
)

// unread says why messages of a type's devices would be parked, or why its driver does not react, and what to do about it; "" = nothing
// is known against its driver. A type may be there before its driver is, so it is no error.
func unread(ctx context.Context, c *api.Client, t twin.Definition) string {
	if t.Model == nil || t.Model.Driver == "" {
		return ""
	}
	name := t.Model.Driver
	d, err := c.GetDriver(ctx, name)
	switch {
	case errors.Is(err, api.ErrNotFound), errors.Is(err, twin.ErrInvalid):
		return fmt.Sprintf("there is no driver %s that you may see: messages of its devices are parked until one is published (castor driver publish), or the type names another (castor driver list)", name)
	case err != nil:
		return "" // it is a word beside what was asked for
	case d.Owner != "" && t.Owner != "" && d.Owner != t.Owner:
		return fmt.Sprintf("driver %s belongs to group %s, the type to %s: messages of its devices are parked until it is published for %s under a name of its own, or the type names another (castor driver list)", name, d.Owner, t.Owner, t.Owner)
	}
	var canary, stopped string
	for _, v := range d.Versions {
		switch {
		case v.State == api.DriverActive && t.Model.Reacts:
			return deaf(name, v.Kind)
		case v.State == api.DriverActive:
			return ""
		case v.State == api.DriverCanary && canary == "":
			canary = v.Version
		case v.State == api.DriverQuarantined && v.Was == api.DriverActive && stopped == "":
			stopped = v.Version
		}
	}
	switch {
	case stopped != "":
		return fmt.Sprintf("driver %s %s is in quarantine: messages of its devices are parked until a mended version is promoted (castor driver get %s %s)", name, stopped, name, stopped)
	case canary != "":
		return fmt.Sprintf("driver %s has a canary only: messages of devices that do not use it are parked until a version is promoted: castor driver promote %s %s", name, name, canary)
	case len(d.Versions) == 0:
		return fmt.Sprintf("driver %s has no version: messages of its devices are parked until one is published (castor driver publish)", name)
	}
	why := fmt.Sprintf("no version of driver %s is active: messages of its devices are parked until one is promoted: castor driver promote %s %s", name, name, d.Versions[0].Version)
	if vain := deaf(name, d.Versions[0].Kind); t.Model.Reacts && vain != "" {
		why += "; besides, " + vain // which promoting it would not mend
	}
	return why
}

// deaf says that a driver of a kind has no on_event to react by; "" = it may have one.
func deaf(name string, kind driver.Kind) string {
	what := map[driver.Kind]string{driver.Declarative: "a document", driver.JavaScript: "JavaScript"}[kind]
	if what == "" {
		return ""
	}
	return fmt.Sprintf("driver %s is %s: only WebAssembly drivers react, so reacts: true has no effect. Publish one with on_event (castor driver new --kind wasm), or say reacts: false in the type's model (castor type apply)", name, what)
}

// unreadType is unread as a line of its own about a type that was just written.
func (a *app) unreadType(ctx context.Context, c *api.Client, id twin.ID) []string {
	t, err := c.GetTwin(ctx, id)
	if err != nil {
		return nil
	}
	all := misnamedUnits(t.Definition)
	if why := unread(ctx, c, t.Definition); why != "" {
		all = append(all, why)
	}
	for i := range all {
		all[i] = plain(fmt.Sprintf("Warning: type %s: %s", id, all[i]))
	}
	return all
}

// misnamedUnits are properties of a type whose unit is not what people mean by it: values would be shown in it, and never converted.
func misnamedUnits(t twin.Definition) (all []string) {
	if t.Model == nil {
		return nil
	}
	for _, p := range t.Model.Properties {
		code := unit.Meant(p.Unit)
		switch warm := strings.Contains(strings.ToLower(p.Name), "temp"); {
		case code != "":
			all = append(all, fmt.Sprintf("property %s: unit %q is no UCUM code, and nothing is converted to it; write %s", p.Name, p.Unit, code))
		case warm && p.Unit == "C":
			all = append(all, fmt.Sprintf("property %s: unit \"C\" is the coulomb in UCUM; write Cel", p.Name))
		case warm && p.Unit == "F":
			all = append(all, fmt.Sprintf("property %s: unit \"F\" is the farad in UCUM; write [degF]", p.Name))
		}
	}
	return all
}
