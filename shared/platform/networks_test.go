package platform_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/castor-iot/castor/shared/platform"
)

func TestNetworks(t *testing.T) {
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::7/128")}
	got, err := platform.Networks(" ,10.1.2.3/8,192.0.2.7, 2001:db8::7,")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"balancer", "10.0.0.0/99", "10.0.0.1:80"} {
		if got, err := platform.Networks(bad); err == nil {
			t.Errorf("%s: %v", bad, got)
		}
	}
}
