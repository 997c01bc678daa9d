package main

import (
	"errors"

	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/platform"
)

// driverSettings are about the processes that run payload drivers.
var driverSettings = []setting{
	{name: "CASTOR_DRIVER_WORKERS", what: "how many processes run drivers; 0 = one more than there are processors, at least 3", otherwise: "0", example: "8",
		check: checkNumber(0, 256)},
	{name: "CASTOR_DRIVER_MEMORY", what: "the most memory that one of them may have, in MiB; the limit of a container must hold all of them", otherwise: "512", example: "256", check: checkNumber(platform.DriverMegabytes, 16_384)}, // less would not run what has passed its tests in function drivers
}

// drivers makes the workers that run payload drivers. They are started when they are needed, and ended by Close.
func (p *process) drivers() (*sandbox.Pool, error) {
	if n := p.settings.number("CASTOR_DRIVER_WORKERS"); n == 1 {
		return nil, errors.New("CASTOR_DRIVER_WORKERS=1: there must be 2 at least, since drivers that have cost a worker get the last one only")
	}
	return sandbox.New(sandbox.Config{
		Workers: int(p.settings.number("CASTOR_DRIVER_WORKERS")), Megabytes: int(p.settings.number("CASTOR_DRIVER_MEMORY")), Log: p.log,
	})
}
