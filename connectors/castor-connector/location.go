package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// locationSetting is where a gateway stands, by which the nearest is found for a device.
var locationSetting = setting{name: "CASTOR_LOCATION", what: "where the gateway stands, in degrees: latitude,longitude; devices get their places by the distance",
	example: "48.137,11.575", check: func(v string) error { _, err := parseLocation(v); return err }}

// location is nil where it is not set.
func (s settings) location() *twin.Location {
	l, _ := parseLocation(s.get("CASTOR_LOCATION")) // which was checked
	if l != nil {
		l.Region = s.get("CASTOR_REGION")
	}
	return l
}

func parseLocation(v string) (*twin.Location, error) {
	if v == "" {
		return nil, nil
	}
	north, east, ok := strings.Cut(v, ",")
	latitude, err1 := strconv.ParseFloat(strings.TrimSpace(north), 64)
	longitude, err2 := strconv.ParseFloat(strings.TrimSpace(east), 64)
	if !ok || err1 != nil || err2 != nil {
		return nil, errors.New("it must be latitude and longitude in degrees with a comma between")
	}
	l := &twin.Location{Latitude: &latitude, Longitude: &longitude}
	return l, l.Validate()
}
