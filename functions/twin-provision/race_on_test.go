//go:build race

package twinprovision_test

import "github.com/castor-iot/castor/tests/functiontest"

// ways are those in which the crash tests crash. The race detector sees the same code whichever it is, at ten times the cost.
var ways = []functiontest.How{functiontest.Unsaid}
