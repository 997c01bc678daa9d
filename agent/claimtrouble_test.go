package agent_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
	"github.com/castor-iot/castor/shared/api"
)

// Whatever is wrong with a claim, the agent says what is to be done about it, and ends where trying again cannot help.
func TestWhatToDoAboutAClaim(t *testing.T) { each(t, whatToDoAboutAClaim) }

func whatToDoAboutAClaim(t *testing.T, p *gatewaytest.Platform) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	closed := listen()
	_ = closed.Close()
	plain := listen()
	t.Cleanup(func() { _ = plain.Close() })
	go func() {
		for {
			c, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}
	}()
	scheme, _, _ := strings.Cut(p.Claim.Gateway, "://")
	for name, tt := range map[string]struct {
		change func(*api.ClaimFile)
		ends   bool
		says   []string
	}{
		"HTTP alone":       {func(c *api.ClaimFile) { c.Gateway = "https://castor.example:8887" }, true, []string{"speaks HTTP", "MQTT and gRPC", "ask for a claim"}},
		"no port":          {func(c *api.ClaimFile) { c.Gateway = scheme + "://castor.example" }, true, []string{"tls://host:8883", "ask for a new one"}},
		"expired":          {func(c *api.ClaimFile) { c.Token, c.Claim.Expires = "guess", time.Now().Add(-time.Hour) }, false, []string{"claim-1 expired at", "castor claim create pump"}},
		"another CA":       {func(c *api.ClaimFile) { c.CA = gatewaytest.NewCA(t).PEM() }, false, []string{"not of the claim's CA", "castor claim create pump"}},
		"no gateway there": {func(c *api.ClaimFile) { c.Gateway = scheme + "://" + closed.Addr().String() }, false, []string{"nothing listens", "the port"}},
		"another port":     {func(c *api.ClaimFile) { c.Gateway = scheme + "://" + plain.Addr().String() }, false, []string{"no TLS", "check the port"}},
	} {
		t.Run(name, func(t *testing.T) {
			claim := p.Claim
			tt.change(&claim)
			a := start(t, p, "", func(c *agent.Config) { c.Claim = agent.Claim(claim) })
			said := ""
			if tt.ends {
				eventually(t, func() bool {
					select {
					case <-a.done:
						return true
					default:
						return false
					}
				})
				if a.err == nil {
					t.Fatal("Run returned no error")
				}
				said = a.err.Error()
			} else {
				a.reach(agent.Waiting)
				said = a.detail(agent.Waiting)
			}
			for _, s := range tt.says {
				if !strings.Contains(said, s) {
					t.Errorf("it says %q, without %q", said, s)
				}
			}
		})
	}
	t.Run("HTTP first", func(t *testing.T) { // it takes the one that it speaks
		claim := p.Claim
		claim.Gateways = map[string]string{"http": "https://castor.example:8887", map[string]string{"tls": "mqtt", "grpcs": "grpc"}[scheme]: claim.Gateway}
		claim.Gateway = "https://castor.example:8887"
		start(t, p, "", func(c *agent.Config) { c.Claim = agent.Claim(claim) }).reach(agent.Confirmed)
	})
}
