package platform

import (
	"fmt"
	"net/url"
	"strings"
)

// schemes are how the URLs of gateways begin, by what they speak.
var schemes = map[string]string{"tls": "mqtt", "grpcs": "grpc", "https": "http"}

// provisioning reads the URLs of the provisioning gateways, with commas between. The first is what claims name above the others.
func provisioning(v string) (first string, all map[string]string, err error) {
	all = map[string]string{}
	for one := range strings.SplitSeq(v, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		u, err := url.Parse(one)
		if err != nil || schemes[u.Scheme] == "" || u.Port() == "" || all[schemes[u.Scheme]] != "" {
			return "", nil, fmt.Errorf("CASTOR_PROVISIONING=%.200q must be what devices dial to be provisioned, one URL for each protocol, like tls://host:8884,grpcs://host:8885,https://host:8887", v)
		}
		if first == "" {
			first = one
		}
		all[schemes[u.Scheme]] = one
	}
	return first, all, nil
}
