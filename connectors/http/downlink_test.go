package http_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	connector "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/tests/networkserver"
)

// valve is a driver that writes frames.
const valve = `castor: 1
uplink:
- port: 2
  fields: [{name: percent, type: u8}]
downlink:
- command: open
  port: 10
  fields: [{name: percent, type: u8}]
- command: long
  port: 10
  fields: [{type: u8, value: 1}, {name: text, type: text, length: 250}]
- command: nowhere
  fields: [{name: percent, type: u8}]
`

// things1 is what The Things Stack says of the way down to its device dev1.
func things1(ns *networkserver.Server) http.Header { return ns.ThingsHeaders("app1", "dev1") }

const thingsIDs = `"end_device_ids":{"device_id":"dev1","application_ids":{"application_id":"app1"},"dev_eui":"0101010101010101"}`

// things is the answer to an event of The Things Stack.
func (s *server) things(h http.Header, event string) string {
	s.t.Helper()
	resp := s.do("POST", "/v1/webhooks/the-things-stack", "application/json", `{`+thingsIDs+`,`+event+`}`, h)
	text := strings.TrimSpace(string(s.body(resp)))
	if resp.StatusCode != 200 {
		s.t.Errorf("%s is answered %s %s", event, resp.Status, text)
	}
	return text
}

func (s *server) heard(h http.Header) {
	s.t.Helper()
	s.things(h, fmt.Sprintf(`"uplink_message":{"f_port":2,"frm_payload":"KA==","received_at":%q}`, time.Now().Format(time.RFC3339Nano)))
}

// valve has a device read and told by the driver.
func (s *server) valve() {
	s.w.Platform.Use(s.twinOf(eui1), s.w.Platform.Driver("valve", "1.0.0", driver.Declarative, []byte(valve)))
}

func (s *server) command(id, name, input string) {
	s.w.Platform.Command(api.LeasedCommand{ID: id, Twin: s.twinOf(eui1), Name: name, Input: json.RawMessage(input), Until: linktest.Soon()})
}

// answer is how a command was answered, once it was; "" is not yet.
func (s *server) answer(id string) string {
	for _, m := range s.w.Platform.Stored(s.twinOf(eui1)) {
		if m.Kind == telemetry.Response && m.Answer.Command == id {
			return fmt.Sprintf("%v %s", m.Answer.OK, m.Answer.Reason)
		}
	}
	return ""
}

func (s *server) answered(id, want string) {
	s.t.Helper()
	linktest.Eventually(s.t, id+" is answered", func() bool { return s.answer(id) != "" })
	if got := s.answer(id); got != want {
		s.t.Errorf("%s is answered %q, want %q", id, got, want)
	}
}

func private(c *connector.Config) { c.PrivateDownlinks = true }

// A command is a confirmed frame in the queue of The Things Stack, and ends by what becomes of that.
func TestACommandByTheThingsStack(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	s.valve()
	s.command("c-1", "open", `{"percent":40}`)
	s.heard(things1(ns))
	linktest.Eventually(t, "it is queued", func() bool { return len(ns.Requests()) == 1 })
	got := ns.Requests()[0]
	if got.Path != "POST /api/v3/as/applications/app1/webhooks/castor/devices/dev1/down/push" || got.Key != "Bearer "+networkserver.Key ||
		fmt.Sprint(got.Frames) != "[{dev1 10 [40] true NORMAL [castor:"+eui1+":c-1] }]" {
		t.Errorf("%+v", got)
	}
	linktest.Eventually(t, "it counts as sent", func() bool {
		return slices.Contains(s.w.Platform.Delivered(), api.CommandDelivery{Command: "c-1", Lease: 1, Sent: true})
	})
	down := `{"f_port":10,"f_cnt":1,"frm_payload":"KA==","confirmed":true,"correlation_ids":["as:downlink:01","castor:` + eui1 + `:%s"]%s}`
	for _, event := range []string{"downlink_queued", "downlink_sent", "downlink_nack"} {
		if text := s.things(things1(ns), `"`+event+`":`+fmt.Sprintf(down, "c-1", "")); !strings.Contains(text, `"ignored"`) || s.answer("c-1") != "" {
			t.Errorf("%s is answered %s, and the command %q", event, text, s.answer("c-1"))
		}
	}
	if text := s.things(things1(ns), `"downlink_ack":`+fmt.Sprintf(down, "c-1", "")); text != `{"device":"`+eui1+`","command":"c-1"}` {
		t.Error(text)
	}
	s.answered("c-1", "true the device has acknowledged the frame")
	// While the session lives, one goes at once.
	s.command("c-2", "open", `{"percent":41}`)
	s.heard(things1(ns))
	linktest.Eventually(t, "the next is queued", func() bool { return len(ns.Requests()) == 2 })
	s.things(things1(ns), `"downlink_nack":`+fmt.Sprintf(down, "c-2", `,"confirmed_retry":{"attempt":8,"max_attempts":8}`))
	s.answered("c-2", "false the device has not acknowledged it in 8 attempts")
	s.things(nil, `"downlink_failed":{"downlink":`+fmt.Sprintf(down, "c-3", "")+`,"error":{"name":"application_downlink_too_long","message_format":"application downlink payload is too long"}}`)
	s.answered("c-3", "false the network server could not send it: application_downlink_too_long: application downlink payload is too long")
	for _, other := range []string{`"downlink_ack":{"correlation_ids":["castor:0202020202020202:c-4"]}`, `"downlink_ack":{"correlation_ids":["castor:` + eui1 + `:a b"]}`, `"downlink_ack":{}`, `"join_accept":{}`} {
		if text := s.things(nil, other); !strings.Contains(text, `"ignored"`) {
			t.Errorf("%s is answered %s", other, text)
		}
	}
	// A failure does not name the device's EUI.
	resp := s.do("POST", "/v1/webhooks/the-things-stack", "application/json", `{"end_device_ids":{"device_id":"dev1"},"downlink_failed":{"downlink":{"correlation_ids":["castor:`+eui1+`:c-5"]}}}`, nil)
	if text := s.body(resp); resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Status, text)
	}
	s.answered("c-5", "false the network server could not send it")
}

// ChirpStack is given the same by headers of its integration, and numbers the frames in its queue itself.
func TestACommandByChirpStack(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	s.valve()
	h := ns.ChirpHeaders()
	chirp := func(event, body string) string {
		t.Helper()
		resp := s.do("POST", "/v1/webhooks/chirpstack?event="+event, "application/json", body, h)
		text := strings.TrimSpace(string(s.body(resp)))
		if resp.StatusCode != 200 {
			t.Errorf("%s is answered %s %s", body, resp.Status, text)
		}
		return text
	}
	for n := 1; n <= 2; n++ {
		s.command(fmt.Sprintf("c-%d", n), "open", fmt.Sprintf(`{"percent":%d}`, n))
		chirp("up", up(eui1, "a", 2, []byte{byte(n)}, time.Now(), ""))
		linktest.Eventually(t, "it is queued", func() bool { return len(ns.Requests()) == n })
	}
	if got := ns.Requests()[0]; got.Path != "POST /api/devices/"+eui1+"/queue" || got.Key != "Bearer "+networkserver.Key ||
		fmt.Sprint(got.Frames) != "[{"+eui1+" 10 [1] true  [] 00000000-0000-0000-0000-000000000001}]" {
		t.Errorf("%+v", got)
	}
	linktest.Eventually(t, "both count as sent", func() bool { return len(s.w.Platform.Delivered()) == 2 })
	item := func(n int) string {
		return fmt.Sprintf(`{"deduplicationId":"b","deviceInfo":{"devEui":%q,"applicationId":"a"},"queueItemId":"00000000-0000-0000-0000-%012d"`, eui1, n)
	}
	if text := chirp("txack", item(1)+`,"downlinkId":7}`); !strings.Contains(text, `"ignored":"it was sent"`) {
		t.Error(text)
	}
	linktest.Eventually(t, "the acknowledgement is of the command", func() bool { // the answer to the request may still be under way
		return chirp("ack", item(1)+`,"acknowledged":true,"fCntDown":4}`) == `{"device":"`+eui1+`","command":"c-1"}`
	})
	s.answered("c-1", "true the device has acknowledged the frame")
	chirp("ack", item(2)+`,"fCntDown":5}`)
	s.answered("c-2", "false the device has not acknowledged it in time")
	if text := chirp("ack", item(3)+`,"acknowledged":true}`); !strings.Contains(text, "of no command") {
		t.Error(text)
	}
}

// A command that is over is not sent any more when its device listens at last, where the network server can be told; what waits behind it is.
func TestACommandThatIsOverBeforeTheDeviceListens(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	s.valve()
	over := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	for n, expires := range []time.Time{over, over.Add(time.Minute), {}} {
		s.w.Platform.Command(api.LeasedCommand{ID: fmt.Sprintf("c-%d", n+1), Twin: s.twinOf(eui1), Name: "open", Input: fmt.Appendf(nil, `{"percent":%d}`, n+1), Until: linktest.Soon(), Expires: expires})
	}
	chirp := func(event, body string) string {
		t.Helper()
		resp := s.do("POST", "/v1/webhooks/chirpstack?event="+event, "application/json", body, ns.ChirpHeaders())
		return strings.TrimSpace(string(s.body(resp)))
	}
	chirp("up", up(eui1, "a", 2, []byte{1}, time.Now(), ""))
	linktest.Eventually(t, "all are queued", func() bool { return len(ns.Requests()) == 3 })
	sent, dropped := ns.Listens(eui1, over)
	if len(dropped) != 1 || dropped[0].Payload[0] != 1 || len(sent) != 1 || sent[0].Payload[0] != 2 || !sent[0].Expires.Equal(over.Add(time.Minute)) {
		t.Fatalf("sent is %v, dropped %v", sent, dropped)
	}
	log := fmt.Sprintf(`{"deviceInfo":{"devEui":%q},"level":"INFO","code":"EXPIRED","description":"discarded","context":{"queue_item_id":%q}}`, eui1, dropped[0].ID)
	linktest.Eventually(t, "the event is of the command", func() bool { return chirp("log", log) == `{"device":"`+eui1+`","command":"c-1"}` })
	s.answered("c-1", "false the network server has dropped it: EXPIRED discarded")
	if sent, _ := ns.Listens(eui1, over.Add(24*time.Hour)); len(sent) != 1 || sent[0].Payload[0] != 3 {
		t.Errorf("one without an end is not sent: %v", sent)
	}
}

// What the driver writes without a port goes out by the driver's own.
func TestACommandByTheDriversPort(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	u := s.w.Platform.Driver("valve", "1.0.0", driver.Declarative, []byte(valve))
	u.Port = 99
	s.w.Platform.Use(s.twinOf(eui1), u)
	s.command("c-1", "nowhere", `{"percent":1}`)
	s.command("c-2", "open", `{"percent":2}`)
	s.heard(things1(ns))
	linktest.Eventually(t, "both are queued", func() bool { return len(ns.Requests()) == 2 })
	if a, b := ns.Requests()[0].Frames[0], ns.Requests()[1].Frames[0]; a.Port != 99 || b.Port != 10 {
		t.Errorf("they go out by %d and %d, want 99 and 10", a.Port, b.Port)
	}
}

// Why a command cannot be handed over is its answer.
func TestCommandsThatNoNetworkServerTakes(t *testing.T) {
	ns := networkserver.Start(t)
	set := func(name, value string) http.Header {
		h := things1(ns)
		if h.Del(name); value != "" {
			h.Set(name, value)
		}
		return h
	}
	no := "false there is no way to the device for this: "
	for name, c := range map[string]struct {
		change         func(*connector.Config)
		headers        http.Header
		command, input string
		answer         func(n int, w http.ResponseWriter)
		want           string
	}{
		"nothing is said": {private, nil, "open", `{"percent":1}`, nil, no + "its network server has not said where downlinks go"},
		"no key":          {private, set("X-Downlink-Apikey", ""), "open", `{"percent":1}`, nil, no + "header X-Downlink-Apikey"},
		"a file":          {private, set("X-Downlink-Push", "file:///etc/passwd"), "open", `{"percent":1}`, nil, no + "header X-Downlink-Push"},
		"a user":          {private, set("X-Downlink-Push", "https://a:b@example.com/down/push"), "open", `{"percent":1}`, nil, no + "header X-Downlink-Push"},
		"another address": {private, set("X-Downlink-Push", ns.URL+"/admin"), "open", `{"percent":1}`, nil, no + "header X-Downlink-Push of the network server's requests leads to no queue"},
		"without TLS, where only public addresses are called":  {func(*connector.Config) {}, set("", ""), "open", `{"percent":1}`, nil, no + "header X-Downlink-Push of the network server's requests must be an https URL"},
		"a private address, where only public ones are called": {func(*connector.Config) {}, set("X-Downlink-Push", "https://127.0.0.1:1/down/push"), "open", `{"percent":1}`, nil, "false the network server has not taken it: it leads to a private address"},
		"a link-local address":                                 {private, set("X-Downlink-Push", "http://169.254.169.254/down/push"), "open", `{"percent":1}`, nil, "false the network server has not taken it: it leads to a link-local address"},
		"a public one, without TLS":                            {private, set("X-Downlink-Push", "http://93.184.216.34/down/push"), "open", `{"percent":1}`, nil, "false the network server has not taken it: it leads to a public address without TLS"},
		"no port":                                              {private, set("", ""), "nowhere", `{"percent":1}`, nil, no + "what the driver has written cannot be sent: port 0"},
		"too long":                                             {private, set("", ""), "long", `{"text":"` + strings.Repeat("a", 250) + `"}`, nil, no + "what the driver has written cannot be sent: the frame has 251 bytes"},
		"a command that the driver does not know":              {private, set("", ""), "close", `{}`, nil, "false driver valve@1.0.0: "},
		"it is refused":                                        {private, set("", ""), "open", `{"percent":1}`, func(_ int, w http.ResponseWriter) { http.Error(w, "secret", http.StatusForbidden) }, "false the network server has not taken it: it answered 403 Forbidden"},
		"it leads elsewhere": {private, set("", ""), "open", `{"percent":1}`, func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", "/admin")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
			"false the network server has not taken it: it answered 307 Temporary Redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			ns.Answers(c.answer)
			s := integration(t, c.change)
			s.valve()
			s.command("c-1", c.command, c.input)
			s.heard(c.headers)
			linktest.Eventually(t, "it is answered", func() bool { return s.answer("c-1") != "" })
			if got := s.answer("c-1"); !strings.HasPrefix(got, c.want) || strings.Contains(got, "secret") || strings.Contains(got, networkserver.Key) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if n := len(ns.Requests()); n > 1 || c.answer == nil && n != 0 {
				t.Errorf("%d requests came", n)
			}
		})
	}
}

// All devices of an integration have one network server.
func TestANetworkServerStaysWhereItIs(t *testing.T) {
	s, ns, other := integration(t, private), networkserver.Start(t), networkserver.Start(t)
	s.valve()
	s.heard(things1(ns))
	s.command("c-1", "open", `{"percent":1}`)
	s.heard(things1(other))
	linktest.Eventually(t, "it is answered", func() bool {
		return strings.Contains(s.answer("c-1"), "names another host than before; suspend and resume")
	})
	if len(other.Requests()) != 0 {
		t.Error("the other was called")
	}
	s.command("c-2", "open", `{"percent":1}`)
	s.heard(things1(ns))
	linktest.Eventually(t, "the first is called", func() bool { return len(ns.Requests()) == 1 })
}

// A second webhook that has no key, or a try by hand, does not cut a device off.
func TestARequestWithoutAWayDown(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	s.valve()
	s.heard(things1(ns))
	s.heard(nil)
	s.command("c-1", "open", `{"percent":1}`)
	s.heard(nil)
	linktest.Eventually(t, "the network server is called", func() bool { return len(ns.Requests()) == 1 })
}

// A network server that is busy is asked again; what comes meanwhile is answered at once, and what waits goes in its order.
func TestANetworkServerThatIsSlow(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	s.valve()
	held := make(chan struct{})
	ns.Answers(func(n int, w http.ResponseWriter) {
		if n == 1 {
			<-held
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	for n := range 3 {
		s.command(fmt.Sprintf("c-%d", n), "open", fmt.Sprintf(`{"percent":%d}`, n))
	}
	s.heard(things1(ns))
	linktest.Eventually(t, "it is called", func() bool { return len(ns.Requests()) == 1 })
	for range 3 {
		s.heard(things1(ns)) // none waits for the network server
	}
	close(held)
	linktest.Eventually(t, "all are queued", func() bool { return len(ns.Requests()) == 4 })
	var frames []byte
	for _, r := range ns.Requests() {
		frames = append(frames, r.Frames[0].Payload...)
	}
	if !bytes.Equal(frames, []byte{0, 0, 1, 2}) {
		t.Error(frames)
	}
}

// A gateway that stops says what it has not handed over.
func TestTheGatewayStopsMeanwhile(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	s.valve()
	held := make(chan struct{})
	defer close(held)
	ns.Answers(func(int, http.ResponseWriter) { <-held })
	s.command("c-1", "open", `{"percent":1}`)
	s.command("c-2", "open", `{"percent":1}`)
	s.heard(things1(ns))
	linktest.Eventually(t, "it is called", func() bool { return len(ns.Requests()) == 1 && len(s.w.Platform.Delivered()) == 2 })
	s.stop()
	if got := s.answer("c-2"); got != "false the gateway was stopped before the network server had it" {
		t.Errorf("%q", got)
	}
	if got := s.answer("c-1"); got != "" {
		t.Errorf("the network server may have it, and it is answered %q", got)
	}
}
