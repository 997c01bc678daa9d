package gateways

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	// step is how finely distances count, in km: gateways this near each other share the load.
	step = 25

	// sameRegion and anywhere stand for the distance to a gateway, in km, where coordinates do not tell.
	sameRegion = 100
	anywhere   = 20_000

	// maxAlternatives is how many addresses a device is given, its own gateway's among them.
	maxAlternatives = 8
)

// A want is what a device needs of a gateway.
type want struct {
	protocol  string
	kind      device.Kind
	sealedFor map[string]string
	location  *twin.Location
	not       string // a gateway that the device is to leave
	topics    bool   // of its own
}

func (v *place) want() want {
	return want{protocol: v.Protocol, kind: v.Kind, sealedFor: v.SealedFor, location: v.Location, not: v.Leaving, topics: v.Topics != nil}
}

func (w *want) region() string {
	if w.location == nil {
		return ""
	}
	return w.location.Region
}

// speaks tells whether the device can use the gateway at all.
func (w *want) speaks(v *gateway) bool {
	kind := cmp.Or(w.kind, device.Certificate)
	if v.Protocol != w.protocol || len(v.Kinds) > 0 && !slices.Contains(v.Kinds, kind) {
		return false
	}
	if w.topics && !v.ours() {
		return false
	}
	return !kind.Secret() || v.PublicKey == "" || w.sealedFor[v.ID] != ""
}

// ours tells whether the gateway is one of the platform's own.
func (v *gateway) ours() bool { return v.Contract == "" || v.Contract == "door" }

// never says why the gateway could not take the device even if it were alive and empty; "" if it could.
func (w *want) never(v *gateway) string {
	kind := cmp.Or(w.kind, device.Certificate)
	switch {
	case v.Phase != operational:
		return "it is a provisioning one, where devices only come in"
	case v.Protocol != w.protocol:
		return fmt.Sprintf("it speaks %s and the device %s", v.Protocol, w.protocol)
	case len(v.Kinds) > 0 && !slices.Contains(v.Kinds, kind):
		return fmt.Sprintf("it does not take what the device shows, a credential of kind %s", kind)
	case w.topics && !v.ours():
		return "it is a broker of somebody else's, and the device's firmware has topics of its own, which only the platform's gateways bring in"
	case !w.speaks(v):
		return fmt.Sprintf("it keeps secrets of its own, and the device's %s is not to be had any more; enroll the device anew to give it another", kind)
	}
	return ""
}

// fits tells whether the gateway can take the device now.
func (w *want) fits(v *gateway, now time.Time) bool {
	return w.speaks(v) && v.ID != w.not && v.healthy(now) && !v.Draining && v.room()
}

// far is how far the gateway is, in km; known tells whether coordinates say so.
func (w *want) far(v *gateway) (km float64, known bool) {
	if at := v.Location; at != nil && at.Latitude != nil && at.Longitude != nil && w.location != nil && w.location.Latitude != nil && w.location.Longitude != nil {
		return distance(*at.Latitude, *at.Longitude, *w.location.Latitude, *w.location.Longitude), true
	}
	if r := w.region(); r != "" && v.Region == r {
		return sameRegion, false
	}
	return anywhere, false
}

// order sorts gateways for the device: the nearest first, among near ones the least loaded; they come in the order of ids.
func (w *want) order(all []gateway) {
	slices.SortStableFunc(all, func(a, b gateway) int {
		x, _ := w.far(&a)
		y, _ := w.far(&b)
		if math.Floor(x/step) != math.Floor(y/step) {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a.Devices*b.Capacity, b.Devices*a.Capacity)
	})
}

// choose finds the gateway for a device: of those that speak its protocol, take what it shows, are alive, are not being
// drained and have room, the nearest by coordinates, else one of its region, else any. It says why.
func choose(all []gateway, w want, now time.Time) (best gateway, reason string, err error) {
	fits := slices.DeleteFunc(slices.Clone(all), func(v gateway) bool { return !w.fits(&v, now) })
	if len(fits) == 0 {
		return best, "", fmt.Errorf("%w: %s", api.ErrUnavailable, w.whyNone(all, now))
	}
	w.order(fits)
	best = fits[0]
	return best, w.why(&best, fmt.Sprintf("it has %d of %d devices", best.Devices, best.Capacity), len(fits)), nil
}

// why says why a gateway is the best of n.
func (w *want) why(best *gateway, load string, n int) (reason string) {
	km, known := w.far(best)
	switch region := w.region(); {
	case known:
		reason = fmt.Sprintf("%.0f km away, the nearest; %s", km, load)
		if best.Region != "" && best.Region == region {
			reason = fmt.Sprintf("%.0f km away, the nearest, in region %s; %s", km, region, load)
		}
	case region != "" && best.Region == region:
		reason = "region " + region + " is the device's; " + load
	case region != "":
		reason = fmt.Sprintf("no %sgateway of region %s is alive and has room; %s", w.other(), region, load)
	case w.location != nil && w.location.Latitude != nil:
		reason = "no " + w.other() + "gateway says where it stands; " + load
	default:
		reason = "nobody knows where the device is; " + load
	}
	if n > 1 {
		reason += fmt.Sprintf(", the best of %d", n)
	}
	return reason
}

// other is a word before "gateway": one is not asked, if the device is to leave it.
func (w *want) other() string {
	if w.not != "" {
		return "other "
	}
	return ""
}

// whyNone tells what keeps each gateway from taking the device.
func (w *want) whyNone(all []gateway, now time.Time) string {
	var other, foreign, secret, silent, draining, full int
	for _, v := range all {
		switch {
		case v.ID == w.not:
		case w.topics && !v.ours() && v.Protocol == w.protocol:
			foreign++
		case !w.speaks(&v) && v.Protocol == w.protocol && (len(v.Kinds) == 0 || slices.Contains(v.Kinds, cmp.Or(w.kind, device.Certificate))):
			secret++
		case !w.speaks(&v):
			other++
		case !v.healthy(now):
			silent++
		case v.Draining:
			draining++
		default:
			full++
		}
	}
	var why []string
	for _, c := range []struct {
		n    int
		what string
	}{{other, "speak another protocol or take other credentials"},
		{foreign, "are brokers of somebody else's, which do not let devices use topics of their own"},
		{secret, fmt.Sprintf("keep secrets of their own and cannot be given the device's %s: it must be enrolled anew", w.kind)}, {silent, "are not heard of"}, {draining, "are being drained"}, {full, "are full"}} {
		if c.n > 0 {
			why = append(why, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(why) == 0 {
		return fmt.Sprintf("there is no other operational %s gateway", w.protocol)
	}
	return fmt.Sprintf("no operational %s gateway can take the device: %s", w.protocol, strings.Join(why, ", "))
}

// alternatives are the addresses that a device is given: its own gateway's, and those where it would get a place if that one
// were gone.
func (w want) alternatives(all []gateway, own string, now time.Time) []string {
	out := []string{own}
	others := slices.DeleteFunc(slices.Clone(all), func(v gateway) bool { return !w.speaks(&v) || !v.healthy(now) || v.Draining })
	w.order(others)
	for _, v := range others {
		if len(out) < maxAlternatives && !slices.Contains(out, v.URL) {
			out = append(out, v.URL)
		}
	}
	return out
}

// earth is its mean radius, in km.
const earth = 6371.0

// distance is that of the great circle, in km (haversine).
func distance(lat1, lon1, lat2, lon2 float64) float64 {
	rad := math.Pi / 180
	a, b := lat1*rad, lat2*rad
	h := math.Pow(math.Sin((b-a)/2), 2) + math.Cos(a)*math.Cos(b)*math.Pow(math.Sin((lon2-lon1)*rad/2), 2)
	return 2 * earth * math.Asin(math.Min(1, math.Sqrt(h)))
}
