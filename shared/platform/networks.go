package platform

import (
	"errors"
	"net/netip"
	"strings"
)

// Networks reads addresses and networks with commas between them, as settings name balancers: "172.30.84.0/24, 10.0.0.5".
func Networks(list string) (all []netip.Prefix, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, errors.New("it must be addresses or networks, with commas between them")
		}
		all = append(all, n.Masked())
	}
	return all, nil
}
