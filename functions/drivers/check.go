package drivers

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of a driver, beside package driver's.
const (
	maxVersions = 100 // of a driver
	maxTitle    = 200 // bytes; maker and license too
	maxNote     = 2000
	maxFirmware = 100
	maxLimit    = 5 * time.Second // that one call may compute
	maxTests    = 4 << 20         // bytes of all tests as JSON
)

var wasmMagic = []byte("\x00asm")

// check refuses what cannot be a driver, and brings the values of its tests to one form.
func check(d *driver.Driver) error {
	if err := checkVersion(d.Version); err != nil {
		return err
	}
	if twin.ID(d.Name).Valid() != nil {
		return api.Invalid("name %.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", d.Name)
	}
	for _, t := range []struct {
		field, text string
		most        int
	}{{"title", d.Title, maxTitle}, {"maker", d.Maker, maxTitle}, {"license", d.License, maxTitle}, {"note", d.Note, maxNote}} {
		if len(t.text) > t.most || !utf8.ValidString(t.text) {
			return api.Invalid("%s must be at most %d bytes of UTF-8", t.field, t.most)
		}
	}
	if _, err := rangeOf(d.Firmware); err != nil {
		return err
	}
	if err := checkLimit(d); err != nil {
		return err
	}
	if err := checkCode(d); err != nil {
		return err
	}
	if len(d.Tests) == 0 {
		return api.Invalid("tests: there is none, and a driver without tests is not taken; give one payload of the device with the data that must come of it")
	}
	return checkTests(d)
}

func checkLimit(d *driver.Driver) error {
	if d.Limit < 0 || d.Limit > maxLimit {
		return api.Invalid("limit %s must be 0 (100 ms) to %s", d.Limit, maxLimit)
	}
	return nil
}

func checkVersion(s string) error {
	v, err := semver.StrictNewVersion(s)
	if err != nil || len(s) > 64 || v.Metadata() != "" {
		return api.Invalid("version %.80q must be a semantic version like 1.2.0 or 1.3.0-beta.1, without build metadata", s)
	}
	return nil
}

// rangeOf reads a range of firmware versions; nil = all.
func rangeOf(s string) (*semver.Constraints, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if len(s) <= maxFirmware {
		if c, err := semver.NewConstraint(s); err == nil {
			c.IncludePrerelease = true // a device with a beta of 1.3 is one with firmware above 1.2
			return c, nil
		}
	}
	return nil, api.Invalid("firmware %.120q must be a range of versions of at most %d bytes, like \">=1.2 <2\", \"1.x\" or \"<1.4 || >=2\"; leave it out for all", s, maxFirmware)
}

// checkCode refuses code that is not of its kind, as far as a look at it tells.
func checkCode(d *driver.Driver) error {
	most := driver.MaxCode
	if d.Kind == driver.WASM {
		most = driver.MaxModule
	}
	isModule := bytes.HasPrefix(d.Code, wasmMagic)
	switch {
	case !slices.Contains([]driver.Kind{driver.Declarative, driver.JavaScript, driver.WASM}, d.Kind):
		return api.Invalid("kind %.40q must be declarative, javascript or wasm", string(d.Kind))
	case len(d.Code) == 0:
		return api.Invalid("code is missing: it is the document, the script or the module")
	case len(d.Code) > most:
		return errors.Join(api.ErrTooLarge, api.Invalid("code has %d bytes, a driver of kind %s may have %d", len(d.Code), d.Kind, most))
	case d.Kind == driver.WASM && !isModule:
		return api.Invalid("code is no WebAssembly module: it must begin with the bytes 00 61 73 6d")
	case d.Kind != driver.WASM && isModule:
		return api.Invalid("code is a WebAssembly module, kind is %s: say kind wasm", d.Kind)
	case d.Kind != driver.WASM && !utf8.Valid(d.Code):
		return api.Invalid("code must be text in UTF-8")
	}
	return nil
}

func checkTests(d *driver.Driver) error {
	if len(d.Tests) > driver.MaxTests {
		return api.Invalid("tests: at most %d, not %d", driver.MaxTests, len(d.Tests))
	}
	tests, err := driver.PlainTests(d.Tests)
	if err != nil {
		return api.Invalid("%w", err)
	}
	d.Tests = tests
	for i, t := range tests {
		if len(t.Name) > maxTitle || !utf8.ValidString(t.Name) {
			return api.Invalid("tests[%d].name must be at most %d bytes of UTF-8", i, maxTitle)
		}
		if err := checkCall(&t.Call); err != nil {
			return api.Invalid("tests[%d].%w", i, err)
		}
	}
	if text, err := json.Marshal(tests); err != nil || len(text) > maxTests {
		return errors.Join(api.ErrTooLarge, api.Invalid("tests may have %d bytes as JSON in all", maxTests))
	}
	return nil
}

var ops = []driver.Op{driver.DecodeUplink, driver.EncodeDownlink, driver.DecodeDownlink, driver.NormalizeUplink, driver.OnEvent}

// checkCall names what is wrong with a call, its field first.
func checkCall(c *driver.Call) error {
	switch {
	case !slices.Contains(ops, c.Op):
		return fmt.Errorf("op %.40q must be decodeUplink, encodeDownlink, decodeDownlink, normalizeUplink or onEvent", string(c.Op))
	case len(c.Bytes) > driver.MaxInput:
		return fmt.Errorf("bytes: %d, at most %d are taken", len(c.Bytes), driver.MaxInput)
	case c.Port < 0 || c.Port > 255:
		return fmt.Errorf("port %d must be 1 to 255; leave it out for none", c.Port)
	case len(c.State) > driver.MaxState:
		return fmt.Errorf("state: %d bytes, at most %d are kept", len(c.State), driver.MaxState)
	case len(c.Topic) > 1024 || !utf8.ValidString(c.Topic):
		return errors.New("topic must be at most 1024 bytes of UTF-8")
	}
	return nil
}

// checkSignature refuses a signature that is not the key's over the driver.
func checkSignature(in *api.PublishDriver) error {
	if in.Key == "" && in.Signature == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(in.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return api.Invalid("key must be the maker's Ed25519 public key, %d bytes in base64", ed25519.PublicKeySize)
	}
	signature, err := base64.StdEncoding.DecodeString(in.Signature)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return api.Invalid("signature must be an Ed25519 signature, %d bytes in base64", ed25519.SignatureSize)
	}
	digest, err := driver.Digest(&in.Driver)
	if err != nil {
		return api.Invalid("%w", err)
	}
	if !ed25519.Verify(key, digest, signature) {
		return api.Invalid("signature is not this key's over this driver: sign its name, version, kind, firmware, code and tests as they are sent")
	}
	return nil
}

// checkOwner wants a group that the caller may publish for, or the platform.
func (f *function) checkOwner(ctx context.Context, c access.Caller, owner *string) error {
	err := f.p.Owner(ctx, c, owner)
	switch {
	case *owner == "" && mayWrite(c, ""):
		return nil // the platform's
	case err == nil && !mayWrite(c, *owner):
		return fmt.Errorf("%w: owner: you may publish for your own groups only", access.ErrDenied)
	}
	return err
}

// refused is the answer to a driver whose tests or code are at fault; errors are all that was found.
func refused(detail string, errors []string, faults []provision.Fault) error {
	return &api.Problem{Title: "Invalid request", Status: http.StatusBadRequest, Detail: detail, Errors: errors, Faults: faults}
}
