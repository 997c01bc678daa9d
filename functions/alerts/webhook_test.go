package alerts

import (
	"net/netip"
	"testing"
	"time"

	"github.com/wneessen/go-mail"
)

func TestPublic(t *testing.T) {
	for ip, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "8.8.8.8": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "::": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "100.64.0.1": false,
		"198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "ff02::1": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::7f00:1": false, "fe80::1%eth0": false, "240.0.0.1": false,
	} {
		if got := public(netip.MustParseAddr(ip)); got != want {
			t.Errorf("public(%s) = %v, want %v", ip, got, want)
		}
	}
}

// A password or an alarm must not cross a network in the open.
func TestMailGoesPlainToThisMachineOnly(t *testing.T) {
	for host, want := range map[string]mail.TLSPolicy{"127.0.0.1": mail.TLSOpportunistic, "::1": mail.TLSOpportunistic, "localhost": mail.TLSOpportunistic,
		"mail.example.com": mail.TLSMandatory, "10.0.0.7": mail.TLSMandatory, "localhost.example.com": mail.TLSMandatory} {
		if got := policyFor(host); got != want {
			t.Errorf("policyFor(%s) = %v, want %v", host, got, want)
		}
	}
}

func TestLineIsOneLine(t *testing.T) {
	for in, want := range map[string]string{"pump 7": "pump 7", "a\r\nBcc: b": "a  Bcc: b", "a\u2028b\u0085c\x00d": "a b c d", "a\xffb": "a\uFFFDb", "abcdefghijkl": "abcdefghi…"} {
		if got := line(in, 10); got != want {
			t.Errorf("line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	for attempts, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 9: 15 * time.Minute, 1000: 15 * time.Minute} {
		for range 100 {
			if got := backoff(attempts); got < want*3/4 || got > want*5/4 {
				t.Fatalf("backoff(%d) = %s, want %s ± a quarter", attempts, got, want)
			}
		}
	}
}
