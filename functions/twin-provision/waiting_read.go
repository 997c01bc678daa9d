package twinprovision

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/seal"
)

const (
	maxCapabilities = 64
	maxFactsSize    = 8 << 10 // bytes of all facts of an unknown device
)

var (
	capabilityPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)
	protocols         = map[string]bool{"": true, "mqtt": true, "grpc": true, "http": true}
)

// readKnock validates what an unknown device says. Nothing of it was authenticated, and people will read it in a list: it has no
// characters that are invisible, or turn the order of others.
func readKnock(in *api.Knock) (w waiting, err error) {
	i, err := readIdentity(in.Serial, in.MAC, in.Model, in.Maker)
	if err != nil {
		return w, err
	}
	if err := readFacts(in.Facts); err != nil {
		return w, err
	}
	if len(in.Capabilities) > maxCapabilities {
		return w, api.Invalid("capabilities: at most %d, not %d", maxCapabilities, len(in.Capabilities))
	}
	for _, c := range in.Capabilities {
		if !capabilityPattern.MatchString(c) {
			return w, api.Invalid("capabilities: %.80q must be 1 to 64 letters, digits or any of \"._:/-\"", c)
		}
	}
	if !protocols[in.Protocol] {
		return w, api.Invalid("protocol %.40q must be mqtt, grpc or http", in.Protocol)
	}
	if in.Kind != "" && device.Kind(in.Kind).Valid() != nil {
		return w, device.Kind(in.Kind).Valid()
	}
	address := ""
	if in.Address != "" {
		a, err := netip.ParseAddr(in.Address)
		if err != nil {
			return w, api.Invalid("address %.80q must be an IP address", in.Address)
		}
		address = a.String()
	}
	key, err := keyOf(i.Serial, in.CSR, in.PublicKey)
	if err != nil {
		return w, err
	}
	w = waiting{Key: key, CSR: in.CSR, PublicKey: in.PublicKey, Kind: in.Kind, Waiting: api.Waiting{ID: key[:24], State: api.WaitingNow,
		Gateway: in.Gateway, Client: in.Client, Address: address, Serial: i.Serial, MAC: i.MAC, Model: i.Model, Maker: i.Maker, Facts: in.Facts,
		Capabilities: in.Capabilities, Protocol: in.Protocol}}
	return w, nil
}

// readIdentity brings what is said of a device to the form in which identities are kept.
func readIdentity(serial, mac, model, maker string) (device.Identity, error) {
	i := device.Identity{ID: "x", Serial: serial, MAC: mac, Model: model, Maker: maker}
	if err := i.Normalise(); err != nil {
		return i, err
	}
	for name, v := range map[string]string{"model": i.Model, "maker": i.Maker} {
		if !legible(v, maxDeviceText) {
			return i, api.Invalid("%s %.80q must be plain text of at most %d bytes", name, v, maxDeviceText)
		}
	}
	return i, nil
}

func readFacts(facts map[string]string) error {
	if err := legibleFacts(facts); err != nil {
		return err
	}
	size := 0
	for k, v := range facts {
		size += len(k) + len(v)
	}
	if size > maxFactsSize {
		return api.Invalid("facts: together they have %d bytes, at most %d are taken", size, maxFactsSize)
	}
	return nil
}

// legibleFacts bounds what any device says of itself, and has people see all of it.
func legibleFacts(facts map[string]string) error {
	if len(facts) > maxFacts {
		return api.Invalid("facts: at most %d, not %d", maxFacts, len(facts))
	}
	for k, v := range facts {
		if k == "" || !legible(k, 64) || !legible(v, maxFact) {
			return api.Invalid("facts: %.40q must be plain text: a name of 1 to 64 bytes and a value of at most %d", k, maxFact)
		}
	}
	return nil
}

// legible tells whether people see all of s.
func legible(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// keyOf is the SHA-256 of a device's key, by which it is known again. A certificate request that names another than the one that
// asks is of somebody else.
func keyOf(serial, csr, public string) (string, error) {
	switch {
	case csr != "":
		c, key, err := pki.ReadCSR(csr)
		if err != nil {
			return "", err
		}
		if name := c.Subject.CommonName; name != "" && name != serial {
			return "", api.Invalid("csr: its subject names %.80q, not %q, the serial that asks", name, serial)
		}
		return key, nil
	case public != "":
		k, err := seal.ReadPublicKey(public)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(k.Bytes())
		return hex.EncodeToString(sum[:]), nil
	}
	return "", api.Invalid("csr or publicKey is missing: the device is known again by its key")
}
