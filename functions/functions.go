// Package functions lists every function of the platform. One folder here is one function, one entry of stack.yml and one URL
// /function/<name>; tests/house holds the three together. The platform on one machine and the tests serve All in one
// process; images are built from one folder each and never see this package.
package functions

import (
	"github.com/castor-iot/castor/functions/alerts"
	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/functions/authorization"
	"github.com/castor-iot/castor/functions/configurations"
	"github.com/castor-iot/castor/functions/console"
	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/directory"
	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/functions/identities"
	twincommand "github.com/castor-iot/castor/functions/twin-command"
	twinhistory "github.com/castor-iot/castor/functions/twin-history"
	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	twinmonitor "github.com/castor-iot/castor/functions/twin-monitor"
	twinprovision "github.com/castor-iot/castor/functions/twin-provision"
	twinwatchdog "github.com/castor-iot/castor/functions/twin-watchdog"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/functions/users"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
)

// A Function is one function and what its entry in stack.yml says of it.
type Function struct {
	Name string
	New  func(*platform.Platform) faas.Func

	// Topics of events it takes at POST /events, separated by commas; Schedule is when POST /schedule is called, in the
	// notation of connectors/events. "" = none.
	Topics, Schedule string

	// Capabilities are what it advertises in the service directory, separated by commas.
	Capabilities string
}

// All lists the functions by name.
var All = []Function{
	{Name: "alerts", New: alerts.New, Topics: "alarm.raised,alarm.cleared,twin.moved,twin.deleted", Schedule: "@every 2s", Capabilities: "alarms,sweep,operations"},
	{Name: "artifacts", New: artifacts.New, Capabilities: "artifacts,sweep,operations"},
	{Name: "authorization", New: authorization.New, Topics: "audit,twin.deleted", Capabilities: "authorization,sweep"},
	{Name: "configurations", New: configurations.New, Capabilities: "configurations"},
	{Name: "console", New: console.New, Capabilities: "console"},
	{Name: "credentials", New: credentials.New, Topics: "twin.changed,twin.deleted", Capabilities: "credentials.resolve,credentials,claims,sweep"},
	{Name: "directory", New: directory.New, Schedule: "@every 1m", Capabilities: "directory"},
	{Name: "drivers", New: drivers.New, Topics: "twin.heard,twin.deleted", Schedule: "@every 2s", Capabilities: "drivers,sweep,operations"},
	{Name: "gateways", New: gateways.New, Topics: "gateway.applied,twin.changed,twin.deleted", Capabilities: "gateways,sweep,operations"},
	{Name: "identities", New: identities.New, Capabilities: "identities"},
	{Name: "twin-command", New: twincommand.New, Topics: "command.answered,twin.deleted", Schedule: "@every 2s", Capabilities: "commands,sweep,operations"},
	{Name: "twin-history", New: twinhistory.New, Capabilities: "history"},
	{Name: "twin-ingest", New: twiningest.New, Capabilities: "ingest,sweep"},
	{Name: "twin-monitor", New: twinmonitor.New, Topics: "twin.deleted", Schedule: "@every 5s", Capabilities: "rules,sweep"},
	{Name: "twin-provision", New: twinprovision.New, Topics: "gateway.applied,twin.moved,twin.resumed,twin.deleted", Schedule: "@every 2s", Capabilities: "provision,sweep,operations"},
	{Name: "twin-watchdog", New: twinwatchdog.New, Schedule: "@every 10s", Capabilities: "watchdog"},
	{Name: "twins", New: twins.New, Schedule: "@every 2s", Capabilities: "twins,sweep,operations"},
	{Name: "users", New: users.New, Capabilities: "users,tokens"},
}
