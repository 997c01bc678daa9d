package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// A whereabouts is where devices are, as flags say it.
type whereabouts struct{ region, site, at string }

// locationFlags are those by which a command is told where devices are.
func locationFlags(c *cobra.Command) *whereabouts {
	w := &whereabouts{}
	f := c.Flags()
	f.StringVar(&w.at, "at", "", "where they are, as latitude,longitude in degrees, like 48.137,11.575: the nearest gateway is chosen by it")
	f.StringVar(&w.region, "region", "", "region they are in, by which their gateway is chosen where coordinates do not say")
	f.StringVar(&w.site, "site", "", "where they are, for people")
	return w
}

// location is nil where nothing was said.
func (w *whereabouts) location() (*twin.Location, error) {
	if *w == (whereabouts{}) {
		return nil, nil
	}
	l := &twin.Location{Region: w.region, Site: w.site}
	if w.at == "" {
		return l, nil
	}
	north, east, ok := strings.Cut(w.at, ",")
	latitude, err1 := strconv.ParseFloat(strings.TrimSpace(north), 64)
	longitude, err2 := strconv.ParseFloat(strings.TrimSpace(east), 64)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("--at %.60q must be latitude and longitude in degrees with a comma between, like 48.137,11.575", w.at)
	}
	l.Latitude, l.Longitude = &latitude, &longitude
	return l, l.Validate()
}
