package drivers

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/twin"
)

// A known driver is a record with its ranges read. It is never changed.
type known struct {
	*record
	ranges []*semver.Constraints // of each version; nil = all firmware
	ranged bool                  // some version is for some firmware only
	topics bool                  // some version's devices have topics of their own
}

func knownOf(r *record) *known {
	k := &known{record: r, ranges: make([]*semver.Constraints, len(r.All))}
	for i := range r.All {
		k.ranges[i], _ = driver.Range(r.All[i].Firmware) // was checked when it was published
		k.ranged = k.ranged || k.ranges[i] != nil
		k.topics = k.topics || len(r.All[i].Topics)+len(r.All[i].Downlinks) > 0
	}
	return k
}

// choose says which version is a twin's: of those that are for its firmware, the newest that is active, or canary for this twin. One
// that came into quarantine while it was active goes on counting, so that no older one reads what it does not know. Parked is why
// none reads its messages.
func (k *known) choose(id twin.ID, firmware *semver.Version) (v *version, parked string) {
	fits := false
	for i := range k.All {
		v := &k.All[i]
		if firmware != nil && k.ranges[i] != nil && !k.ranges[i].Check(firmware) {
			continue
		}
		switch {
		case v.State == api.DriverActive, v.State == api.DriverCanary && v.tries(id):
			if slices.Contains(v.Blocked, id) {
				return v, fmt.Sprintf("driver %s %s fails again and again with messages of this twin alone: promote it once more, or publish a newer version", v.Name, v.Version)
			}
			return v, ""
		case v.State == api.DriverQuarantined && v.WasActive:
			return v, fmt.Sprintf("driver %s %s is in quarantine: %s", v.Name, v.Version, v.Reason)
		}
		fits = true
	}
	switch {
	case len(k.All) == 0:
		return nil, fmt.Sprintf("there is no driver %s: publish it", k.Name)
	case fits:
		return nil, fmt.Sprintf("driver %s has no version that is active: promote one", k.Name)
	}
	return nil, fmt.Sprintf("driver %s has no version for firmware %s: publish one whose range has it", k.Name, firmware.Original())
}

// tries tells whether a canary is for the twin. Which devices are the share is always the same, and a larger share has those of a
// smaller one, too.
func (v *version) tries(id twin.ID) bool {
	if slices.Contains(v.Canary.Twins, id) {
		return true
	}
	sum := sha256.Sum256([]byte(string(id) + "\x00" + v.Name))
	return binary.BigEndian.Uint64(sum[:])%100 < uint64(v.Canary.Percent)
}

// dotted finds a version in the names that firmware gives itself: "20230913-114521/v1.14.0-gcb84623".
var dotted = regexp.MustCompile(`[0-9]{1,9}\.[0-9]{1,9}(\.[0-9]{1,9})?`)

// described is how git describes what was built after a release: "1.14.0-12-gabcdef0" is no beta of 1.14.0.
var described = regexp.MustCompile(`-([0-9]{1,6}-)?g[0-9a-f]{4,40}(-dirty)?$`)

// firmwareOf reads the version that a device reported; nil = it is not known. A beta comes before its release, as semantic versions do:
// 2.0.0-beta.1 is in "<2" and ">=2.0.0-0", not in ">=2".
func firmwareOf(value any) *semver.Version {
	var s string
	switch value := value.(type) {
	case string:
		s = strings.TrimSpace(value)
	case float64:
		s = strconv.FormatFloat(value, 'f', -1, 64)
	}
	if s == "" || len(s) > 128 {
		return nil
	}
	s = described.ReplaceAllString(s, "")
	v, err := semver.NewVersion(s)
	if err != nil {
		if v, err = semver.NewVersion(dotted.FindString(s)); err != nil {
			return nil
		}
	}
	return v
}
