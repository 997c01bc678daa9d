package declarative

import (
	"fmt"

	"github.com/castor-iot/castor/shared/driver"
)

// run gives the values of a decoded message their common names and units.
func (n *normalization) run(call *driver.Call) driver.Result {
	data, ok := call.Data.(map[string]any)
	if !ok {
		return failed(fmt.Errorf("data is %s, and must be an object", short(call.Data)))
	}
	c := newCursor(call, len(data))
	c.root, c.here = data, data
	named := map[string]bool{}
	for _, f := range n.renames {
		if len(f.from.steps) > 0 {
			named[f.from.steps[0]] = true
		}
		err := f.from.walk(c, func(v any, stars []string) error {
			vars := len(c.vars)
			for i, s := range stars {
				c.set(string(rune('1'+i)), s)
			}
			name := f.name.fill(c.get)
			c.vars = c.vars[:vars]
			v, ok := valueOf(v)
			if !ok {
				c.warn("%s: cannot be told in JSON", name)
				return nil
			}
			out, ok, warning := f.apply(v)
			if warning != "" {
				c.warn("%s: %s", name, warning)
			}
			if !ok {
				return nil
			}
			return c.put(name, out)
		})
		if err != nil {
			return failed(err)
		}
	}
	for k, v := range data {
		if _, taken := c.out.Data[k]; !n.drop && !named[k] && !taken {
			c.out.Data[k] = done(v)
		}
	}
	return driver.Result{Data: c.out.Data, Units: n.units, Warnings: c.warnings}
}
