package alerts

import (
	"testing"
	"time"

	"github.com/wneessen/go-mail"
)

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
