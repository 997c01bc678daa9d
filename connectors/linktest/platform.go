package linktest

import (
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A Platform is a peer that speaks the functions' HTTP contract to a link, as far as a link uses it. Its zero value works:
// every reference has a twin, every message is stored, every request accepted. A test scripts what it wants otherwise.
type Platform struct {
	mu        sync.Mutex
	ingest    func(call int, b telemetry.Batch) ([]telemetry.Outcome, int)
	down      map[string]int // function → status
	provision func(api.ProvisionRequest) (api.ProvisionAnswer, int)
	unknown   map[device.Ref]bool
	exchanged map[device.Ref]twin.ID
	directory []api.Advertisement
	resolving func()
	lost      int // answers to requests for leases

	calls      map[string]int // "POST twin-ingest/batches" → how often
	stored     []telemetry.Message
	parked     []telemetry.Message
	busy       map[twin.ID]int
	overlaps   int
	requests   []api.ProvisionRequest
	confirmed  []api.Confirmation
	gateways   []api.Gateway
	advertised []api.Advertisement

	renewals map[device.Ref][]api.Renewal
	shown    []api.Shown
	knocks   []api.Knock
	decided  map[string]api.ProvisionAnswer // of knocks, by serial
	pending  map[device.Ref]bool

	commands  []api.LeasedCommand
	holders   map[string]string // of leases, by command
	delivered []api.CommandDelivery

	used     map[twin.ID]api.UsedDriver
	unplaced map[twin.ID]bool
	code     map[string][]byte // by digest
	failures []api.DriverFailures
}

// Serve starts the peer on loopback and returns a client for it.
func (p *Platform) Serve(t testing.TB) *api.Client {
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return &api.Client{URL: s.URL}
}

// OnIngest lets f answer batches: an outcome per message, or a status of 400 and above. nil stores everything. f may block.
func (p *Platform) OnIngest(f func(call int, b telemetry.Batch) ([]telemetry.Outcome, int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ingest = f
}

// OnRequest lets f answer provisioning requests.
func (p *Platform) OnRequest(f func(api.ProvisionRequest) (api.ProvisionAnswer, int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.provision = f
}

// Fail makes every call of function fail with status; 0 ends that.
func (p *Platform) Fail(function string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down == nil {
		p.down = make(map[string]int)
	}
	p.down[function] = status
}

// Unknown makes ref nobody's, or somebody's again.
func (p *Platform) Unknown(ref device.Ref, unknown bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unknown == nil {
		p.unknown = make(map[device.Ref]bool)
	}
	p.unknown[ref] = unknown
}

// Exchange maps a reference to another twin: a relayed device was exchanged for another of its name.
func (p *Platform) Exchange(ref device.Ref, id twin.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exchanged == nil {
		p.exchanged = make(map[device.Ref]twin.ID)
	}
	p.exchanged[ref] = id
}

// OnResolve lets f run before each answer of the credential mapper; it may block.
func (p *Platform) OnResolve(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolving = f
}

// Advertise puts functions into the service directory.
func (p *Platform) Advertise(a ...api.Advertisement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.directory = append(p.directory, a...)
}

// Stored are the messages stored, in order, of the twin ("" = all) and without presence.
func (p *Platform) Stored(id twin.ID) []telemetry.Message {
	return p.list(&p.stored, func(m telemetry.Message) bool { return m.Kind != telemetry.Presence && (id == "" || m.Twin == id) })
}

// Presence are the presence messages of the twin ("" = all), in order.
func (p *Platform) Presence(id twin.ID) []telemetry.Message {
	return p.list(&p.stored, func(m telemetry.Message) bool { return m.Kind == telemetry.Presence && (id == "" || m.Twin == id) })
}

// Parked are the messages parked.
func (p *Platform) Parked() []telemetry.Message {
	return p.list(&p.parked, func(telemetry.Message) bool { return true })
}

func (p *Platform) list(of *[]telemetry.Message, want func(telemetry.Message) bool) (out []telemetry.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range *of {
		if want(m) {
			out = append(out, m)
		}
	}
	return out
}

// Calls is how often method and path of a function were called: "POST twin-ingest/batches".
func (p *Platform) Calls(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[what]
}

// Overlaps is how often two batches with messages of one twin were under way together.
func (p *Platform) Overlaps() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.overlaps
}

// Requests are the provisioning requests that came.
func (p *Platform) Requests() []api.ProvisionRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Confirmed are the confirmations taken.
func (p *Platform) Confirmed() []api.Confirmation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.confirmed)
}

// Gateways are the reports of gateways that are alive.
func (p *Platform) Gateways() []api.Gateway {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.gateways)
}

// Advertised is what was put into the service directory.
func (p *Platform) Advertised() []api.Advertisement {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.advertised)
}

// TwinOf is the twin a device reference is mapped to.
func TwinOf(ref device.Ref) twin.ID { return twin.ID("twin-" + ref) }
