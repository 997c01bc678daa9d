package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
)

// A Command is something that the platform asks the device to do.
type Command struct {
	ID    string
	Name  string
	Input json.RawMessage // nil if there is none
}

// A Handler carries out the commands of one name. What it returns is sent as the output, an error as the reason why it
// failed. ctx ends when the agent stops.
type Handler func(ctx context.Context, c Command) (output any, err error)

// maxQueued is how many commands may wait; the platform has fewer of one device under way.
const maxQueued = 128

// order is a command as it comes, with what the device must know to carry it out once.
type order struct {
	Command
	repeatable bool
}

// answer is what became of a command.
type answer struct {
	Status string          `json:"status,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	Reason string          `json:"reason,omitempty"`
}

// handlers are what the agent can do itself, and what it was given.
func (a *Agent) handlers() map[string]Handler {
	all := map[string]Handler{"ping": a.ping}
	if a.cfg.Source != nil {
		all["measure"] = a.measureNow
	}
	maps.Copy(all, a.cfg.Commands)
	return all
}

// ping answers with the device's time.
func (a *Agent) ping(context.Context, Command) (any, error) {
	return map[string]any{"time": a.cfg.Now().UTC().Truncate(time.Millisecond)}, nil
}

// measureNow measures, and answers with the number of the message that has the values.
func (a *Agent) measureNow(ctx context.Context, _ Command) (any, error) {
	data, err := a.cfg.Source(ctx)
	if err != nil {
		return nil, err
	}
	o, err := a.Measure(a.cfg.Now(), data)
	return map[string]any{"epoch": o.Epoch, "seq": o.Seq}, err
}

// ordered takes a command from the gateway. It does not block; one that finds no place is not answered.
func (a *Agent) ordered(id string, payload []byte) {
	var in struct {
		Name       string          `json:"name"`
		Input      json.RawMessage `json:"input"`
		Repeatable bool            `json:"repeatable"`
	}
	if err := json.Unmarshal(payload, &in); err != nil || id == "" || len(id) > 64 {
		a.cfg.Log.Warn("command not readable", "command", id, "error", err)
		return
	}
	select {
	case a.orders <- order{Command{id, in.Name, in.Input}, in.Repeatable}:
	default:
		a.cfg.Log.Error("command dropped, too many wait", "command", id, "name", in.Name)
	}
}

// obey carries out commands, one at a time, until ctx ends. What was carried out is known by its id, also after a restart: a
// command that comes again is answered again, and not done again.
func (a *Agent) obey(ctx context.Context) {
	handlers := a.handlers()
	for _, d := range a.deeds.unsent() {
		a.respond(d.ID, *d.Answer)
	}
	for {
		select {
		case o := <-a.orders:
			a.carryOut(ctx, handlers, o)
		case <-ctx.Done():
			return
		}
	}
}

func (a *Agent) carryOut(ctx context.Context, handlers map[string]Handler, o order) {
	begun, done := a.deeds.find(o.ID)
	switch {
	case done != nil:
		a.respond(o.ID, *done)
		return
	case begun && !o.repeatable:
		a.respond(o.ID, answer{Status: telemetry.Failed, Reason: "the device was restarted while it carried the command out; how far it came is not known"})
		return
	}
	a.deeds.begin(o.ID)
	out, err := a.try(ctx, handlers, o.Command)
	if ctx.Err() != nil && err != nil {
		return // the agent stops: it was not the command that failed
	}
	ans := answerOf(out, err)
	a.cfg.Log.Info("command carried out", "command", o.ID, "name", o.Name, "status", ans.Status)
	a.deeds.finish(o.ID, ans) // before it is sent: a crash between the two has it sent at the next start
	a.respond(o.ID, ans)
}

func (a *Agent) try(ctx context.Context, handlers map[string]Handler, c Command) (out any, err error) {
	h := handlers[c.Name]
	if h == nil {
		return nil, fmt.Errorf("this device knows no command %.64q; it knows %s", c.Name, strings.Join(slices.Sorted(maps.Keys(handlers)), ", "))
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the command broke: %v", p)
		}
	}()
	return h(ctx, c)
}

func answerOf(out any, err error) answer {
	ans := answer{Status: telemetry.Succeeded}
	if out != nil && err == nil {
		ans.Output, err = json.Marshal(out)
		if n := len(ans.Output); n > telemetry.MaxOutput {
			ans.Output, ans.Reason = nil, fmt.Sprintf("the output has %d bytes, at most %d can be sent", n, telemetry.MaxOutput)
		}
	}
	if err != nil {
		ans = answer{Status: telemetry.Failed, Reason: fmt.Sprintf("%.1000s", err)}
	}
	return ans
}

// respond leaves the answer to the spool, so that it arrives.
func (a *Agent) respond(id string, ans answer) {
	if _, err := a.put("command/"+id+"/response", body{Time: a.cfg.Now(), answer: ans}); err != nil {
		a.cfg.Log.Error("answer to a command not kept", "command", id, "error", err)
		return
	}
	a.deeds.sent(id)
}
