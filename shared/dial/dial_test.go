package dial

import (
	"errors"
	"net/netip"
	"testing"
)

func TestWhichAddressesAreCalled(t *testing.T) {
	any := errors.New("any")
	for address, want := range map[string]struct{ private, public, plain, plainPrivate error }{
		"169.254.169.254:80":          {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal},
		"[fe80::1]:80":                {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal},
		"[::ffff:169.254.169.254]:80": {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal},
		"127.0.0.1:80":                {nil, ErrPrivate, ErrPrivate, nil},
		"10.0.0.5:443":                {nil, ErrPrivate, ErrPrivate, nil},
		"100.64.0.1:443":              {nil, ErrPrivate, ErrPrivate, nil},
		"93.184.216.34:443":           {nil, nil, ErrPlain, ErrPlain},
		// What is behind a translator or a tunnel is judged as what it leads to.
		"[64:ff9b::169.254.169.254]:80":       {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal},
		"[64:ff9b:1::169.254.169.254]:80":     {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal},
		"[64:ff9b:1:a9fe:a9:fe08:808:808]:80": {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal}, // of a prefix of 48 bits
		"[64:ff9b:1:a9:fe:a9fe::]:80":         {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal}, // of 56
		"[64:ff9b:1:0:a9:fea9:fe00:0]:80":     {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal}, // of 64
		"[2002:a9fe:a9fe::1]:80":              {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal},
		"[::169.254.169.254]:80":              {ErrLinkLocal, ErrLinkLocal, ErrLinkLocal, ErrLinkLocal},
		"[64:ff9b::10.0.0.5]:443":             {nil, ErrPrivate, ErrPrivate, nil},
		"[64:ff9b:1::93.184.216.34]:443":      {nil, ErrPrivate, ErrPrivate, nil},
		"[64:ff9b::93.184.216.34]:443":        {nil, nil, ErrPlain, ErrPlain},
		"[2002:5db8:d822::1]:443":             {nil, nil, ErrPlain, ErrPlain},
		"nonsense":                            {any, any, any, any},
	} {
		for name, x := range map[string]struct{ got, want error }{
			"private": {Control(true)("tcp", address, nil), want.private}, "public": {Control(false)("tcp", address, nil), want.public},
			"plain": {PlainControl(false)("tcp", address, nil), want.plain}, "plain, private": {PlainControl(true)("tcp", address, nil), want.plainPrivate},
		} {
			if x.want == any && x.got != nil {
				continue
			}
			if !errors.Is(x.got, x.want) || x.want == nil && x.got != nil {
				t.Errorf("%s, %s: %v, want %v", address, name, x.got, x.want)
			}
		}
	}
}

func TestPublic(t *testing.T) {
	for ip, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "8.8.8.8": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "::": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "100.64.0.1": false,
		"198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "ff02::1": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::7f00:1": false, "fe80::1%eth0": false, "240.0.0.1": false,
		"::ffff:100.64.0.1": false, "::ffff:198.18.0.1": false, "fec0::1%eth0": false, "64:ff9b::7f00:1%1": false,
		"64:ff9b::5db8:d822": true, "64:ff9b::100.64.0.1": false, "64:ff9b:1::5db8:d822": false, "2002:5db8:d822::1": true, "2002:c0a8:101::1": false,
		"64:ff9a:ffff::1": true, "64:ff9b:2::1": true, "2001::1": false,
	} {
		if got := Public(netip.MustParseAddr(ip)); got != want {
			t.Errorf("Public(%s) = %v, want %v", ip, got, want)
		}
	}
}
