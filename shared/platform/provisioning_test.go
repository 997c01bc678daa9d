package platform

import (
	"maps"
	"testing"
)

func TestProvisioningGatewaysOfTheEnvironment(t *testing.T) {
	for v, want := range map[string]map[string]string{
		"":                 {},
		"tls://a:8884":     {"mqtt": "tls://a:8884"},
		" tls://a:8884 , ": {"mqtt": "tls://a:8884"},
		"https://b:8887,tls://a:8884,grpcs://a:8885": {"http": "https://b:8887", "mqtt": "tls://a:8884", "grpc": "grpcs://a:8885"},
	} {
		if _, all, err := provisioning(v); err != nil || !maps.Equal(all, want) {
			t.Errorf("%q: %v, %v", v, all, err)
		}
	}
	if first, _, err := provisioning("https://b:8887,tls://a:8884"); err != nil || first != "https://b:8887" {
		t.Errorf("the first is %q, %v", first, err)
	}
	for _, v := range []string{"a:8884", "http://a:8887", "tls://a", "tls://a:1,tls://b:2", "mqtt"} {
		if _, _, err := provisioning(v); err == nil {
			t.Errorf("%q is taken", v)
		}
	}
}
