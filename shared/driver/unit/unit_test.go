package unit_test

import (
	"math"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver/unit"
)

func TestValue(t *testing.T) {
	for _, tt := range []struct {
		v        float64
		from, to string
		want     float64
	}{
		{21.5, "Cel", "K", 294.65}, {0.1, "Cel", "K", 273.25}, {100.4, "[degF]", "Cel", 38}, {-40, "[degF]", "Cel", -40}, {0.1, "kW.h", "W.h", 100}, {5, "x", "x", 5},
	} {
		if got, err := unit.Value(tt.v, tt.from, tt.to); err != nil || got != tt.want {
			t.Errorf("%v %s is %v %s, %v; want %v", tt.v, tt.from, got, tt.to, err, tt.want)
		}
	}
	for _, tt := range []struct {
		v        float64
		from, to string
		says     string
	}{
		{1, "m", "Cel", "m is a length and Cel a temperature"}, {1, "furlong", "m", `nothing is known of the unit "furlong"`}, {1, "m", "furlong", "from m one may convert to"},
		{math.MaxFloat64, "km", "m", "is too large in m"}, {math.NaN(), "km", "m", "is no number"}, {math.Inf(1), "km", "m", "is no number"},
	} {
		if got, err := unit.Value(tt.v, tt.from, tt.to); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v %s in %s: %v, %v; want %s", tt.v, tt.from, tt.to, got, err, tt.says)
		}
	}
	if !unit.Known("[degF]") || unit.Known("degF") || unit.Known("") {
		t.Error("what is known is not what the table has")
	}
}
