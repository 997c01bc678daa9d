//go:build !race

package twinprovision_test

import "github.com/castor-iot/castor/tests/functiontest"

// ways are those in which the crash tests crash.
var ways = functiontest.Ways
