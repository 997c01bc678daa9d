package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
)

// answers are those to a command that the platform has had.
func answers(p *gatewaytest.Platform, id string) (out []gatewaytest.Message) {
	for _, m := range p.Messages() {
		if m.Topic == "command/"+id+"/response" {
			out = append(out, m)
		}
	}
	return out
}

// tell sends a command and waits for one more answer to it.
func tell(t *testing.T, p *gatewaytest.Platform, id, payload string) gatewaytest.Message {
	t.Helper()
	before := len(answers(p, id))
	eventually(t, func() bool { return p.Command("dev-p-7", id, payload) })
	eventually(t, func() bool { return len(answers(p, id)) > before })
	return answers(p, id)[before]
}

func TestCommandsAreCarriedOutAndAnswered(t *testing.T) { each(t, commandsAreCarriedOutAndAnswered) }

func commandsAreCarriedOutAndAnswered(t *testing.T, p *gatewaytest.Platform) {
	start(t, p, "", func(c *agent.Config) {
		c.Source, c.Interval = func(context.Context) (map[string]any, error) { return map[string]any{"rpm": 7}, nil }, time.Hour
		c.Commands = map[string]agent.Handler{
			"echo":  func(_ context.Context, c agent.Command) (any, error) { return c.Input, nil },
			"fail":  func(context.Context, agent.Command) (any, error) { return nil, errors.New("the valve is stuck") },
			"break": func(context.Context, agent.Command) (any, error) { panic("no valve") },
			"much":  func(context.Context, agent.Command) (any, error) { return strings.Repeat("x", 70_000), nil },
			"odd":   func(context.Context, agent.Command) (any, error) { return func() {}, nil },
		}
	})
	for id, c := range map[string]struct{ payload, status, output, reason string }{
		"c-ping":  {`{"name":"ping"}`, "succeeded", `{"time":"`, ""},
		"c-echo":  {`{"name":"echo","input":{"a":[1,2]}}`, "succeeded", `{"a":[1,2]}`, ""},
		"c-none":  {`{"name":"echo"}`, "succeeded", "", ""},
		"c-fail":  {`{"name":"fail"}`, "failed", "", "the valve is stuck"},
		"c-break": {`{"name":"break"}`, "failed", "", "no valve"},
		"c-much":  {`{"name":"much"}`, "succeeded", "", "at most 65536"},
		"c-odd":   {`{"name":"odd"}`, "failed", "", "unsupported type"},
		"c-what":  {`{"name":"explode"}`, "failed", "", `knows no command "explode"; it knows break, echo, fail, measure, much, odd, ping`},
	} {
		m := tell(t, p, id, c.payload)
		if m.Status != c.status || !strings.HasPrefix(m.Output, c.output) || !strings.Contains(m.Reason, c.reason) {
			t.Errorf("%s: %+v", c.payload, m)
		}
	}
	p.Command("dev-p-7", "c-x", "not JSON")
	m := tell(t, p, "c-measure", `{"name":"measure"}`)
	var measured bool
	for _, x := range p.Messages() {
		measured = measured || x.Topic == "telemetry" && strings.Contains(m.Output, `"seq":`) && x.Data["rpm"] == 7.0 && x.Order.Seq == m.Order.Seq-1
	}
	if m.Status != "succeeded" || !measured {
		t.Errorf("measure answered %+v, and what was measured did not come just before", m)
	}
	if n := len(answers(p, "c-x")); n != 0 {
		t.Errorf("what cannot be read was answered %d times", n)
	}
}

// A command that comes again is answered again, also after a restart, and not done again; unless the device was stopped in the
// middle of one that may be repeated.
func TestACommandIsCarriedOutOnce(t *testing.T) { each(t, aCommandIsCarriedOutOnce) }

func aCommandIsCarriedOutOnce(t *testing.T, p *gatewaytest.Platform) {
	dir := t.TempDir()
	var opened, stuck atomic.Int32
	commands := func(c *agent.Config) {
		c.Commands = map[string]agent.Handler{
			"open": func(context.Context, agent.Command) (any, error) { return opened.Add(1), nil },
			"hang": func(ctx context.Context, _ agent.Command) (any, error) {
				if stuck.Add(1) > 2 { // after the restart
					return "done", nil
				}
				<-ctx.Done()
				return nil, ctx.Err()
			},
		}
	}
	a := start(t, p, dir, commands)
	for range 3 {
		if m := tell(t, p, "c-1", `{"name":"open"}`); m.Output != "1" {
			t.Errorf("it answered %+v", m)
		}
	}
	a.stop()
	a = start(t, p, dir, commands)
	if m := tell(t, p, "c-1", `{"name":"open"}`); m.Output != "1" || opened.Load() != 1 {
		t.Errorf("after a restart it answered %+v, and opened %d times", m, opened.Load())
	}
	eventually(t, func() bool { return p.Command("dev-p-7", "c-2", `{"name":"hang"}`) })
	eventually(t, func() bool { return stuck.Load() == 1 })
	a.stop()
	a = start(t, p, dir, commands)
	if m := tell(t, p, "c-2", `{"name":"hang"}`); m.Status != "failed" || !strings.Contains(m.Reason, "restarted") || stuck.Load() != 1 {
		t.Errorf("what was begun before a restart was answered with %+v, begun %d times", m, stuck.Load())
	}
	eventually(t, func() bool { return p.Command("dev-p-7", "c-3", `{"name":"hang","repeatable":true}`) })
	eventually(t, func() bool { return stuck.Load() == 2 })
	a.stop()
	a = start(t, p, dir, commands)
	if m := tell(t, p, "c-3", `{"name":"hang","repeatable":true}`); m.Status != "succeeded" || stuck.Load() != 3 {
		t.Errorf("what may be repeated was answered with %+v, begun %d times", m, stuck.Load())
	}
	a.stop()
	// What is not readable is not believed.
	if err := os.WriteFile(filepath.Join(dir, "commands.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, p, dir, commands)
	if m := tell(t, p, "c-4", `{"name":"open"}`); m.Output != "2" {
		t.Errorf("with its memory lost it answered %+v", m)
	}
}
