package api

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
)

// A DriverState is what a version of a driver is used for.
type DriverState string

// The states. Of the versions for a device's firmware the newest counts that is active, or canary for that device. A version in
// quarantine goes on counting if it was active, so that its devices' messages are parked and none is read by an older driver that
// does not know them; a canary that comes into quarantine is over, and its devices are read as the others are.
const (
	DriverDraft       DriverState = "draft"       // published: its tests passed, nobody uses it
	DriverCanary      DriverState = "canary"      // some devices use it
	DriverActive      DriverState = "active"      // all devices whose firmware is in its range, unless a newer one is for them
	DriverQuarantined DriverState = "quarantined" // it cost too many workers, or fails always: what would go to it is parked
	DriverWithdrawn   DriverState = "withdrawn"   // rolled back
)

// A Driver is a payload driver as the registry knows it: a name and its versions.
type Driver struct {
	Name  string `json:"name" bson:"_id"`
	Title string `json:"title,omitempty" bson:"title,omitempty"` // of the newest version

	// Owner is the group it belongs to; "" = the platform: everybody may use it, maintainers publish.
	Owner string `json:"owner,omitempty" bson:"owner,omitempty"`

	// Key is the maker's Ed25519 public key, base64. Once a version was published with one, all others must be signed by it.
	Key string `json:"key,omitempty" bson:"key,omitempty"`

	// Versions are newest first, by semantic version, without code and tests.
	Versions []DriverVersion `json:"versions" bson:"-"`

	Created time.Time `json:"created" bson:"created"`
	Updated time.Time `json:"updated" bson:"updated"`
}

// A DriverVersion is one version of a driver.
type DriverVersion struct {
	Name    string      `json:"name" bson:"name"`
	Version string      `json:"version" bson:"version"` // semantic version
	Kind    driver.Kind `json:"kind" bson:"kind"`
	State   DriverState `json:"state" bson:"state"`

	// Was is what a version in quarantine was used for before: active, and what would go to it is parked, or canary, and its devices
	// are read as the others are.
	Was DriverState `json:"was,omitempty" bson:"-"`

	Title    string `json:"title,omitempty" bson:"title,omitempty"`
	Maker    string `json:"maker,omitempty" bson:"maker,omitempty"`
	License  string `json:"license,omitempty" bson:"license,omitempty"`
	Note     string `json:"note,omitempty" bson:"note,omitempty"`
	Firmware string `json:"firmware,omitempty" bson:"firmware,omitempty"` // range, as driver.Driver's

	Size   int64         `json:"size" bson:"size"`                       // bytes of code
	Digest string        `json:"digest" bson:"digest"`                   // SHA-256 of the code, hexadecimal: where it is kept
	Signed bool          `json:"signed,omitempty" bson:"signed"`         // by the driver's key
	Limit  twin.Duration `json:"limit,omitempty" bson:"limit,omitempty"` // of a call; 0 = 100 ms
	Port   int           `json:"port,omitempty" bson:"port,omitempty"`   // of commands, where the code names none; 0 = none
	Tests  int           `json:"tests" bson:"tests"`                     // that it passed

	// Topics are where a declarative driver's devices speak, with {device} where their name is: "tele/{device}/SENSOR"; Downlinks
	// where they listen. Both are empty for devices that use the platform's own topics.
	Topics    []string `json:"topics,omitempty" bson:"topics,omitempty"`
	Downlinks []string `json:"downlinks,omitempty" bson:"downlinks,omitempty"`

	Canary Canary `json:"canary,omitzero" bson:"canary,omitempty"` // of state canary

	// Failures are of the last 10 minutes, as connectors told; of a version in quarantine or with blocked twins no fewer than led to
	// that. Reason is the last one's, and of a quarantine why.
	Failures int64  `json:"failures,omitempty" bson:"failures,omitempty"`
	Reason   string `json:"reason,omitempty" bson:"reason,omitempty"`

	// Blocked are twins whose messages alone make it fail: theirs are parked, the others' are not. They are read again once the version
	// is promoted again, or a newer one that is for them.
	Blocked []twin.ID `json:"blocked,omitempty" bson:"blocked,omitempty"`

	By        string    `json:"by" bson:"by"` // who published it: "user:ada"
	Published time.Time `json:"published" bson:"published"`
	Changed   time.Time `json:"changed" bson:"changed"` // of its state
}

// Canary says which devices use a version first: those named, and of the others a share, always the same ones.
type Canary struct {
	Percent int       `json:"percent,omitempty" bson:"percent,omitempty"` // 0 to 100
	Twins   []twin.ID `json:"twins,omitempty" bson:"twins,omitempty"`     // at most 100
}

// PublishDriver is a new version. Its tests run before it is taken, and it is refused if one fails (Problem.Errors has each).
type PublishDriver struct {
	driver.Driver
	Owner string `json:"owner,omitempty"` // of a driver that is new; "" = the caller's only group

	// Key and Signature are the maker's: Ed25519 over driver.Digest of the driver, both base64; "" = not signed.
	Key       string `json:"key,omitempty"`
	Signature string `json:"signature,omitempty"`
}

// RunDriver has calls made by the platform's own sandbox: by a driver that is not published yet, or a version that is.
type RunDriver struct {
	Driver  *driver.Driver `json:"driver,omitempty"` // one of the two
	Name    string         `json:"name,omitempty"`
	Version string         `json:"version,omitempty"` // of Name; "" = the newest

	Calls []driver.Call `json:"calls,omitempty"` // at most 100
	Tests bool          `json:"tests,omitempty"` // run the driver's own tests, too
}

// DriverRun is what came of a RunDriver.
type DriverRun struct {
	Results []driver.Result `json:"results"`
	Tests   []DriverTest    `json:"tests,omitempty"`
	Took    []float64       `json:"took,omitempty"` // of each call, milliseconds with the way to the worker
}

// A DriverTest is one test of a driver and what it lacked; no differences = passed.
type DriverTest struct {
	Name        string              `json:"name"`
	Differences []driver.Difference `json:"differences"`
}

// UsedDriver tells a connector how a twin's payloads are read and its commands written.
type UsedDriver struct {
	Twin twin.ID     `json:"twin"`
	Type twin.TypeID `json:"type,omitempty"` // of the twin: when it changes, so may the rest

	// Name is "" where the type has no driver: then Format counts.
	Name    string        `json:"name,omitempty"`
	Version string        `json:"version,omitempty"`
	Kind    driver.Kind   `json:"kind,omitempty"`
	Digest  string        `json:"digest,omitempty"`
	Limit   twin.Duration `json:"limit,omitempty"`
	Port    int           `json:"port,omitempty"`

	// Parked is why its messages are parked without being read: the driver, or this twin with it, is in quarantine; no version is
	// for its firmware. "" = they are read.
	Parked string `json:"parked,omitempty"`

	// Firmware is the reported property that the version depends on: when it changes, another may count; "" = none does.
	Firmware string `json:"firmware,omitempty"`

	// Normalised has the driver's normalised data count (driver.Normalised).
	Normalised bool `json:"normalised,omitempty"`

	// Reacts and Owner are function drivers' own: the type lets the driver react; the group that the driver belongs to, "" = the platform.
	// Connectors need not know.
	Reacts bool   `json:"-"`
	Owner  string `json:"-"`

	// Units are those that the type's model wants properties in, where what reads the payloads can tell in which they are: a document, SenML.
	Units map[string]string `json:"units,omitempty"`

	// Format is how payloads are read without a driver (package format); "" = the wire contract's JSON or CBOR.
	Format    string            `json:"format,omitempty"`
	IDs       map[int64]string  `json:"ids,omitempty"`       // of format compact: the model's numbers
	Device    string            `json:"device,omitempty"`    // what {device} stands for in topics: its serial
	Variables map[string]string `json:"variables,omitempty"` // for the driver
}

// DriverFailures is what a connector tells of a driver that fails: counts since it told last.
type DriverFailures struct {
	Gateway string    `json:"gateway"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	OK      int64     `json:"ok"`     // calls that had an answer
	Failed  int64     `json:"failed"` // exceptions, refusals, answers that cannot be taken
	Grave   int64     `json:"grave"`  // driver.Failure.Grave
	Twins   []twin.ID `json:"twins"`  // whose messages failed gravely, or, if none did, failed; at most 20
	Reason  string    `json:"reason"` // of the last
}

// NewRedrive asks for parked messages to be read again. One of the fields is given.
type NewRedrive struct {
	Driver string      `json:"driver,omitempty" bson:"driver,omitempty"` // of the twins of all types that use it
	Type   twin.TypeID `json:"type,omitempty" bson:"type,omitempty"`
	Twin   twin.ID     `json:"twin,omitempty" bson:"twin,omitempty"`
}

// A Redrive reads parked messages again, in the background: what can be read becomes history as if it had been at once, the rest
// stays parked.
type Redrive struct {
	ID         string `json:"id" bson:"_id"`
	NewRedrive `bson:",inline"`
	By         string   `json:"by" bson:"by"`
	State      JobState `json:"state" bson:"state"`

	Stored int64  `json:"stored" bson:"stored"`                     // messages that were read now
	Left   int64  `json:"left" bson:"left"`                         // that stay parked
	Gone   int64  `json:"gone,omitempty" bson:"gone,omitempty"`     // that were no longer parked: deleted meanwhile, or read by another redrive
	Reason string `json:"reason,omitempty" bson:"reason,omitempty"` // why the last of Left could not be read, or why it failed

	Created time.Time `json:"created" bson:"created"`
	Ended   time.Time `json:"ended,omitzero" bson:"ended,omitempty"`
}

// DriverChanged is the data of event driver.changed: what connectors believe of the driver's versions no longer counts.
type DriverChanged struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	State   DriverState `json:"state"`
	Reason  string      `json:"reason,omitempty"`
}

// PublishDriver publishes a version.
func (c *Client) PublishDriver(ctx context.Context, in PublishDriver) (out DriverVersion, err error) {
	return out, c.Call(ctx, "POST", "drivers", "/drivers/"+in.Name+"/versions", CBOR{in}, &out)
}

// ListDrivers pages through the drivers the caller may see, by name.
func (c *Client) ListDrivers(ctx context.Context, cursor string) (out Page[Driver], err error) {
	return out, c.Call(ctx, "GET", "drivers", "/drivers"+query("cursor", cursor), nil, &out)
}

// GetDriver returns a driver with its versions.
func (c *Client) GetDriver(ctx context.Context, name string) (out Driver, err error) {
	return out, c.Call(ctx, "GET", "drivers", "/drivers/"+name, nil, &out)
}

// GetDriverVersion returns one version with its code and tests, as it was published.
func (c *Client) GetDriverVersion(ctx context.Context, name, version string) (out driver.Driver, err error) {
	return out, c.Call(ctx, "GET", "drivers", "/drivers/"+name+"/versions/"+version, nil, &out)
}

// DriverCode returns the code that has the digest, as connectors need it.
func (c *Client) DriverCode(ctx context.Context, digest string) ([]byte, error) {
	var out Raw
	err := c.Call(ctx, "GET", "drivers", "/code/"+digest, nil, &out)
	return out.Body, err
}

// CanaryDriver has some devices use a version.
func (c *Client) CanaryDriver(ctx context.Context, name, version string, in Canary) (out DriverVersion, err error) {
	return out, c.Call(ctx, "POST", "drivers", "/drivers/"+name+"/versions/"+version+"/canary", in, &out)
}

// PromoteDriver makes a version active; also one that was withdrawn or in quarantine, or that is active and has blocked twins: they are
// read again.
func (c *Client) PromoteDriver(ctx context.Context, name, version string) (out DriverVersion, err error) {
	return out, c.Call(ctx, "POST", "drivers", "/drivers/"+name+"/versions/"+version+"/promote", nil, &out)
}

// WithdrawDriver takes a version away from its devices: the next older one for their firmware counts. "" = the newest that is used:
// a rollback.
func (c *Client) WithdrawDriver(ctx context.Context, name, version, reason string) (out DriverVersion, err error) {
	return out, c.Call(ctx, "POST", "drivers", "/drivers/"+name+"/withdraw"+query("version", version), Because{reason}, &out)
}

// DeleteDriverVersion deletes a version that nobody uses; the last takes the driver with it.
func (c *Client) DeleteDriverVersion(ctx context.Context, name, version string) error {
	return c.Call(ctx, "DELETE", "drivers", "/drivers/"+name+"/versions/"+version, nil, nil)
}

// RunDriver has calls made.
func (c *Client) RunDriver(ctx context.Context, in RunDriver) (out DriverRun, err error) {
	return out, c.Call(ctx, "POST", "drivers", "/runs", in, &out)
}

// ResolveDrivers tells how the payloads of twins are read; those that are not there are left out. For connectors.
func (c *Client) ResolveDrivers(ctx context.Context, ids []twin.ID) (out []UsedDriver, err error) {
	return out, c.Call(ctx, "POST", "drivers", "/resolve", ResolveDrivers{ids}, &out)
}

// ResolveDrivers asks for at most 500 twins.
type ResolveDrivers struct {
	Twins []twin.ID `json:"twins"`
}

// ReportDriver tells of failures. For connectors.
func (c *Client) ReportDriver(ctx context.Context, in DriverFailures) error {
	return c.Call(ctx, "POST", "drivers", "/failures", in, nil)
}

// Redrive begins to read parked messages again.
func (c *Client) Redrive(ctx context.Context, in NewRedrive) (out Redrive, err error) {
	return out, c.Call(ctx, "POST", "drivers", "/redrives", in, &out)
}

// GetRedrive tells how far it is.
func (c *Client) GetRedrive(ctx context.Context, id string) (out Redrive, err error) {
	return out, c.Call(ctx, "GET", "drivers", "/redrives/"+id, nil, &out)
}

// CancelRedrive ends a redrive; what it has stored stays stored.
func (c *Client) CancelRedrive(ctx context.Context, id string) (out Redrive, err error) {
	return out, c.Call(ctx, "DELETE", "drivers", "/redrives/"+id, nil, &out)
}

// WaitRedrive waits until a redrive has ended, and calls each, which may be nil, with how far it is. Where the context ends first, the
// redrive goes on.
func (c *Client) WaitRedrive(ctx context.Context, id string, each func(Redrive)) (Redrive, error) {
	for {
		r, err := c.GetRedrive(ctx, id)
		if err != nil {
			return r, err
		}
		if each != nil {
			each(r)
		}
		if r.State.Ended() {
			return r, nil
		}
		if !pause.For(ctx, 500*time.Millisecond) {
			return r, fmt.Errorf("redrive %s is %s: %w", id, r.State, ctx.Err())
		}
	}
}

// ListRedrives pages through the caller's redrives, the newest first; a maintainer sees everybody's.
func (c *Client) ListRedrives(ctx context.Context, cursor string) (out Page[Redrive], err error) {
	return out, c.Call(ctx, "GET", "drivers", "/redrives"+query("cursor", cursor), nil, &out)
}
