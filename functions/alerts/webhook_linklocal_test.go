package alerts

import "testing"

func TestNoPlatformCallsLinkLocalAddresses(t *testing.T) {
	for address, refused := range map[string]bool{
		"169.254.169.254:80": true, "[fe80::1]:80": true, "[::ffff:169.254.169.254]:80": true, "127.0.0.1:80": false, "10.0.0.5:443": false, "nonsense": true,
	} {
		if err := refuseLinkLocal("tcp", address, nil); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
}
