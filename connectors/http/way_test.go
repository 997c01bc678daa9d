package http

import (
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver/format"
)

// What a network server says of the way down is taken as it stands, or its fault is named: by the header that is wrong.
func TestWhereDownlinksGo(t *testing.T) {
	const eui = "0101010101010101"
	push := func(n int) string { // an address of n bytes
		return "https://h/" + strings.Repeat("a", n-len("https://h//down/push")) + "/down/push"
	}
	longest := strings.Repeat("k", maxKey)
	url, own, key := "X-Downlink-Push of the network server's requests must be a URL", "X-Downlink-Push of the network server's requests must have no user, query or fragment", "header X-Downlink-Apikey"
	for name, c := range map[string]struct {
		of           *webhook
		address, key string
		want, host   string // host is "" where want is in the fault
	}{
		"The Things Stack":           {theThingsStack, "https://eu1.example.com:8443/api/v3/down/push", "k", "https://eu1.example.com:8443/api/v3/down/push", "https://eu1.example.com:8443"},
		"ChirpStack":                 {chirpStack, "http://10.0.0.1:8090", "k", "http://10.0.0.1:8090/api/devices/" + eui + "/queue", "http://10.0.0.1:8090"},
		"ChirpStack below a path":    {chirpStack, "https://h/lora%2Fwan/", "k", "https://h/lora/wan/api/devices/" + eui + "/queue", "https://h"},
		"a name with a slash in it":  {theThingsStack, "https://h/a%2Fb/down/push", "k", "https://h/a%2Fb/down/push", "https://h"},
		"the longest":                {theThingsStack, push(maxPush), longest, push(maxPush), "https://h"},
		"an address that is longer":  {theThingsStack, push(maxPush + 1), "k", url, ""},
		"a key that is longer":       {theThingsStack, "https://h/down/push", longest + "k", key, ""},
		"no key":                     {theThingsStack, "https://h/down/push", "", key, ""},
		"a key that ends the header": {theThingsStack, "https://h/down/push", "k\r\nA: b", key, ""},
		"a key with a space":         {theThingsStack, "https://h/down/push", "a b", key, ""},
		"a key of other characters":  {theThingsStack, "https://h/down/push", "schlüssel", key, ""},
		"the first and last of all":  {theThingsStack, "https://h/down/push", "!~", "https://h/down/push", "https://h"},
		"no address":                 {theThingsStack, "", "k", url, ""},
		"none that can be read":      {theThingsStack, "http://[::1/down/push", "k", url, ""},
		"another scheme":             {theThingsStack, "ftp://h/down/push", "k", url, ""},
		"no host":                    {theThingsStack, "https://:443/down/push", "k", url, ""},
		"nothing after the scheme":   {theThingsStack, "https:h/down/push", "k", url, ""},
		"a user":                     {theThingsStack, "https://a@h/down/push", "k", own, ""},
		"a query":                    {theThingsStack, "https://h/down/push?a=b", "k", own, ""},
		"a fragment":                 {theThingsStack, "https://h/down/push#a", "k", own, ""},
		"another path":               {theThingsStack, "https://h/down/replace", "k", "header X-Downlink-Push of the network server's requests leads to no queue", ""},
	} {
		w := c.of.wayOf(http.Header{http.CanonicalHeaderKey(c.of.downHeader): {c.address}, "X-Downlink-Apikey": {c.key}}, eui)
		switch {
		case w == nil:
			t.Errorf("%s: it says nothing", name)
		case c.host == "" && (w.push != nil || !strings.Contains(w.fault, c.want)):
			t.Errorf("%s: %+v, want the fault %q", name, w, c.want)
		case c.host != "" && (w.fault != "" || w.push.String() != c.want || w.host() != c.host || w.key != c.key || w.of != c.of):
			t.Errorf("%s: %+v, want %s at %s", name, w, c.want, c.host)
		}
	}
	if w := theThingsStack.wayOf(http.Header{"X-Downlink-Api": {"https://h"}}, eui); w != nil {
		t.Errorf("what another network server says is taken: %+v", w)
	}
}

// Who is called is one host however its address is spelt, so that no more is under way to it than to any other.
func TestAHostInOtherWords(t *testing.T) {
	for want, spelt := range map[string][]string{
		"https://a.example":              {"https://a.example", "https://A.Example", "https://a.example:443", "https://a.example:0443", "https://a.example.", "https://a.EXAMPLE.:443", "https://a.example:"},
		"https://a.example:80":           {"https://a.example:80", "https://A.example.:080"},
		"http://a.example":               {"http://a.example", "http://a.example:80"},
		"http://a.example:443":           {"http://a.example:443"},
		"https://127.0.0.1:8443":         {"https://127.0.0.1:8443", "https://[::ffff:127.0.0.1]:8443", "https://[::FFFF:7f00:1]:8443"},
		"https://[::1]":                  {"https://[::1]", "https://[0:0:0:0:0:0:0:1]:443"},
		"https://xn--mnchen-3ya.example": {"https://m\u00fcnchen.example", "https://M\u00dcNCHEN.example", "https://xn--mnchen-3ya.example."},
		"https://a_b.example":            {"https://a_b.example", "https://A_B.example."},
	} {
		for _, address := range spelt {
			w := chirpStack.wayOf(http.Header{"X-Downlink-Api": {address}, "X-Downlink-Apikey": {"k"}}, "0101010101010101")
			if w.fault != "" || w.host() != want {
				t.Errorf("%s: %+v leads to another host than %s", address, w, want)
			}
		}
	}
}

// A frame is known by the name that it was given, and by no other; nobody ends the command of another device by it.
func TestWhoseFrameItIs(t *testing.T) {
	const eui = "0101010101010101"
	for name, c := range map[string]struct {
		eui  string
		ids  []string
		want string
	}{
		"ours":                    {eui, []string{downlinkID(eui, "c-1")}, eui + " c-1"},
		"ours, among others":      {eui, []string{"as:downlink:01", "castor", downlinkID(eui, "c-1"), downlinkID(eui, "c-2")}, eui + " c-1"},
		"of a device not named":   {"", []string{downlinkID(eui, "c-1")}, eui + " c-1"},
		"of another device":       {"0202020202020202", []string{downlinkID(eui, "c-1")}, " "},
		"no name":                 {eui, nil, " "},
		"another's":               {eui, []string{eui + ":c-1", "gs:" + eui + ":c-1"}, " "},
		"no command":              {eui, []string{"castor:" + eui, "castor:" + eui + ":"}, " "},
		"no device":               {"", []string{"castor::c-1"}, " "},
		"a device in other words": {"", []string{"castor:01-01-01-01-01-01-01-01:c-1", "castor:ABCDEF0101010101:c-1"}, " "},
		"a command that is none":  {eui, []string{downlinkID(eui, "a/b"), downlinkID(eui, "+"), downlinkID(eui, strings.Repeat("c", 65))}, " "},
	} {
		gotEUI, command := commandIn(&format.DownlinkEvent{EUI: c.eui, IDs: c.ids})
		if got := gotEUI + " " + command; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
