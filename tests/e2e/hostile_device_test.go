package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// What devices may try that mean no good, on every protocol: each is refused in words that say why, is counted, and a device that means
// well is not disturbed.
func TestHostileDevices(t *testing.T) {
	t.Parallel()
	w := NewWorld(t)
	w.Type("pump")
	w.Type("valve")
	good, shown := w.rightful("mqtt", "GOOD-1")
	for protocol := range wires {
		w.Identity("P-" + protocol)
		claim := w.Claim("pump", "plant", func(c *api.NewClaim) { c.MaxUses = 1000 })
		t.Run("requests over "+protocol, func(t *testing.T) { w.In(t).hostileRequests(protocol, claim) })
		t.Run("clocks over "+protocol, func(t *testing.T) { w.In(t).hostileClocks(protocol) })
		t.Run("posing over "+protocol, func(t *testing.T) { w.In(t).poses(protocol, claim, good) })
	}
	t.Run("a flood of knocks", func(t *testing.T) { w.In(t).flood() })
	ctx, cancel := w.soon()
	defer cancel()
	w.must(wires["mqtt"].report(ctx, good.operational(), shown, shown.ref, map[string]any{"rpm": 2}), "the rightful device reports")
	if n := len(w.History(good.bundle.Twin, "rpm")); n != 1 {
		t.Errorf("the rightful device has %d readings, want its own one", n)
	}
}

// rightful is a device that means well.
func (w *World) rightful(protocol, serial string) (*made, proof) {
	w.Helper()
	w.Identity(serial)
	return w.comesIn(protocol, serial, device.Token, w.Claim("pump", "plant"))
}

// hostileRequests asks to be provisioned with what cannot be.
func (w *World) hostileRequests(protocol string, claim api.ClaimFile) {
	serial, m := "P-"+protocol, w.made()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	w.must(err, "key")
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	w.must(err, "key")
	forged, _ := pem.Decode([]byte(csrOf(m.key, serial)))
	forged.Bytes[len(forged.Bytes)-3] ^= 0xff
	with := func(change map[string]any) map[string]any {
		in := m.request(serial, device.Certificate)
		for k, v := range change {
			in[k] = v
		}
		return in
	}
	deep := []byte(`{"serial":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5001))
	cases := map[string]struct {
		body any
		word string // of the reason
	}{
		"a CSR with a weak RSA key":        {with(map[string]any{"csr": csrOf(weak, serial)}), "2048"},
		"a CSR with a small curve":         {with(map[string]any{"csr": csrOf(small, serial)}), "256"},
		"a CSR of another device":          {with(map[string]any{"csr": csrOf(m.key, "GOOD-1")}), "subject"},
		"a CSR with a wrong signature":     {with(map[string]any{"csr": string(pem.EncodeToMemory(forged))}), "csr"},
		"a CSR that is none":               {with(map[string]any{"csr": "-----BEGIN CERTIFICATE-----"}), "PEM"},
		"a public key that is none":        {with(map[string]any{"publicKey": "AAAA"}), "publicKey"},
		"a serial like a path":             {with(map[string]any{"serial": "../../GOOD-1"}), "serial"},
		"a serial like a path of Windows":  {with(map[string]any{"serial": `..\GOOD-1`}), "serial"},
		"a serial that becomes a path":     {with(map[string]any{"serial": "P/../../GOOD-1"}), "path"},
		"a serial of 10 KB":                {with(map[string]any{"serial": strings.Repeat("P", 10<<10)}), "serial"},
		"a serial that looks like another": {with(map[string]any{"serial": "G\u041e\u041eD-1"}), "serial"},
		"a serial in fullwidth letters":    {with(map[string]any{"serial": "\uff27OOD-1"}), "serial"},
		"a serial with a character hidden": {with(map[string]any{"serial": "GOOD\u200b-1"}), "serial"},
		"a serial that nobody knows":       {with(map[string]any{"serial": "Q-404", "csr": csrOf(m.key, "")}), "not known"},
		"a serial of another's":            {with(map[string]any{"serial": "GOOD-1", "csr": csrOf(m.key, "")}), "another key"},
		"no serial":                        {with(map[string]any{"serial": ""}), "serial"},
		"a thousand facts":                 {with(map[string]any{"facts": manyFacts()}), "facts"},
		"a kind that there is not":         {with(map[string]any{"kind": "root"}), "kind"},
		"what is no object":                {[]byte("[1]"), "object"},
		"what ends early":                  {[]byte(`{"serial": "P-`), "object"},
		"what is very deep":                {deep, "object"},
		"CBOR that does not end":           {[]byte("\x9f\x9f\x9f"), ""},
		"more than a message may have":     {[]byte(`{"serial":"` + strings.Repeat("P", 300<<10) + `"}`), ""},
	}
	before := w.turned(w.T)
	for name, tt := range cases {
		w.Run(name, func(t *testing.T) {
			ctx, cancel := w.soon()
			defer cancel()
			a, err := wires[protocol].ask(ctx, w.door(protocol, claim.CA), claim, "pump", tt.body)
			switch {
			case err != nil && tt.word == "": // the connection may end while it is still being sent
			case err != nil && (!refused(err) || protocol == "mqtt"):
				t.Errorf("it is told %v", err)
			case err != nil: // the protocol says no by itself
				if !strings.Contains(err.Error(), tt.word) {
					t.Errorf("it is told %v, want a reason that says %q", err, tt.word)
				}
			case a.Status != "rejected" || !strings.Contains(a.Reason, tt.word) || a.Bundle != nil:
				t.Errorf("it is told %+v, want a rejection that says %q", a, tt.word)
			}
		})
	}
	// And a claim for another type.
	ctx, cancel := w.soon()
	defer cancel()
	a, err := wires[protocol].ask(ctx, w.door(protocol, claim.CA), claim, "valve", with(nil))
	if err == nil && a.Status != "rejected" {
		w.Errorf("a claim for pumps asks for a valve, and is told %+v", a)
	}
	w.Eventually(fmt.Sprintf("of %d requests that cannot be, metrics count nearly all", len(cases)+1), func() bool {
		return w.turned(w.T)-before >= float64(len(cases))
	})
}

func manyFacts() map[string]string {
	all := map[string]string{}
	for i := range 1000 {
		all[strconv.Itoa(i)] = "x"
	}
	return all
}

// poses has a device, and one with a claim, say things as another.
func (w *World) poses(protocol string, claim api.ClaimFile, good *made) {
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	m, p := w.rightful(protocol, "POSER-"+protocol)
	before := w.turned(w.T)
	// On gRPC there is no name to pose by: whoever says one is the one that is shown.
	if err := wires[protocol].report(ctx, m.operational(), p, good.bundle.Ref, map[string]any{"rpm": 666}); !refused(err) && protocol != "grpc" {
		w.Errorf("a device reports as another: %v", err)
	}
	ctx, cancel = w.soon()
	defer cancel()
	shown := proof{ref: good.bundle.Ref, kind: device.Password, user: claim.Claim.ID, secret: claim.Token}
	if err := wires[protocol].report(ctx, m.operational(), shown, good.bundle.Ref, map[string]any{"rpm": 666}); !refused(err) {
		w.Errorf("a claim reports as a device: %v", err)
	}
	w.Eventually("a metric counts who poses as another", func() bool { return w.turned(w.T) > before })
	if got := w.Reported(good.bundle.Twin, "rpm"); got != nil {
		w.Errorf("the other's twin reports %v", got)
	}
}

// hostileClocks sends readings of times that cannot be; they are kept, flagged, and the next good one counts.
func (w *World) hostileClocks(protocol string) {
	m, p := w.rightful(protocol, "CLOCK-"+protocol)
	ctx, cancel := w.soon()
	defer cancel()
	times := []any{"2999-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0002-01-01T00:00:00Z", 253402300799000, -1, 0}
	for i, at := range times {
		err := wires[protocol].report(ctx, m.operational(), p, p.ref, map[string]any{"epoch": 1, "seq": i + 1, "time": at, "data": map[string]any{"rpm": i}})
		w.must(err, fmt.Sprint("a reading of ", at))
	}
	parked := []any{"next week", 1e300, []int{1}, "9999999-01-01T00:00:00Z"}
	for i, at := range parked {
		err := wires[protocol].report(ctx, m.operational(), p, p.ref, map[string]any{"epoch": 1, "seq": 100 + i, "time": at, "data": map[string]any{"rpm": 100 + i}})
		w.must(err, fmt.Sprint("a reading of ", at))
	}
	w.must(wires[protocol].report(ctx, m.operational(), p, p.ref, map[string]any{"epoch": 1, "seq": 1000, "time": time.Now(), "data": map[string]any{"rpm": 77}}), "a good reading")
	if got := w.Reported(m.bundle.Twin, "rpm"); got != 77.0 {
		w.Errorf("after clocks that were far off the twin reports %v", got)
	}
	flagged := 0
	for _, r := range w.History(m.bundle.Twin, "rpm") {
		if r.Flag != "" {
			flagged++
		}
	}
	if n := w.Twin(m.bundle.Twin).Live.Parked; flagged < len(times) || flagged+int(n) != len(times)+len(parked) {
		w.Errorf("%d readings are flagged and %d parked, of %d and %d", flagged, n, len(times), len(parked))
	}
}

// flood has many addresses knock far more often than they may, on all protocols: what is beyond the limit costs no call.
func (w *World) flood() {
	ca, err := w.Client("").CA(w.Context())
	w.must(err, "CA")
	before, turned := w.count(w.T, "castor_function_requests_total", `function="twin-provision",operation="POST /knocks"`), w.count(w.T, "castor_device_refused_total", `reason="knock"`)
	ctx, cancel := context.WithTimeout(w.Context(), 4*time.Second)
	defer cancel()
	begin, tried := time.Now(), 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for protocol, v := range wires {
		for i := range 12 {
			m := w.made()
			all.Go(func() {
				to := w.door(protocol, ca)
				to.from = fmt.Sprintf("127.2.0.%d", i%3+1) // of each protocol three addresses
				for n := 0; n < 12 && ctx.Err() == nil; n++ {
					one, cancel := context.WithTimeout(ctx, time.Second)
					v.knock(one, to, m.request(fmt.Sprintf("F-%s-%d-%d", protocol, i, n), device.Token)) // most are refused
					cancel()
					mu.Lock()
					tried++
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	calls := w.count(w.T, "castor_function_requests_total", `function="twin-provision",operation="POST /knocks"`) - before
	most := 3 * 3 * (5 + time.Since(begin).Minutes() + 1)
	w.Logf("%d knocks from 9 addresses made %.0f calls, %.0f were turned away", tried, calls, w.count(w.T, "castor_device_refused_total", `reason="knock"`)-turned)
	if calls > most || calls == 0 {
		w.Errorf("%d knocks made %.0f calls, at most %.0f are right", tried, calls, most)
	}
	if w.count(w.T, "castor_device_refused_total", `reason="knock"`) <= turned {
		w.Error("no metric counts who knocks too often")
	}
	list, err := w.Admin.ListWaiting(w.Context(), api.WaitingQuery{Limit: 1000})
	w.must(err, "waiting list")
	if len(list.Items) > int(most) {
		w.Errorf("%d wait in the list", len(list.Items))
	}
}

// turned is how many clients, topics, requests and messages the gateways have refused.
func (w *World) turned(t *testing.T) float64 {
	t.Helper()
	return w.count(t, "castor_device_refused_total", "", "castor_link_messages_total", `outcome="refused"`, "castor_provision_answers_total", `status="rejected"`)
}

var sampleLine = regexp.MustCompile(`(?m)^([a-z_]+)\{(.*)\} (\S+)$`)

// count sums metrics of the platform: names, each with the labels that count.
func (w *World) count(t *testing.T, metrics ...string) (sum float64) {
	t.Helper()
	r, err := http.NewRequestWithContext(w.Context(), "GET", w.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", w.password)
	resp, err := w.HTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s %v", resp.Status, err)
	}
	for _, m := range sampleLine.FindAllStringSubmatch(string(bytes.ToValidUTF8(b, nil)), -1) {
		for i := 0; i < len(metrics); i += 2 {
			if m[1] == metrics[i] && strings.Contains(m[2], metrics[i+1]) {
				n, err := strconv.ParseFloat(m[3], 64)
				if err != nil {
					t.Fatal(err)
				}
				sum += n
			}
		}
	}
	return sum
}
